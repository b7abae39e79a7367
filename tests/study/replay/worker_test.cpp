// Replays invented plans through the real worker and the real allocators of this machine.
#include <cstdlib>
#include <fstream>

#include <doctest/doctest.h>

#include "plan_reading.hpp"

#include <heapwright/study/replay/worker_run.hpp>

namespace heapwright::test {

using study::TrialRun;
using study::WorkerOrder;

std::string make_plan_file(const std::string& path, const std::vector<trace::Event>& events, const study::Placement& placement = {},
                           const std::vector<trace::ThreadInfo>& threads = {}) {
    auto writer = study::PlanWriter::create(path);
    REQUIRE(writer.has_value());
    study::Planner planner(*writer, placement, events.size());
    planner.add_threads(threads);
    trace::Tick tick = 0;
    for (trace::Event event : events) {
        event.tick = ++tick;
        planner.on_event(event);
    }
    REQUIRE(planner.finish().has_value());
    return path;
}

TrialRun run_plan(const std::string& plan, const std::string& trial = "glibc", bool count_system_calls = false) {
    const TemporaryFile result;
    WorkerOrder order;
    order.worker = study::find_worker();
    REQUIRE(!order.worker.empty());
    order.plan = plan;
    order.result = result.path();
    order.limit_s = 60;
    order.count_system_calls = count_system_calls;
    const auto floor = study::measure_floor(order);
    REQUIRE(floor.has_value());
    CHECK(*floor > 0);
    CHECK(*floor < 1 << 20);
    order.floor_bytes = *floor;
    return study::run_worker(study::parse_trial(trial), order);
}

// Blocks of 1000 bytes up to 40 MB, then half of them freed, every second one.
std::vector<trace::Event> sawtooth() {
    std::vector<trace::Event> events;
    constexpr std::uint64_t kBlocks = 40'000;
    for (std::uint64_t i = 1; i <= kBlocks; ++i) {
        events.push_back(allocation(1, i << 12, 1000));
    }
    for (std::uint64_t i = 1; i <= kBlocks; i += 2) {
        events.push_back(release(1, i << 12));
    }
    return events;
}

TEST_CASE("resident memory of the heap is measured without the worker's own") {
    const TemporaryFile plan;
    const TrialRun run = run_plan(make_plan_file(plan.path(), sawtooth()));
    CHECK(run.failure == "");
    CHECK(run.calls == 60'000);
    // glibc gives a request of 1000 bytes 1008 of its own.
    constexpr double kNeeded = 40'000.0 * 1008;
    CHECK(static_cast<double>(run.peak_rss_bytes) == doctest::Approx(kNeeded).epsilon(0.01));
    CHECK(static_cast<double>(run.retained_bytes) == doctest::Approx(kNeeded).epsilon(0.01));  // the holes cannot go back
    CHECK(run.floor_bytes < 1 << 20);
    CHECK(run.curve.size() > 100);
    CHECK(run.minor_faults > 9000);
    CHECK(run.cpu_ns > 0);
    CHECK(run.allocator_ns > 0);
    CHECK(run.allocator_ns < run.cpu_ns * 2);
}

TEST_CASE("every installed allocator replays, in its own name") {
    const TemporaryFile plan;
    make_plan_file(plan.path(), sawtooth());
    for (const std::string& name : study::installed_allocators()) {
        const TrialRun run = run_plan(plan.path(), name);
        CHECK_MESSAGE(run.failure == "", name);
        CHECK_MESSAGE(run.peak_rss_bytes > 40'000'000, name);
        CHECK_MESSAGE(run.peak_rss_bytes < 60'000'000, name);
        CHECK_MESSAGE(run.refused == 0, name);
        CHECK_MESSAGE(run.trim_works, name);
    }
}

TEST_CASE("large blocks cost what was touched of them") {
    const TemporaryFile plan;
    const TrialRun run = run_plan(make_plan_file(plan.path(), {allocation(1, 0x1000, 64 << 20), allocation(1, 0x8000000, 64 << 20),
                                                               release(1, 0x1000, 8 << 20), release(1, 0x8000000, 0)}));
    CHECK(run.failure == "");
    CHECK(static_cast<double>(run.peak_rss_bytes) == doctest::Approx(8 << 20).epsilon(0.05));
    CHECK(run.end_rss_bytes < 1 << 20);
}

TEST_CASE("realloc, calloc and alignment are replayed as they were") {
    std::vector<trace::Event> events;
    std::uint64_t address = 0x1000;
    for (std::uint64_t size = 1; size < 300'000; size = size * 5 / 4 + 1) {
        events.push_back(address == 0x1000 ? resize_to(1, 0, address, size) : resize_to(1, address - 0x1000, address, size));
        events.push_back(resize_from(1, address));
        address += 0x1000;
    }
    events.back() = release(1, address - 0x1000);
    for (std::uint8_t log2 = 3; log2 < 16; ++log2) {
        events.push_back(allocation(1, 0x10000000 + (std::uint64_t{log2} << 20), 5000, {}, trace::Call::aligned, log2));
        events.push_back(allocation(1, 0x20000000 + (std::uint64_t{log2} << 20), std::uint64_t{1} << log2, {}, trace::Call::calloc));
    }
    const TemporaryFile plan;
    make_plan_file(plan.path(), events);
    for (const std::string& name : study::installed_allocators()) {
        const TrialRun run = run_plan(plan.path(), name);
        CHECK_MESSAGE(run.failure == "", name);
        CHECK_MESSAGE(run.refused == 0, name);
    }
}

// Threads that make blocks, hand them on, and end.
std::vector<trace::Event> relay(unsigned threads, std::vector<trace::ThreadInfo>& infos) {
    std::vector<trace::Event> events;
    std::uint64_t address = 0x1000;
    events.push_back(allocation(1, 0x500, 8));
    for (unsigned thread = 2; thread < threads + 2; ++thread) {
        const unsigned next = thread + 1 < threads + 2 ? thread + 1 : 1;
        for (int i = 0; i < 500; ++i) {
            events.push_back(allocation(thread, address, 100 + static_cast<std::uint64_t>(i)));
            events.push_back(release(i % 2 == 0 ? next : thread, address));
            address += 0x1000;
        }
        trace::ThreadInfo info;
        info.index = static_cast<trace::ThreadIndex>(thread);
        info.finished = true;
        infos.push_back(info);
    }
    return events;
}

TEST_CASE("blocks that travel between threads are freed where they were freed") {
    std::vector<trace::ThreadInfo> infos;
    const auto events = relay(40, infos);
    const TemporaryFile plan;
    make_plan_file(plan.path(), events, {}, infos);
    for (const std::string& name : study::installed_allocators()) {
        const TrialRun run = run_plan(plan.path(), name);
        CHECK_MESSAGE(run.failure == "", name);
        CHECK_MESSAGE(run.calls == events.size(), name);
    }
}

TEST_CASE("threads that never end are still there when the rest is measured") {
    std::vector<trace::ThreadInfo> none;
    auto events = relay(8, none);
    const TemporaryFile plan;
    const TrialRun run = run_plan(make_plan_file(plan.path(), events));
    CHECK(run.failure == "");
    CHECK(run.calls == events.size());
}

// Batches of blocks of `size` bytes at stack 7, each freed as a whole, by `freeing` threads.
std::vector<trace::Event> batches(std::uint64_t size, unsigned threads, bool elsewhere) {
    std::vector<trace::Event> events;
    for (int batch = 0; batch < 20; ++batch) {
        const unsigned owner = 1 + static_cast<unsigned>(batch) % threads;
        const unsigned freeing = elsewhere ? 1 + static_cast<unsigned>(batch + 1) % threads : owner;
        for (std::uint64_t i = 1; i <= 2000; ++i) {
            events.push_back(allocation(owner, i << 12, size, static_cast<trace::StackId>(7)));
        }
        for (std::uint64_t i = 1; i <= 2000; ++i) {
            events.push_back(release(freeing, i << 12));
        }
    }
    return events;
}

TEST_CASE("arenas and pools of an experiment take their blocks from the allocator and give all back") {
    for (const auto kind :
         {study::PlacementKind::arena, study::PlacementKind::pool, study::PlacementKind::stack, study::PlacementKind::remove}) {
        for (const unsigned threads : {1U, 3U}) {
            study::Placement placement;
            placement.kind = kind;
            placement.stacks = {static_cast<trace::StackId>(7)};
            placement.pool_block_bytes = 400;
            const TemporaryFile plan;
            const TrialRun run = run_plan(make_plan_file(plan.path(), batches(400, threads, threads > 1), placement));
            CHECK(run.failure == "");
            CHECK(run.calls == 0);
            const bool holds = kind == study::PlacementKind::arena || kind == study::PlacementKind::pool;
            CHECK(run.placed_peak_bytes >= (holds ? 800'000 : 0));
            CHECK(run.placed_peak_bytes <= (holds ? 5'000'000 : 0));
            CHECK(run.peak_rss_bytes < 6 << 20);
            CHECK(run.floor_bytes < 1 << 20);
        }
    }
}

TEST_CASE("an arena whose blocks never all die grows: the experiment shows it") {
    std::vector<trace::Event> events;
    events.push_back(allocation(1, 0x500, 100, static_cast<trace::StackId>(7)));
    for (std::uint64_t i = 0; i < 30'000; ++i) {
        events.push_back(allocation(1, 0x1000, 1000, static_cast<trace::StackId>(7)));
        events.push_back(release(1, 0x1000));
    }
    study::Placement placement;
    placement.kind = study::PlacementKind::arena;
    placement.stacks = {static_cast<trace::StackId>(7)};
    const TemporaryFile plan;
    CHECK(run_plan(make_plan_file(plan.path(), events, placement)).peak_rss_bytes > 29'000'000);
    CHECK(run_plan(make_plan_file(plan.path(), events)).peak_rss_bytes < 1 << 20);
}

TEST_CASE("memory is given back where the plan says so") {
    study::Placement placement;
    placement.kind = study::PlacementKind::trim;
    std::vector<trace::Event> events;
    for (std::uint64_t i = 1; i <= 20'000; ++i) {
        events.push_back(allocation(1, i << 12, 1000));
    }
    for (std::uint64_t i = 1; i < 20'000; ++i) {
        events.push_back(release(1, i << 12));  // the topmost block stays: nothing goes back by itself
    }
    const TemporaryFile plan;
    const TrialRun kept = run_plan(make_plan_file(plan.path(), events));
    const TrialRun trimmed = run_plan(make_plan_file(plan.path(), events, placement));
    CHECK(kept.retained_bytes > 19'000'000);
    CHECK(trimmed.retained_bytes < 2'000'000);
}

TEST_CASE("a library that is no allocator is told apart from one that is") {
    const TemporaryFile plan;
    make_plan_file(plan.path(), sawtooth());
    const TrialRun none = run_plan(plan.path(), "/usr/lib/x86_64-linux-gnu/libm.so.6");
    CHECK(none.failure.find("does not define malloc") != std::string::npos);
    const TemporaryFile text;
    std::ofstream(text.path() + "x.so") << "not a library\n";
    const TrialRun broken = run_plan(plan.path(), text.path() + "x.so");
    CHECK(broken.failure.find("cannot be loaded") != std::string::npos);
    std::filesystem::remove(text.path() + "x.so");
}

TEST_CASE("a damaged plan ends the worker with a sentence") {
    const TemporaryFile plan;
    std::ofstream(plan.path()) << "nonsense";
    CHECK(run_plan(plan.path()).failure.find("not a plan") != std::string::npos);
    make_plan_file(plan.path(), sawtooth());
    std::filesystem::resize_file(plan.path(), std::filesystem::file_size(plan.path()) / 2);
    CHECK(run_plan(plan.path()).failure.find("damaged") != std::string::npos);
    make_plan_file(plan.path(), sawtooth());
    std::fstream file(plan.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(sizeof(plan::PlanHeader) + sizeof(plan::EpochHeader) + sizeof(plan::LaneBlock) + 6);
    file.write("\xff\xff", 2);
    file.close();
    CHECK(run_plan(plan.path()).failure.find("names what does not exist") != std::string::npos);
}

TEST_CASE("system calls of a trial are counted") {
    std::vector<trace::Event> events;
    for (std::uint64_t i = 1; i <= 300; ++i) {
        events.push_back(allocation(1, i << 24, 40 << 20));  // above any dynamic threshold of glibc: a mapping each
        events.push_back(release(1, i << 24, 4096));
    }
    const TemporaryFile plan;
    const TrialRun run = run_plan(make_plan_file(plan.path(), events), "glibc", true);
    CHECK(run.failure == "");
    CHECK((run.system_calls == 0 || run.system_calls >= 600));
}

}  // namespace heapwright::test
