// Damaged traces and impossible events: findings stay finite, ratios stay ratios, invariants hold.
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/analyse.hpp>
#include <heapwright/study/analysis/census.hpp>
#include <heapwright/study/analysis/facts.hpp>
#include <heapwright/study/analysis/health.hpp>
#include <heapwright/study/analysis/naming.hpp>

#include <tests/study/analysis/random_trace.hpp>
#include <tests/support/random.hpp>
#include <tests/trace/read/trace_builder.hpp>

namespace heapwright::test {
namespace {

using namespace study;
using trace::Event;
using trace::EventKind;

void check_sane(const Findings& findings) {
    for (const Fragmentation* moment : {&findings.at_peak, &findings.at_end}) {
        CHECK(moment->internal_ratio >= 0);
        CHECK(moment->internal_ratio <= 1);
        CHECK(moment->external_ratio >= 0);
        CHECK(moment->external_ratio <= 1);
        CHECK(moment->external_bytes <= moment->occupied_pages * 4096);
    }
    for (const Moment& moment : findings.timeline) {
        CHECK(moment.fragmentation >= 0);
        CHECK(moment.fragmentation <= 1);
    }
    CHECK(findings.timeline.size() <= kTimelinePoints);
    CHECK(findings.health.used_bytes <= findings.health.file_bytes);
}

TraceBuilder small_trace() {
    TraceBuilder builder;
    builder.info({{"program", "x"}}).usable({{40, 40}});
    const auto stack = builder.stack({0x10, 0x20});
    builder.allocate(1, 10, 0x1000, 40, stack).allocate(2, 20, 0x2000, 400'000, stack).flush();
    builder.mappings(25, {trace::MapLine{}}).samples({trace::Sample{}});
    builder.resize(1, 30, 40, 0x1000, 0x1800, 80, stack).release(2, 50, 0x2000).end({{"dropped_events", "2"}});
    return builder;
}

/// Any event at all; addresses and sizes collide, overlap, and leave the address space.
Event wild_event(Random& random) {
    Event event;
    event.kind = static_cast<EventKind>(random.below(4));
    event.call = static_cast<trace::Call>(random.below(trace::kCallCount));
    event.alignment_log2 = static_cast<std::uint8_t>(random.next());
    event.thread = static_cast<trace::ThreadIndex>(random.one_in(30) ? random.next() : random.below(4));
    event.stack = static_cast<trace::StackId>(random.below(12));
    event.address = random.one_in(20) ? random.next() : 0x10000 + random.below(200) * 48;
    event.old_address = random.one_in(4) ? 0 : 0x10000 + random.below(200) * 48;
    event.size = random.one_in(20) ? random.next() : random.one_in(10) ? random.below(1 << 20) : random.below(200);
    event.address = random.one_in(15) ? 0 : event.address;
    event.touched = random.one_in(5) ? random.next() : trace::kTouchedUnknown;
    return event;
}

}  // namespace

TEST_CASE("a trace cut at any byte is analysed as far as it goes") {
    TraceBuilder builder = small_trace();
    const auto bytes = builder.bytes();
    for (std::size_t cut = sizeof(trace::FileHeader); cut < bytes.size(); ++cut) {
        CAPTURE(cut);
        const auto findings = analyse(write_bytes("cut", std::span(bytes).first(cut)), {.symbolize = false});
        REQUIRE(findings.has_value());
        check_sane(*findings);
        CHECK_FALSE(findings->health.complete);
        CHECK_FALSE(findings->health.note.empty());
    }
    const auto whole = analyse(write_bytes("uncut", bytes), {.symbolize = false});
    CHECK(whole->health.complete);
    CHECK(whole->health.dropped_events == 2);
    CHECK(whole->totals.events == 5);
}

TEST_CASE("a trace with any byte changed is analysed or refused") {
    TraceBuilder builder = small_trace();
    const auto bytes = builder.bytes();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        CAPTURE(at);
        auto bad = bytes;
        bad[at] ^= 0x11;
        const auto findings = analyse(write_bytes("changed", bad), {.symbolize = false});
        if (!findings) {
            CHECK(at < sizeof(trace::FileHeader));
            continue;
        }
        check_sane(*findings);
        CHECK_FALSE(findings->health.note.empty());
    }
}

TEST_CASE("impossible events keep every invariant") {
    for (std::uint64_t round = 0; round < 30; ++round) {
        Random random(round);
        Facts facts(trace::Outline{
            .chunks = 1, .events = 4000, .first_tick = 100, .last_tick = 5000, .valid_bytes = 0, .damaged = false, .has_end = false});
        std::vector<trace::StackNode> nodes;
        for (std::uint32_t i = 0; i < 9; ++i) {
            nodes.push_back({.parent = static_cast<trace::StackId>(random.below(i + 1)), .pc = random.next()});
        }
        facts.stacks.add_nodes(nodes);
        const std::vector<trace::UsableSize> pairs{{10, 24}, {100, 104}, {50, 20}, {9000, ~0ULL}, {70'000, 70'008}};
        facts.usable.add(pairs);
        facts.settle();
        const AnalysisOptions options{.symbolize = false};
        Census census(facts, options);
        trace::Tick tick = random.one_in(4) ? 0 : 100;
        for (int step = 0; step < 400; ++step) {
            std::vector<Event> batch;
            for (int i = 0; i < 10; ++i) {
                tick += random.one_in(500) ? random.next() >> 20 : random.below(3);
                batch.push_back(wild_event(random));
                batch.back().tick = tick;
            }
            census.on_events(batch);
            const char* broken = census.broken_invariant();
            REQUIRE_MESSAGE(broken == nullptr, broken);
            broken = census.pages().broken_invariant();
            REQUIRE_MESSAGE(broken == nullptr, broken);
            broken = census.live().broken_invariant();
            REQUIRE_MESSAGE(broken == nullptr, broken);
        }
        Findings findings;
        census.finish(findings);
        name_sites(findings, facts.stacks, options);
        check_sane(findings);
        CHECK(findings.totals.events == 4000);
        CHECK(findings.totals.overlaps > 0);
        CHECK(findings.totals.leaked.blocks == findings.at_end.live_blocks);
    }
}

TEST_CASE("a chunk lost from the middle costs its events and no more") {
    const RandomTrace random = make_random_trace(77, {.steps = 800, .threads = 3});
    auto whole = trace::Reader::open(random.path);
    REQUIRE(whole.has_value());
    std::vector<std::uint8_t> bytes(whole->file_bytes());
    std::FILE* file = std::fopen(random.path.c_str(), "rb");
    REQUIRE(std::fread(bytes.data(), 1, bytes.size(), file) == bytes.size());
    std::fclose(file);
    for (const trace::ChunkRef& chunk : whole->chunks()) {
        if (chunk.header.stored_bytes == 0 || chunk.header.kind == trace::ChunkKind::watermark) {
            continue;
        }
        auto bad = bytes;
        bad[chunk.offset + sizeof chunk.header + chunk.header.stored_bytes / 2] ^= 0xFF;
        const auto findings = analyse(write_bytes("middle", bad), {.symbolize = false});
        REQUIRE(findings.has_value());
        check_sane(*findings);
        const bool holds_events = chunk.header.kind == trace::ChunkKind::events;
        CHECK(findings->totals.events == random.events.size() - (holds_events ? chunk.header.items : 0));
        CHECK(findings->health.dropped_events == (holds_events ? chunk.header.items : 0));
        CHECK_FALSE(findings->health.complete);
    }
}

}  // namespace heapwright::test
