#include <heapwright/study/replay/planner.hpp>

#include <map>

#include <doctest/doctest.h>

#include "plan_reading.hpp"

namespace heapwright::test {

using plan::Op;

TEST_CASE("addresses become slots that are used again") {
    const Planned planned = plan_of({allocation(1, 0x1000, 24), allocation(1, 0x2000, 40), release(1, 0x1000), allocation(1, 0x3000, 8)});
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 4);
    CHECK(ops[0].op == Op::malloc);
    CHECK(ops[0].field == 24);
    CHECK(ops[2].op == Op::free);
    CHECK(ops[2].slot == ops[0].slot);
    CHECK(ops[3].slot == ops[0].slot);
    CHECK(planned.plan.header.slots == 2);
    CHECK(planned.counts.peak_live_bytes == 64);
    CHECK(planned.counts.live_bytes == 48);
}

TEST_CASE("calls keep their kind, size and alignment") {
    const Planned planned =
        plan_of({allocation(1, 0x1000, 100, {}, trace::Call::calloc), allocation(1, 0x2000, 100, {}, trace::Call::aligned, 12),
                 allocation(1, 0x3000, 1 << 20, {}, trace::Call::calloc), allocation(1, 0x200000, 50, {}, trace::Call::new_object, 6),
                 allocation(1, 0x4000, 50, {}, trace::Call::new_object, 4)});
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 5);
    CHECK(ops[0].op == Op::calloc);
    CHECK(ops[1].op == Op::wide);
    CHECK(ops[1].field == (static_cast<unsigned>(plan::WideKind::aligned) | 12U << 4));
    CHECK(ops[2].field == static_cast<unsigned>(plan::WideKind::calloc));
    CHECK(ops[2].more[0] == 1 << 20);
    CHECK(ops[3].field == (static_cast<unsigned>(plan::WideKind::aligned) | 6U << 4));
    CHECK(ops[4].op == Op::malloc);
}

TEST_CASE("a large block is written as far as the program had touched it when it was released") {
    const Planned planned =
        plan_of({allocation(1, 0x10000000, 10 << 20), release(1, 0x10000000, 3 << 20), allocation(1, 0x20000000, 10 << 20),
                 release(1, 0x20000000), allocation(1, 0x30000000, 10 << 20), release(1, 0x30000000, 0)});
    const auto ops = planned.plan.ops_of(0);
    CHECK(ops[0].more[1] == 3 << 20);
    CHECK(ops[2].more[1] == 10 << 20);  // unknown: all of it
    CHECK(ops[4].more[1] == 0);
}

TEST_CASE("a large block that is never released is written as far as its mapping is resident") {
    const TemporaryFile file;
    auto writer = study::PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    study::Planner planner(*writer, {}, 0);
    planner.on_event(allocation(1, 0x10000010, 8 << 20));
    planner.on_event(allocation(1, 0x20000010, 8 << 20));
    std::vector<trace::MapLine> lines(1);
    lines[0].where = {
        .begin = 0x10000000, .bytes = (8 << 20) + 4096, .resident_bytes = 2 << 20, .anonymous_bytes = 2 << 20, .permissions = 3};
    planner.on_mappings(lines);
    REQUIRE(planner.finish().has_value());
    const auto ops = read_plan(file.path()).ops_of(0);
    CHECK(ops[0].more[1] > std::uint64_t{2 << 20} * 9 / 10);
    CHECK(ops[0].more[1] <= 2 << 20);
    CHECK(ops[1].more[1] == 8 << 20);
}

TEST_CASE("realloc keeps the slot and writes only what is new") {
    const Planned planned = plan_of({allocation(1, 0x1000, 100), resize_from(1, 0x1000), resize_to(1, 0x1000, 0x2000, 300),
                                     resize_from(1, 0x2000), resize_to(1, 0x2000, 0x2000, 50), release(1, 0x2000)});
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 4);
    CHECK(ops[1].op == Op::resize);
    CHECK(ops[1].more == std::vector<plan::Word>{300, 100, 300});
    CHECK(ops[2].more == std::vector<plan::Word>{50, 50, 50});
    CHECK(ops[3].slot == ops[0].slot);
    CHECK(planned.counts.live_bytes == 0);
}

TEST_CASE("realloc of nothing is malloc, realloc to nothing is free, and a refused one changes nothing") {
    const Planned planned = plan_of({resize_to(1, 0, 0x1000, 64), resize_from(1, 0x1000), resize_to(1, 0x1000, 0, 1 << 30),
                                     resize_from(1, 0x1000), resize_to(1, 0x1000, 0, 0)});
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 2);
    CHECK(ops[0].op == Op::malloc);
    CHECK(ops[1].op == Op::free);
    CHECK(planned.counts.refused == 1);
    CHECK(planned.counts.live_bytes == 0);
}

TEST_CASE("a growing large block is written from where it was to where it was touched") {
    const Planned planned = plan_of({allocation(1, 0x1000, 1 << 20), resize_from(1, 0x1000, 200'000),
                                     resize_to(1, 0x1000, 0x900000, 4 << 20), release(1, 0x900000, 3 << 20)});
    const auto ops = planned.plan.ops_of(0);
    CHECK(ops[0].more[1] == 200'000);
    CHECK(ops[1].more == std::vector<plan::Word>{4 << 20, 200'000, 3 << 20});
}

TEST_CASE("what was refused, never seen or seen twice does not lead the plan astray") {
    Random random;
    const Planned planned = plan_of({allocation(1, 0, 1 << 20), release(1, 0x5000), allocation(1, 0x1000, 16), allocation(2, 0x1000, 32),
                                     release(2, 0x1000), resize_from(1, 0x7000), resize_to(1, 0x7000, 0x8000, 100)});
    CHECK(planned.counts.refused == 1);
    CHECK(planned.counts.unknown_frees == 2);
    CHECK(planned.counts.lost_frees == 1);
    const SlotBytes live = play_plan(planned.plan, random);
    CHECK(live.size() == 1);
    CHECK(live.begin()->second == 100);
}

TEST_CASE("memory that the program maps by itself is not replayed") {
    const Planned planned = plan_of({allocation(1, 0x1000, 4096, {}, trace::Call::map), allocation(1, 0x1000, 16)});
    CHECK(planned.plan.ops_of(0).size() == 1);
}

TEST_CASE("threads that finished end after their last block") {
    std::vector<trace::ThreadInfo> threads(2);
    threads[0].index = static_cast<trace::ThreadIndex>(1);
    threads[1].index = static_cast<trace::ThreadIndex>(2);
    threads[1].finished = true;
    const Planned planned = plan_of({allocation(1, 0x1000, 16), allocation(2, 0x2000, 16), release(1, 0x2000)}, {}, 0, threads);
    CHECK(planned.plan.epochs[0].blocks[0].head.flags == plan::kStarts);
    CHECK(planned.plan.epochs[0].blocks[1].head.flags == (plan::kStarts | plan::kExits));
}

TEST_CASE("threads may not run apart by much memory") {
    std::vector<trace::Event> events;
    for (std::uint64_t i = 0; i < 100; ++i) {
        events.push_back(allocation(1 + i % 2, 0x1000000 * (i + 1), 1 << 20));
    }
    const Planned several = plan_of(events);
    CHECK(several.plan.epochs.size() > 30);
    for (trace::Event& event : events) {
        event.thread = static_cast<trace::ThreadIndex>(1);
    }
    CHECK(plan_of(events).plan.epochs.size() == 1);
}

// The blocks of a recording of several threads, with frees in other threads and reuse of addresses.
std::vector<trace::Event> random_events(Random& random, unsigned threads, std::size_t count, std::map<std::uint64_t, std::uint64_t>& live) {
    std::vector<trace::Event> events;
    std::map<std::uint64_t, std::uint64_t> here;
    while (events.size() < count) {
        const auto thread = static_cast<unsigned>(1 + random.below(threads));
        const std::uint64_t address = 0x1000 * (1 + random.below(400));
        const auto found = here.find(address);
        if (found == here.end()) {
            const std::uint64_t size = random.size_up_to(1 << 20);
            const auto stack = static_cast<trace::StackId>(random.below(4));
            events.push_back(allocation(thread, address, size, stack, random.one_in(4) ? trace::Call::calloc : trace::Call::malloc,
                                        random.one_in(10) ? 6 : 0));
            here[address] = size;
        } else if (random.one_in(3)) {
            std::uint64_t target = 0x1000 * (1 + random.below(400));
            target = here.contains(target) ? address : target;
            events.push_back(resize_from(thread, address));
            const std::uint64_t size = 1 + random.size_up_to(1 << 18);
            events.push_back(resize_to(thread, address, target, size, static_cast<trace::StackId>(random.below(4))));
            here.erase(found);
            here[target] = size;
        } else {
            events.push_back(release(thread, address, random.one_in(2) ? random.below(1 << 20) : trace::kTouchedUnknown));
            here.erase(found);
        }
    }
    live = here;
    return events;
}

TEST_CASE("whatever order the threads of a plan take, the same blocks are live at the end") {
    Random random;
    for (unsigned threads = 1; threads <= 6; ++threads) {
        std::map<std::uint64_t, std::uint64_t> live;
        const auto events = random_events(random, threads, 5000, live);
        const Planned planned = plan_of(events, {}, 20 * 256);
        std::uint64_t bytes = 0;
        for (const auto& [address, size] : live) {
            bytes += size;
        }
        for (int order = 0; order < 3; ++order) {
            std::uint64_t planned_bytes = 0;
            const SlotBytes left = play_plan(planned.plan, random);
            for (const auto& [slot, size] : left) {
                planned_bytes += size;
            }
            CHECK(left.size() == live.size());
            CHECK(planned_bytes == bytes);
        }
        CHECK(planned.counts.live_bytes == bytes);
        CHECK(planned.plan.header.events == planned.counts.replayed);
    }
}

}  // namespace heapwright::test
