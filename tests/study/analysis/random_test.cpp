// The one-pass analysis against the naive model, on random programs.
#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/analyse.hpp>

#include <tests/study/analysis/naive_model.hpp>
#include <tests/study/analysis/random_trace.hpp>

namespace heapwright::test {
namespace {

using namespace study;

void check_amount(const Amount& amount, const NaiveAmount& naive) {
    CHECK(amount.blocks == naive.blocks);
    CHECK(amount.requested_bytes == naive.requested);
    CHECK(amount.usable_bytes == naive.usable);
}

template <std::size_t Buckets>
void check_histogram(const std::array<std::uint32_t, Buckets>& histogram, std::map<std::size_t, std::uint64_t> naive) {
    for (std::size_t b = 0; b < Buckets; ++b) {
        CHECK(histogram[b] == naive[b]);
    }
}

void check_site(const Site& site, NaiveSite& naive) {
    CAPTURE(static_cast<std::uint32_t>(site.stack));
    CHECK(site.calls == naive.calls);
    CHECK(site.allocations == naive.allocations);
    CHECK(site.allocated_bytes == naive.allocated);
    CHECK(site.frees == naive.frees);
    CHECK(site.temporary == naive.temporary);
    CHECK(site.drains == naive.drains);
    CHECK(site.short_lived == naive.short_lived);
    CHECK(site.same_frame == naive.same_frame);
    CHECK(site.cross_thread_frees == naive.cross);
    CHECK(site.reallocs == naive.reallocs);
    CHECK(site.realloc_copied_bytes == naive.copied);
    CHECK(site.realloc_chain_max == naive.chain_max);
    CHECK(site.realloc_chains == naive.chains);
    CHECK(site.over_aligned == naive.over_aligned);
    CHECK(site.min_size == naive.min_size);
    CHECK(site.max_size == naive.max_size);
    CHECK(site.lifetime_ns_total == naive.lifetime_total);
    CHECK(site.lifetime_ns_max == naive.lifetime_max);
    CHECK(site.peak_bytes == naive.peak);
    CHECK(site.touched_blocks == naive.touched_blocks);
    CHECK(site.touched_bytes == naive.touched);
    CHECK(site.threads == naive.threads.size());
    CHECK(site.pinned_bytes_at_peak == naive.pinned_peak);
    CHECK(site.pinned_bytes_at_end == naive.pinned_end);
    CHECK(site.pinned_free_bytes_at_peak == naive.pinned_free_peak);
    CHECK(site.pinned_free_bytes_at_end == naive.pinned_free_end);
    check_amount(site.live_at_peak, naive.at_peak);
    check_amount(site.leaked, naive.leaked);
    check_histogram(site.lifetimes, naive.lifetimes);
    check_histogram(site.sizes, naive.sizes);
}

void check_fragmentation(const Fragmentation& found, const NaiveHeap& naive) {
    CHECK(found.live_requested == naive.live.requested);
    CHECK(found.live_usable == naive.live.usable);
    CHECK(found.live_blocks == naive.live.blocks);
    CHECK(found.occupied_pages == naive.occupied_pages);
    CHECK(found.external_bytes == naive.free_bytes);
    CHECK(found.internal_bytes == naive.live.usable - naive.live.requested);
    CHECK(found.largest_free_run == naive.largest_gap);
    CHECK(found.occupancy == naive.occupancy);
    CHECK(found.internal_ratio >= 0);
    CHECK(found.internal_ratio <= 1);
    CHECK(found.external_ratio >= 0);
    CHECK(found.external_ratio <= 1);
}

void check_timeline(const Findings& findings, const NaiveResult& naive) {
    const trace::Tick first = naive.states.front().tick;
    const trace::Tick span = naive.states.back().tick - first + 1;
    const std::size_t count = std::min<std::size_t>(kTimelinePoints, span);
    REQUIRE(findings.timeline.size() == count);
    std::size_t next = 0;
    NaiveResult::State state;  // before the first event
    for (std::size_t i = 0; i < count; ++i) {
        const trace::Tick end = i + 1 == count ? ~trace::Tick{0} : first + span * (i + 1) / count;
        NaiveResult::State highest = state;
        std::uint64_t allocations = 0;
        std::uint64_t frees = 0;
        for (; next < naive.states.size() && naive.states[next].tick < end; ++next) {
            state = naive.states[next];
            allocations += state.allocated;
            frees += state.freed;
            if (state.live.requested > highest.live.requested) {
                highest = state;
            }
        }
        const Moment& moment = findings.timeline[i];
        CHECK(moment.live_requested == highest.live.requested);
        CHECK(moment.live_usable == highest.live.usable);
        CHECK(moment.live_blocks == highest.live.blocks);
        CHECK(moment.occupied_page_bytes == highest.occupied_pages * 4096);
        CHECK(moment.allocations == allocations);
        CHECK(moment.frees == frees);
        CHECK(moment.fragmentation >= 0);
        CHECK(moment.fragmentation <= 1);
    }
}

void check_totals(const Totals& totals, const NaiveResult& naive, trace::Tick first) {
    CHECK(totals.events == naive.states.size());
    CHECK(totals.allocations == naive.allocations);
    CHECK(totals.frees == naive.frees);
    CHECK(totals.reallocs == naive.reallocs);
    CHECK(totals.failed == naive.failed);
    CHECK(totals.allocated_bytes == naive.bytes);
    CHECK(totals.temporary == naive.temporary);
    CHECK(totals.cross_thread_frees == naive.cross);
    CHECK(totals.over_aligned == naive.over_aligned);
    CHECK(totals.unknown_frees == naive.unknown);
    CHECK(totals.mismatched == naive.mismatched);
    CHECK(totals.overlaps == 0);
    CHECK(totals.peak_requested == naive.at_peak.live.requested);
    CHECK(totals.peak_usable == naive.at_peak.live.usable);
    CHECK(totals.peak_time_ns == (naive.peak_tick - first) * kTestTickNs);
    check_amount(totals.leaked, naive.at_end.live);
}

void check_sizes_and_threads(const Findings& findings, const NaiveResult& naive) {
    CHECK(findings.sizes.size() == naive.allocations_by_size.size());
    for (const SizeRow& row : findings.sizes) {
        CHECK(row.allocations == naive.allocations_by_size.at(row.size));
        CHECK(row.usable == test_usable(row.size));
        const auto live_with = [&](const NaiveHeap& heap) {
            return static_cast<std::uint64_t>(std::ranges::count(heap.blocks, row.size, &NaiveBlock::size));
        };
        CHECK(row.live_at_peak.blocks == live_with(naive.at_peak));
        CHECK(row.leaked.blocks == live_with(naive.at_end));
    }
    for (const ThreadRow& row : findings.threads) {
        const auto index = static_cast<std::uint32_t>(row.index);
        const auto found = naive.threads.find(index);
        const auto expected = found == naive.threads.end() ? std::array<std::uint64_t, 4>{} : found->second;
        CHECK(row.allocations == expected[0]);
        CHECK(row.allocated_bytes == expected[1]);
        CHECK(row.frees == expected[2]);
        CHECK(row.cross_thread_frees == expected[3]);
        const auto peak = naive.thread_bytes_at_peak.find(index);
        CHECK(row.live_bytes_at_peak == (peak == naive.thread_bytes_at_peak.end() ? 0 : peak->second));
    }
}

void check_against_naive(const RandomTrace& trace) {
    const auto findings = analyse(trace.path, {.symbolize = false});
    REQUIRE(findings.has_value());
    NaiveResult naive = analyse_naively(trace);
    CHECK(findings->health.note == "");
    CHECK(findings->health.complete);
    check_totals(findings->totals, naive, trace.events.front().tick);
    std::erase_if(naive.sites, [](const auto& site) { return site.second.allocations == 0; });
    CHECK(findings->sites.size() == naive.sites.size());
    for (const Site& site : findings->sites) {
        check_site(site, naive.sites.at(static_cast<std::uint32_t>(site.stack)));
    }
    check_fragmentation(findings->at_peak, naive.at_peak);
    check_fragmentation(findings->at_end, naive.at_end);
    check_timeline(*findings, naive);
    check_sizes_and_threads(*findings, naive);
}

}  // namespace

TEST_CASE("one pass finds what the naive model finds") {
    for (std::uint64_t salt = 1; salt <= 12; ++salt) {
        CAPTURE(salt);
        check_against_naive(make_random_trace(salt));
    }
}

TEST_CASE("one pass finds what the naive model finds in one thread") {
    check_against_naive(make_random_trace(100, {.steps = 1000, .threads = 1}));
}

TEST_CASE("one pass finds what the naive model finds with many threads and tiny chunks") {
    check_against_naive(make_random_trace(101, {.steps = 2000, .threads = 40, .chunk_events = 3}));
}

TEST_CASE("one pass finds what the naive model finds in one long chunk a thread") {
    check_against_naive(make_random_trace(102, {.steps = 2500, .threads = 2, .ties = false, .chunk_events = 100'000}));
}

}  // namespace heapwright::test
