// The end of a pass: what the blocks of the peak and of the end tell, and counters turned into counts.
#include <algorithm>
#include <utility>

#include <heapwright/study/analysis/census.hpp>
#include <heapwright/study/analysis/fragmentation.hpp>
#include <heapwright/study/analysis/pinning.hpp>

namespace heapwright::study {
namespace {

void add_to(Amount& amount, const LiveBlock& block, const Scale& scale, const UsableSizes& usable) {
    const std::uint64_t weight = scale.weight(block.size);
    amount.blocks += weight;
    amount.requested_bytes += weight * block.size;
    amount.usable_bytes += weight * usable.usable(block.size);
}

/// Resident bytes around `tick`: the higher of the samples before and after it, for RSS may fall a moment later, and no
/// sample need lie between. 0 without samples.
std::uint64_t resident_around(std::span<const trace::Sample> samples, trace::Tick tick) {
    const auto after = std::ranges::lower_bound(samples, tick, {}, &trace::Sample::tick);
    std::uint64_t pages = after == samples.end() ? 0 : after->resident_pages;
    if (after != samples.begin()) {
        pages = std::max(pages, std::prev(after)->resident_pages);
    }
    return pages * kOsPageBytes;
}

std::uint64_t resident_at_end(std::span<const trace::Sample> samples) {
    return samples.empty() ? 0 : samples.back().resident_pages * kOsPageBytes;
}

}  // namespace

/// The blocks of the peak: those freed since, and those that are still there.
Snapshot Census::take_peak() {
    Snapshot moment = peak_.take_freed();
    const auto add = [&](const BlockRecord& block) {
        if (peak_.was_there(block)) {
            moment.add(LiveBlock(block));
        }
    };
    live_.for_each(add);
    moment.sort();
    return moment;
}

Snapshot Census::take_present() const {
    Snapshot moment;
    const auto add = [&moment](const BlockRecord& block) { moment.add(LiveBlock(block)); };
    live_.for_each(add);
    for (const ThreadState* const thread : resizing_) {
        add(thread->resize.block);
    }
    moment.sort();
    return moment;
}

/// The amounts of one moment by site; those of the peak by thread as well.
std::vector<Amount> Census::attribute(const Snapshot& moment, bool is_peak) {
    std::vector<Amount> by_site(sites_.size());
    for (const LiveBlock& block : moment.blocks()) {
        add_to(by_site[block.site], block, scale_, usable_);
        if (!is_peak) {
            continue;
        }
        if (ThreadRow* row = threads_.row_of(block.thread)) {
            row->live_bytes_at_peak += scale_.weight(block.size) * block.size;
        }
    }
    for (Amount& amount : by_site) {
        amount = {.blocks = scale_.to_count(amount.blocks),
                  .requested_bytes = scale_.to_count(amount.requested_bytes),
                  .usable_bytes = scale_.to_count(amount.usable_bytes)};
    }
    return by_site;
}

Fragmentation Census::fragmentation_of(const Snapshot& moment, const LiveTotals& totals, const TouchedShares& touched, trace::Tick tick,
                                       std::uint64_t resident) const {
    const std::uint64_t recorder = std::min(resident, facts_.number("recorder_resident_bytes"));
    // Maps leave the recorder's own pages out, samples cannot.
    Fragmentation result = measure_fragmentation(moment, totals, touched, usable_, scale_, resident - recorder);
    result.resident_bytes = resident;
    // What was mapped after the last map need not be the allocator's: it keeps no more than a map shows, or than blocks ever had.
    std::uint64_t most = peak_.totals().usable;
    for (const PageTable::Stretch& stretch : pages_.used_stretches()) {
        most += (stretch.end - stretch.first) * kOsPageBytes;
    }
    most = std::max(most, touched.map() == nullptr ? 0 : touched.map()->retained_bytes);
    result.retained_bytes = std::min(result.retained_bytes, most);
    result.time_ns = facts_.clock.ns_at(tick);
    return result;
}

void Census::finish_totals(Findings& findings) {
    Totals& totals = findings.totals;
    totals = counts_;
    for (std::uint64_t* counter : {&totals.allocations, &totals.frees, &totals.reallocs, &totals.allocated_bytes, &totals.temporary,
                                   &totals.cross_thread_frees, &totals.over_aligned, &totals.mismatched}) {
        *counter = scale_.to_count(*counter);
    }
    const TickClock& clock = facts_.clock;
    totals.duration_ns = clock.ns_at(std::max(now_, facts_.outline.last_tick));
    totals.peak_requested = scale_.to_count(peak_.totals().requested);
    totals.peak_usable = scale_.to_count(peak_.totals().usable);
    totals.peak_time_ns = clock.ns_at(peak_.tick());
    for (const trace::Sample& sample : facts_.samples) {
        totals.peak_resident = std::max(totals.peak_resident, sample.resident_pages * kOsPageBytes);
        totals.minor_faults = std::max(totals.minor_faults, sample.minor_faults);
        totals.major_faults = std::max(totals.major_faults, sample.major_faults);
        totals.cpu_ns = std::max(totals.cpu_ns, sample.cpu_ns);
    }
    // The recorder's last words know more than the last sample.
    totals.peak_resident = std::max(totals.peak_resident, facts_.number("peak_resident_bytes"));
    totals.minor_faults = std::max(totals.minor_faults, facts_.number("minor_faults"));
    totals.major_faults = std::max(totals.major_faults, facts_.number("major_faults"));
    totals.cpu_ns = std::max(totals.cpu_ns, facts_.number("cpu_ns"));
    totals.leaked = {.blocks = scale_.to_count(totals_.blocks),
                     .requested_bytes = scale_.to_count(totals_.requested),
                     .usable_bytes = scale_.to_count(totals_.usable)};
}

void Census::finish(Findings& findings) {
    while (!resizing_.empty()) {
        put_back(resizing_.back()->resize);
    }
    findings.timeline = moments_.finish(totals_, pages_, scale_, facts_.clock, facts_.samples);
    finish_totals(findings);

    Snapshot end = take_present();
    Snapshot peak = take_peak();
    live_.clear();
    const auto peak_map = map_history_.nearest_to_peak(peak_.tick());
    const auto end_map = map_history_.last();
    const auto live_at_peak = attribute(peak, true);
    const auto leaked = attribute(end, false);
    const TouchedShares touched_at_peak(peak_map.get(), peak, usable_);
    const TouchedShares touched_at_end(end_map.get(), end, usable_);
    findings.at_peak = fragmentation_of(peak, peak_.totals(), touched_at_peak, peak_.tick(), resident_around(facts_.samples, peak_.tick()));
    findings.at_end = fragmentation_of(end, totals_, touched_at_end, now_, resident_at_end(facts_.samples));
    const auto pinned_at_peak = measure_pinning(peak, touched_at_peak, usable_, sites_.size());
    const auto pinned_at_end = measure_pinning(end, touched_at_end, usable_, sites_.size());

    if (facts_.has_events()) {
        findings.maps.push_back(draw_map(peak, usable_, pages_, kMapCells));
        findings.maps.back().label = "peak";
        findings.maps.back().time_ns = findings.at_peak.time_ns;
        findings.maps.push_back(draw_map(end, usable_, pages_, kMapCells));
        findings.maps.back().label = "end";
        findings.maps.back().time_ns = findings.at_end.time_ns;
    }
    std::ranges::move(key_maps_, std::back_inserter(findings.maps));

    if (options_.bounds) {
        measure_bounds_of(peak, peak_.tick(), "peak");
        measure_bounds_of(end, now_, "end");
        std::ranges::stable_sort(bounds_, {}, &MemoryBounds::time_ns);
        findings.bounds = std::move(bounds_);
    }
    findings.sizes = sizes_.finish(peak, end);
    findings.threads = threads_.finish(scale_);
    lifetimes_.finish(findings);
    peak.release();
    end.release();
    findings.sites = sites_.finish([&](std::uint64_t stamp) { return facts_.clock.ns_of(StampClock::ticks(stamp)); });
    for (std::size_t i = 0; i < findings.sites.size(); ++i) {
        Site& site = findings.sites[i];
        site.live_at_peak = live_at_peak[i];
        site.leaked = leaked[i];
        site.pinned_bytes_at_peak = pinned_at_peak[i].bytes;
        site.pinned_free_bytes_at_peak = pinned_at_peak[i].free_bytes;
        site.pinned_bytes_at_end = pinned_at_end[i].bytes;
        site.pinned_free_bytes_at_end = pinned_at_end[i].free_bytes;
    }
}

const char* Census::broken_invariant() const {
    LiveTotals sum;
    std::uint64_t covered = 0;
    const auto add = [&](const BlockRecord& block) {
        const std::uint64_t weight = scale_.weight(block.size);
        sum.blocks += weight;
        sum.requested += weight * block.size;
        sum.usable += weight * usable_.usable(block.size);
        covered += block.off_pages ? 0 : covered_bytes(usable_, block.size);
    };
    live_.for_each(add);
    for (const ThreadState* thread : resizing_) {
        add(thread->resize.block);
    }
    if (sum.blocks != totals_.blocks || sum.requested != totals_.requested || sum.usable != totals_.usable) {
        return "C1: the totals are not the sums over the live blocks";
    }
    if (covered != pages_.live_bytes()) {
        return "C2: the OS pages do not count what the live blocks cover";
    }
    return nullptr;
}

}  // namespace heapwright::study
