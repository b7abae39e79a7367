// Small traces with known answers.
#include <heapwright/study/analysis/analyse.hpp>

#include <string>

#include <doctest/doctest.h>

#include <tests/study/analysis/small_traces.hpp>

namespace heapwright::test {
namespace {

using namespace study;
using trace::Call;
using trace::StackId;

const Site& site_of(const Findings& findings, StackId stack) {
    for (const Site& site : findings.sites) {
        if (site.stack == stack) {
            return site;
        }
    }
    FAIL("no such site");
    return findings.sites.front();
}

}  // namespace

TEST_CASE("a trace without events has findings of zeros") {
    TraceBuilder builder;
    builder.info({{"program", "x"}}).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.provenance.at("program") == "x");
    CHECK(findings.totals.events == 0);
    CHECK(findings.sites.empty());
    CHECK(findings.timeline.empty());
    CHECK(findings.maps.empty());
    CHECK(findings.at_peak.external_ratio == 0);
    CHECK(findings.at_end.internal_ratio == 0);
    CHECK(findings.at_peak.largest_free_run == 0);
    CHECK(findings.health.complete);
    CHECK(findings.health.note.empty());
}

TEST_CASE("a single block is the peak, the end, and one full site") {
    TraceBuilder builder;
    builder.usable({{100, 104}}).allocate(1, 50, 0x10010, 100).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.peak_requested == 100);
    CHECK(findings.totals.peak_usable == 104);
    CHECK(findings.totals.peak_time_ns == 0);
    CHECK(findings.totals.duration_ns == 0);
    CHECK(findings.totals.leaked.blocks == 1);
    CHECK(findings.at_end.occupied_pages == 1);
    CHECK(findings.at_end.external_bytes == 4096 - 104);
    CHECK(findings.at_end.internal_bytes == 4);
    CHECK(findings.at_end.occupancy[0] == 1);
    CHECK(findings.at_end.largest_free_run == 0);
    REQUIRE(findings.timeline.size() == 1);
    CHECK(findings.timeline[0].live_requested == 100);
    REQUIRE(findings.sites.size() == 1);
    CHECK(findings.sites[0].pinned_bytes_at_end == 4096);
    CHECK(findings.sites[0].pinned_free_bytes_at_end == 4096 - 104);
    REQUIRE(findings.threads.size() == 1);
    CHECK(findings.threads[0].live_bytes_at_peak == 100);
}

TEST_CASE("blocks of no bytes are blocks, and make no peak") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x1000, 0).release(1, 2, 0x1000).allocate(1, 3, 0x2000, 0).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.peak_requested == 0);
    CHECK(findings.at_peak.live_blocks == 0);
    CHECK(findings.at_end.live_blocks == 1);
    CHECK(findings.at_end.occupied_pages == 1);
    CHECK(findings.at_end.internal_ratio == 0);
    CHECK(findings.totals.temporary == 1);
}

TEST_CASE("only failures and strays leave the heap empty") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0, 1 << 30).release(1, 2, 0x5000).release(1, 3, 0).resize(1, 4, 5, 0x6000, 0, 77).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.failed == 2);
    CHECK(findings.totals.unknown_frees == 1);
    CHECK(findings.totals.allocations == 0);
    CHECK(findings.totals.peak_requested == 0);
    CHECK(findings.sites.empty());
}

TEST_CASE("the peak keeps what was freed after it and not what came after it") {
    TraceBuilder builder;
    const StackId early = builder.stack({1, 2});
    const StackId late = builder.stack({1, 3});
    builder.allocate(1, 10, 0x1000, 1000, early).allocate(1, 20, 0x2000, 500, early);
    builder.release(1, 30, 0x1000).allocate(2, 40, 0x1000, 900, late).release(1, 50, 0x2000).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.peak_requested == 1500);
    CHECK(site_of(findings, early).live_at_peak.blocks == 2);
    CHECK(site_of(findings, early).live_at_peak.requested_bytes == 1500);
    CHECK(site_of(findings, late).live_at_peak.blocks == 0);
    CHECK(site_of(findings, late).leaked.requested_bytes == 900);
    CHECK(site_of(findings, early).leaked.blocks == 0);
    CHECK(findings.at_peak.live_blocks == 2);
    CHECK(findings.at_peak.largest_free_run == 0x1000 - 1000);
}

TEST_CASE("a block on top of a live one is counted and its sibling's release is a stray") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x1000, 64).allocate(2, 2, 0x1000, 32).release(1, 3, 0x1000).release(2, 4, 0x1000);
    builder.allocate(1, 5, 0x2000, 4096).allocate(1, 6, 0x2800, 4096).end();  // half over each other
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.overlaps == 2);
    CHECK(findings.totals.unknown_frees == 1);
    CHECK(findings.totals.leaked.blocks == 2);
    CHECK(findings.at_end.external_ratio <= 1);
    CHECK(findings.health.note.find("2 blocks handed out on top of a live one") != std::string::npos);
}

TEST_CASE("strays of a forked child are its parent's blocks") {
    TraceBuilder builder;
    builder.info({{"parent_trace", "1.hwtrace"}}).release(1, 1, 0x1000).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.inherited_frees == 1);
    CHECK(findings.totals.unknown_frees == 0);
}

TEST_CASE("new freed by free is a mismatch, malloc by free is none") {
    TraceBuilder builder;
    auto pair = [&, address = std::uint64_t{0x1000}](Call make, Call drop) mutable {
        builder.allocate(1, address, address, 8, StackId::none, make).release(1, address + 1, address, drop);
        address += 0x100;
    };
    pair(Call::malloc, Call::free);
    pair(Call::aligned, Call::free);
    pair(Call::new_object, Call::delete_object);
    pair(Call::new_array, Call::delete_array);
    pair(Call::new_object, Call::free);
    pair(Call::malloc, Call::delete_object);
    pair(Call::new_array, Call::delete_object);
    builder.end();
    CHECK(findings_of(builder).totals.mismatched == 3);
}

TEST_CASE("a chain of resizes is one block with a history") {
    TraceBuilder builder;
    const StackId first = builder.stack({1, 2});
    const StackId grow = builder.stack({1, 3});
    builder.samples({sample(0, 0, 1), sample(1000, 10'000, 1)});  // 10 ns a tick
    builder.allocate(1, 100, 0x1000, 100, first);
    builder.resize(1, 110, 120, 0x1000, 0x2000, 200, grow);  // moved: 100 bytes copied
    builder.resize(1, 130, 140, 0x2000, 0x2000, 150, grow);  // in place
    builder.resize(1, 150, 160, 0x2000, 0, 1 << 20, grow);   // refused: the block lives on
    builder.resize(1, 170, 180, 0x2000, 0x3000, 300, grow);  // moved: 150 bytes copied
    builder.release(1, 1100, 0x3000).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.reallocs == 3);
    CHECK(findings.totals.failed == 1);
    CHECK(findings.totals.allocations == 4);
    CHECK(findings.totals.frees == 1);
    CHECK(site_of(findings, first).reallocs == 1);
    CHECK(site_of(findings, first).realloc_copied_bytes == 100);
    CHECK(site_of(findings, grow).reallocs == 2);
    CHECK(site_of(findings, grow).realloc_copied_bytes == 150);
    CHECK(site_of(findings, grow).realloc_chain_max == 3);
    CHECK(site_of(findings, grow).realloc_chains == 1);
    CHECK(site_of(findings, grow).frees == 1);
    CHECK(site_of(findings, grow).lifetime_ns_max == 10'000);  // from the very first allocation
    CHECK(findings.totals.peak_requested == 300);
}

TEST_CASE("a resize that frees is a free") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x1000, 10).resize(1, 2, 3, 0x1000, 0, 0).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.frees == 1);
    CHECK(findings.totals.reallocs == 0);
    CHECK(findings.totals.leaked.blocks == 0);
    CHECK(findings.totals.temporary == 1);
}

TEST_CASE("a block stays live while it is being resized") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x1000, 1000).resize(1, 10, 1000, 0x1000, 0x8000, 1200);
    builder.allocate(2, 500, 0x4000, 300).end();  // in the middle of it
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.peak_requested == 1500);
    for (const Moment& moment : findings.timeline) {
        CHECK(moment.live_requested >= 1000);
    }
}

TEST_CASE("the place of a block that is being resized may be handed out again") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x1000, 1000).resize(1, 10, 1000, 0x1000, 0x8000, 1200);
    builder.allocate(2, 500, 0x1000, 300).end();  // the allocator has moved the first block by now
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.overlaps == 0);
    CHECK(findings.totals.leaked.blocks == 2);
    CHECK(findings.totals.peak_requested == 1500);
    CHECK(findings.totals.reallocs == 1);
}

TEST_CASE("a resize that never came back leaves its block") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x1000, 1000);
    trace::Event from;
    from.kind = trace::EventKind::resize_from;
    from.call = Call::realloc;
    from.thread = static_cast<trace::ThreadIndex>(1);
    from.tick = 5;
    from.address = 0x1000;
    builder.event(from);
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.leaked.blocks == 1);
    CHECK_FALSE(findings.health.complete);
    CHECK(findings.health.note.find("no end") != std::string::npos);
}

TEST_CASE("temporary, same frame and cross thread are told apart") {
    TraceBuilder builder;
    const StackId inner = builder.stack({1, 2, 3});   // main, caller, function
    const StackId deeper = builder.stack({1, 2, 4});  // another place of the same function's caller: its child or sibling
    const StackId outer = builder.stack({1, 9});
    builder.allocate(1, 1, 0x1000, 8, inner).release(1, 2, 0x1000);                                    // temporary
    builder.allocate(1, 3, 0x1000, 8, inner).allocate(1, 4, 0x2000, 8, deeper).release(1, 5, 0x1000);  // only below the caller
    builder.allocate(1, 6, 0x1000, 8, inner).allocate(1, 7, 0x3000, 8, outer).release(1, 8, 0x1000);   // it has returned
    builder.allocate(1, 9, 0x1000, 8, inner).release(2, 10, 0x1000).end();                             // another thread
    const Findings findings = findings_of(builder);
    const Site& site = site_of(findings, inner);
    CHECK(site.frees == 4);
    CHECK(site.temporary == 1);
    CHECK(site.same_frame == 2);
    CHECK(site.cross_thread_frees == 1);
    CHECK(site.drains == 4);
    CHECK(findings.threads[1].cross_thread_frees == 1);
}

TEST_CASE("pages with blocks of two sites are pinned by neither") {
    TraceBuilder builder;
    const StackId a = builder.stack({1});
    const StackId b = builder.stack({2});
    builder.allocate(1, 1, 0x10000, 100, a).allocate(1, 2, 0x10800, 100, b);  // shared
    builder.allocate(1, 3, 0x11000, 96, a).allocate(1, 4, 0x11800, 32, a);    // a's alone
    builder.allocate(1, 5, 0x12FF0, 0x20, b);                                 // across two pages, b's alone
    builder.allocate(1, 6, 0x20010, 1 << 20, a).end();                        // large
    const Findings findings = findings_of(builder);
    CHECK(site_of(findings, b).pinned_bytes_at_end == 2 * 4096);
    CHECK(site_of(findings, b).pinned_free_bytes_at_end == 2 * 4096 - 0x20);
    CHECK(site_of(findings, a).pinned_bytes_at_end == 4096 + (1 << 20) + 4096);
    CHECK(site_of(findings, a).pinned_free_bytes_at_end == (4096 - 128) + 4096);
    CHECK(findings.at_end.occupied_pages == 4 + 257);
    CHECK(findings.at_end.occupancy[10] == 255);
}

TEST_CASE("mappings are given back in parts, whole, several at once, and by mapping over them") {
    TraceBuilder builder;
    const StackId maker = builder.stack({1});
    trace::Tick tick = 0;
    const auto map = [&](std::uint64_t address, std::uint64_t bytes) { builder.allocate(1, ++tick, address, bytes, maker, Call::map); };
    const auto unmap = [&](std::uint64_t address, std::uint64_t bytes) {
        trace::Event event;
        event.kind = trace::EventKind::release;
        event.call = Call::unmap;
        event.thread = static_cast<trace::ThreadIndex>(1);
        event.tick = ++tick;
        event.address = address;
        event.size = bytes;
        builder.event(event);
    };
    map(0x100000, 0x10000);
    unmap(0x104000, 0x4000);  // out of the middle: 0x4000 and 0x8000 are left
    unmap(0x10F000, 0x800);   // the last page, rounded up: 0x7000 left behind
    map(0x200000, 0x3000);
    map(0x300000, 0x5000);
    unmap(0x1FF000, 0x200000);  // both at once, and more
    map(0x400000, 0x8000);
    map(0x402000, 0x2000);    // over its middle
    unmap(0x900000, 0x1000);  // of a file
    builder.end();
    const Findings findings = findings_of(builder);
    CHECK(findings.totals.leaked.requested_bytes == 0x4000 + 0x7000 + 0x8000);
    CHECK(findings.totals.leaked.blocks == 2 + 3);
    CHECK(findings.totals.peak_requested == 0x4000 + 0x7000 + 0x8000);
    CHECK(findings.totals.allocations == 5);
    CHECK(findings.totals.frees == 2);
    CHECK(findings.totals.unknown_frees == 0);
    CHECK(findings.totals.overlaps == 0);
    CHECK(findings.totals.mismatched == 0);
    CHECK(findings.at_end.occupied_pages == 4 + 7 + 8);
    CHECK(site_of(findings, maker).leaked.requested_bytes == 0x4000 + 0x7000 + 0x8000);
}

TEST_CASE("a large block pins what its mapping has resident") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x200010, 0x100000);
    builder.mappings(2, {line(0x200000, 0x101000, 0x41000, "")}).end();  // a quarter of it was touched
    const Findings findings = findings_of(builder);
    CHECK(findings.sites[0].pinned_bytes_at_end == doctest::Approx(0x41000).epsilon(0.001));
    CHECK(findings.at_end.retained_bytes == 0);
}

TEST_CASE("touched bytes of large blocks are summed by site") {
    TraceBuilder builder;
    builder.allocate(1, 1, 0x100000, 1 << 20);
    trace::Event release;
    release.kind = trace::EventKind::release;
    release.call = Call::free;
    release.thread = static_cast<trace::ThreadIndex>(1);
    release.tick = 5;
    release.address = 0x100000;
    release.touched = 65536;
    builder.event(release).end();
    const Site site = findings_of(builder).sites.at(0);
    CHECK(site.touched_blocks == 1);
    CHECK(site.touched_bytes == 65536);
    CHECK(site.touched_requested_bytes == 1 << 20);
}

TEST_CASE("without symbols a frame is an address in a file") {
    TraceBuilder builder;
    builder.modules({{.path = "/usr/lib/libfoo.so.1", .build_id = {}, .begin = 0x7000, .end = 0x9000, .bias = 0x7000},
                     {.path = "/usr/lib/libstdc++.so.6", .build_id = {}, .begin = 0xA000, .end = 0xB000, .bias = 0xA000}});
    builder.allocate(1, 1, 0x1000, 8, builder.stack({0x5000, 0x7120, 0xA010})).end();
    const Findings findings = findings_of(builder);
    REQUIRE(findings.sites[0].frames.size() == 3);
    const auto frame = [&](std::size_t i) { return findings.frames[static_cast<std::size_t>(findings.sites[0].frames[i])]; };
    CHECK(frame(0).module == "libstdc++.so.6");
    CHECK(frame(0).runtime);
    CHECK(frame(1).module == "libfoo.so.1");
    CHECK(frame(1).function == "0x120");
    CHECK_FALSE(frame(1).runtime);
    CHECK(frame(2).module == "[unknown]");
    CHECK(findings_of(builder, {.symbolize = false, .depth = 2}).sites[0].frames.size() == 2);
}

TEST_CASE("thread names and key moments are there") {
    TraceBuilder builder;
    builder.threads(
        {{.index = static_cast<trace::ThreadIndex>(1), .tid = 42, .name = "main", .first_tick = 0, .last_tick = 0, .finished = false}});
    for (trace::Tick tick = 1; tick <= 5000; ++tick) {
        builder.allocate(1, tick, 0x10000 + tick * 64, 48);
    }
    builder.end();
    const Findings findings = findings_of(builder, {.symbolize = false, .key_moments = 4});
    CHECK(findings.threads[0].tid == 42);
    CHECK(findings.threads[0].name == "main");
    REQUIRE(findings.maps.size() == 6);
    CHECK(findings.maps[0].label == "peak");
    CHECK(findings.maps[1].label == "end");
    CHECK(findings.maps[2].time_ns < findings.maps[5].time_ns);
    CHECK(findings.maps[5].label == "0.000 s");
    CHECK(findings.timeline.size() == kTimelinePoints);
    CHECK(findings.timeline.back().live_blocks == 5000);
    CHECK(findings.timeline[499].live_blocks == 2500);
}

TEST_CASE("what is no trace is refused") { CHECK(analyse("/nowhere.hwtrace").error().kind == Errc::not_found); }

}  // namespace heapwright::test
