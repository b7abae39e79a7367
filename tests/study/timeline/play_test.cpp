// One order out of many threads, metadata first, memory maps in between.
#include <heapwright/study/timeline/play.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/timeline/event_merger.hpp>
#include <heapwright/study/timeline/stamp.hpp>
#include <heapwright/study/timeline/tick_clock.hpp>

#include <tests/support/random.hpp>
#include <tests/trace/read/trace_builder.hpp>

namespace heapwright::test {
namespace {

using namespace study;
using namespace trace;

/// Notes all it hears as words.
struct Listener : SinkDefaults {
    std::vector<std::string> heard;
    std::vector<Event> events;
    std::size_t nodes = 0;

    void on_info(const InfoLines& lines) { heard.push_back("info " + std::to_string(lines.size())); }
    void on_modules(std::vector<ModuleInfo> modules) { heard.push_back("modules " + std::to_string(modules.size())); }
    void on_stacks(std::span<const StackNode> some) { nodes += some.size(); }
    void on_threads(std::span<const ThreadInfo> threads) { heard.push_back("threads " + std::to_string(threads.size())); }
    void on_usable(std::span<const UsableSize> pairs) { heard.push_back("usable " + std::to_string(pairs.size())); }
    void on_samples(std::span<const Sample> samples) { heard.push_back("samples " + std::to_string(samples.size())); }
    void on_mappings(Tick tick, std::span<const MapLine> lines) {
        heard.push_back("map at " + std::to_string(tick) + " with " + std::to_string(lines.size()) + " after " +
                        std::to_string(events.size()));
    }
    void on_events(std::span<const Event> batch) { events.insert(events.end(), batch.begin(), batch.end()); }
};

Listener play_file(const std::string& path) {
    auto reader = Reader::open(path);
    REQUIRE(reader.has_value());
    Listener listener;
    const auto played = play(*reader, listener);
    REQUIRE(played.has_value());
    CHECK(played->events == listener.events.size());
    CHECK(played->late_events == 0);
    return listener;
}

Sample sample_at(Tick tick, std::uint64_t ns) {
    Sample sample{};
    sample.tick = tick;
    sample.monotonic_ns = ns;
    return sample;
}

}  // namespace

TEST_CASE("metadata comes first, memory maps come between the events") {
    TraceBuilder builder;
    builder.info({{"a", "b"}}).modules({ModuleInfo{}}).usable({{8, 24}});
    builder.allocate(1, 10, 0x1000, 8, builder.stack({0x10, 0x20})).allocate(1, 20, 0x2000, 8).flush();
    builder.mappings(15, {MapLine{}}).samples({sample_at(20, 9), sample_at(10, 5)}).threads({ThreadInfo{}});
    builder.mappings(99, {}).end({{"x", "y"}, {"z", "w"}});
    const Listener heard = play_file(builder.write("meta"));
    CHECK(heard.heard == std::vector<std::string>{"info 1", "modules 1", "usable 1", "threads 1", "info 2", "samples 2",
                                                  "map at 15 with 1 after 1", "map at 99 with 0 after 2"});
    CHECK(heard.nodes == 2);
}

TEST_CASE("threads are merged by tick whatever the order of their chunks") {
    Random random(5);
    for (int round = 0; round < 20; ++round) {
        const auto threads = random.between(1, 30);
        TraceBuilder builder;
        std::vector<Event> truth;
        Tick tick = 1;
        for (int i = 0; i < 4000; ++i) {
            tick += random.between(1, 5);
            Event event;
            event.thread = static_cast<ThreadIndex>(random.between(1, threads));
            event.tick = tick;
            event.address = tick * 16;
            event.size = random.below(100);
            truth.push_back(event);
            builder.event(event);
            if (random.one_in(50)) {
                builder.flush(static_cast<std::uint32_t>(event.thread));
            }
            if (random.one_in(500)) {
                builder.watermark(random.below(tick));  // late by any amount
            }
        }
        const Listener heard = play_file(builder.write("merge"));
        REQUIRE(heard.events.size() == truth.size());
        CHECK(std::ranges::equal(heard.events, truth, {}, &Event::address, &Event::address));
    }
}

TEST_CASE("long chunks are decoded piece by piece") {
    TraceBuilder builder;
    for (Tick tick = 1; tick <= 50'000; ++tick) {
        builder.allocate(static_cast<std::uint32_t>(1 + tick % 3), tick, tick * 32, 16);
    }
    const Listener heard = play_file(builder.write("long"));
    REQUIRE(heard.events.size() == 50'000);
    CHECK(std::ranges::is_sorted(heard.events, {}, &Event::tick));
    CHECK(heard.events.back().address == 50'000 * 32);
}

TEST_CASE("at one tick the thread that releases goes first") {
    // Thread 3 frees the block that threads 1 and 2 cannot have before; it also allocates something first.
    TraceBuilder builder;
    builder.allocate(3, 5, 0x9000, 8).allocate(3, 10, 0xA000, 8).release(3, 10, 0x9000).flush();
    builder.allocate(1, 10, 0x9000, 8).flush();
    const Listener heard = play_file(builder.write("tie"));
    REQUIRE(heard.events.size() == 4);
    CHECK(heard.events[2].kind == EventKind::release);
    CHECK(heard.events[3].thread == static_cast<ThreadIndex>(1));
}

TEST_CASE("a thread that runs backwards is counted and its events are raised") {
    TraceBuilder builder;
    builder.allocate(1, 100, 0x1000, 8).allocate(1, 200, 0x2000, 8).flush();
    builder.allocate(1, 150, 0x3000, 8).allocate(1, 300, 0x4000, 8).flush();
    builder.allocate(2, 250, 0x5000, 8).flush();
    auto reader = Reader::open(builder.write("late"));
    REQUIRE(reader.has_value());
    Listener heard;
    const auto played = play(*reader, heard);
    REQUIRE(played.has_value());
    CHECK(played->late_events == 1);
    std::vector<std::uint64_t> addresses;
    for (const Event& event : heard.events) {
        addresses.push_back(event.address);
    }
    CHECK(addresses == std::vector<std::uint64_t>{0x1000, 0x2000, 0x3000, 0x5000, 0x4000});
    CHECK(heard.events[2].tick == 200);
}

TEST_CASE("a damaged stacks chunk keeps the numbers of the nodes behind it") {
    TraceBuilder builder(false);
    builder.allocate(1, 1, 0x1000, 8, builder.stack({1, 2, 3})).flush();
    const std::size_t stacks_at = sizeof(FileHeader) + sizeof(ChunkHeader);
    builder.allocate(1, 2, 0x2000, 8, builder.stack({1, 2, 3, 4})).end();
    auto bytes = builder.bytes();
    bytes[stacks_at] ^= 0xFF;
    auto reader = Reader::open(write_bytes("nodes", bytes));
    Listener heard;
    REQUIRE(play(*reader, heard).has_value());
    CHECK(heard.nodes == 4);
    CHECK(heard.events.back().stack == static_cast<StackId>(4));
    CHECK(reader->health().damaged_chunks == 1);
}

TEST_CASE("progress ends at one with all events") {
    TraceBuilder builder;
    for (Tick tick = 1; tick < 2000; ++tick) {
        builder.allocate(1, tick, tick * 16, 8);
    }
    auto reader = Reader::open(builder.write("progress"));
    Listener heard;
    double last = 0;
    std::uint64_t events = 0;
    REQUIRE(play(*reader, heard, [&](double done, std::uint64_t count) {
                CHECK(done >= last);
                last = done;
                events = count;
            }).has_value());
    CHECK(last == 1.0);
    CHECK(events == 1999);
}

TEST_CASE("stamps rise strictly and keep the time") {
    StampClock clock(1000);
    std::uint64_t last = 0;
    for (const Tick tick : {1000U, 1000U, 1000U, 1001U, 1001U, 5000U, 4000U, 5000U}) {
        const std::uint64_t stamp = clock.next(tick);
        CHECK(stamp > last);
        last = stamp;
    }
    CHECK(StampClock::ticks(last) == 4000);
    CHECK(clock.next(500) > last);  // before the first tick: still in order
}

TEST_CASE("the clock takes its rate from the first and the last reading") {
    const TickClock clock({sample_at(500, 20'000), sample_at(100, 10'000), sample_at(300, 15'000)}, 100);
    CHECK(clock.ns_per_tick() == doctest::Approx(25));
    CHECK(clock.ns_at(300) == 5000);
    CHECK(clock.ns_at(50) == 0);
    CHECK(clock.ns_of(4) == 100);
}

TEST_CASE("readings that contradict each other leave the default rate") {
    const double usual = TickClock().ns_per_tick();
    CHECK(TickClock({}, 0).ns_per_tick() == usual);
    CHECK(TickClock({sample_at(5, 10)}, 0).ns_per_tick() == usual);
    CHECK(TickClock({sample_at(5, 10), sample_at(5, 20)}, 0).ns_per_tick() == usual);
    CHECK(TickClock({sample_at(5, 20), sample_at(9, 10)}, 0).ns_per_tick() == usual);
    CHECK(TickClock({sample_at(5, 10), sample_at(9, 1'000'000'000)}, 0).ns_per_tick() == usual);
}

}  // namespace heapwright::test
