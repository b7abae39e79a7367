#include <algorithm>

#include <doctest/doctest.h>

#include "plan_reading.hpp"

#include <heapwright/study/replay/placement.hpp>

namespace heapwright::test {

using plan::Op;
using study::Placement;
using study::PlacementKind;

constexpr auto kHere = static_cast<trace::StackId>(7);
constexpr auto kThere = static_cast<trace::StackId>(8);

Placement at_here(PlacementKind kind) {
    Placement placement;
    placement.kind = kind;
    placement.stacks = {kHere};
    return placement;
}

TEST_CASE("an arena takes the blocks of its site and knows which thread's arena a release belongs to") {
    const Planned planned =
        plan_of({allocation(1, 0x1000, 100, kHere), allocation(1, 0x2000, 100, kThere), release(2, 0x1000), release(1, 0x2000)},
                at_here(PlacementKind::arena));
    const auto first = planned.plan.ops_of(0);
    CHECK(first[0].op == Op::arena_allocate);
    CHECK(first[0].field == 100);
    CHECK(first[1].op == Op::malloc);
    const auto second = planned.plan.ops_of(1);
    REQUIRE(second.size() == 1);
    CHECK(second[0].op == Op::arena_release);
    CHECK(second[0].slot == 0);  // the lane that allocated
    CHECK(planned.plan.header.groups == 1);
    CHECK(planned.counts.placed == 1);
}

TEST_CASE("a pool takes what fits its slots") {
    Placement placement = at_here(PlacementKind::pool);
    placement.pool_block_bytes = 64;
    const Planned planned =
        plan_of({allocation(1, 0x1000, 64, kHere), allocation(1, 0x2000, 65, kHere), release(1, 0x1000), release(1, 0x2000)}, placement);
    const auto ops = planned.plan.ops_of(0);
    CHECK(ops[0].op == Op::pool_allocate);
    CHECK(ops[1].op == Op::malloc);
    CHECK(ops[2].op == Op::pool_release);
    CHECK(ops[3].op == Op::free);
    CHECK(planned.plan.header.group[0].block_bytes == 64);
}

TEST_CASE("a planned place takes what its entry means, and any free takes it back") {
    Placement placement = at_here(PlacementKind::planned);
    placement.place = SitePlace::bump;
    placement.min_bytes = 32;
    placement.max_bytes = 1000;
    trace::Event zeroed = allocation(1, 0x2000, 64, kHere);
    zeroed.call = trace::Call::calloc;
    const Planned planned = plan_of({allocation(1, 0x1000, 64, kHere), zeroed, allocation(1, 0x3000, 16, kHere),
                                     allocation(1, 0x4000, 1001, kHere), allocation(1, 0x5000, 64, kThere), release(1, 0x1000)},
                                    placement);
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 6);
    CHECK(ops[0].op == Op::planned);
    CHECK(ops[0].more.front() == 0);
    CHECK(ops[1].op == Op::planned);
    CHECK(ops[1].more.front() == plan::kZeroed);
    CHECK(ops[2].op == Op::malloc);
    CHECK(ops[3].op == Op::malloc);
    CHECK(ops[4].op == Op::malloc);
    CHECK(ops[5].op == Op::free);
    CHECK(planned.plan.header.group[0].kind == plan::GroupKind::planned);
    CHECK(planned.plan.header.group[0].block_bytes == static_cast<std::uint32_t>(SitePlace::bump));
}

TEST_CASE("on the stack nothing is allocated, but the bytes are written") {
    const Planned planned =
        plan_of({allocation(1, 0x1000, 200, kHere), release(1, 0x1000), allocation(1, 0x2000, 9, kThere)}, at_here(PlacementKind::stack));
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 2);
    CHECK(ops[0].op == Op::stack);
    CHECK(ops[0].field == 200);
    CHECK(ops[1].op == Op::malloc);
}

TEST_CASE("a reserved realloc chain becomes one allocation of the size it reaches") {
    const Planned planned = plan_of({resize_to(1, 0, 0x1000, 100, kHere), resize_from(1, 0x1000), resize_to(1, 0x1000, 0x2000, 1000, kHere),
                                     resize_from(1, 0x2000), resize_to(1, 0x2000, 0x3000, 5000, kHere), release(1, 0x3000)},
                                    at_here(PlacementKind::reserve));
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 4);
    CHECK(ops[0].op == Op::wide);
    CHECK(ops[0].more == std::vector<plan::Word>{5000, 100});
    CHECK(ops[1].op == Op::touch);
    CHECK(ops[1].more == std::vector<plan::Word>{100, 1000});
    CHECK(ops[2].more == std::vector<plan::Word>{1000, 5000});
    CHECK(ops[3].op == Op::free);
}

TEST_CASE("a vector that grows by new, move and delete is a chain too") {
    const Planned planned =
        plan_of({allocation(1, 0x1000, 8, kHere), allocation(1, 0x9000, 3, kThere), allocation(1, 0x2000, 16, kHere), release(1, 0x1000),
                 allocation(1, 0x3000, 32, kHere), release(1, 0x2000), allocation(1, 0xa000, 3, kThere), release(1, 0x3000)},
                at_here(PlacementKind::reserve));
    const auto ops = planned.plan.ops_of(0);
    REQUIRE(ops.size() == 6);
    CHECK(ops[0].op == Op::wide);
    CHECK(ops[0].more == std::vector<plan::Word>{32, 8});
    CHECK(ops[2].op == Op::touch);
    CHECK(ops[3].op == Op::touch);
    CHECK(ops[5].op == Op::free);
    CHECK(planned.counts.live_bytes == 6);
}

TEST_CASE("two containers that grow at one site are two chains") {
    const Planned planned =
        plan_of({allocation(1, 0x1000, 8, kHere), allocation(1, 0x2000, 8, kHere), allocation(1, 0x3000, 16, kHere), release(1, 0x1000),
                 allocation(1, 0x4000, 24, kHere), release(1, 0x2000), release(1, 0x3000), release(1, 0x4000)},
                at_here(PlacementKind::reserve));
    const auto ops = planned.plan.ops_of(0);
    std::vector<std::uint64_t> sizes;
    for (const PlanOp& op : ops) {
        if (op.op == Op::wide) {
            sizes.push_back(op.more[0]);
        }
    }
    CHECK(sizes == std::vector<std::uint64_t>{16, 24});
    CHECK(planned.counts.live_bytes == 0);
}

TEST_CASE("a block of a reserved site that another thread frees at once is an ordinary one") {
    Random random;
    const Planned planned =
        plan_of({allocation(1, 0x1000, 8, kHere), release(2, 0x1000), allocation(1, 0x1000, 8, kHere)}, at_here(PlacementKind::reserve));
    CHECK(play_plan(planned.plan, random).size() == 1);
}

TEST_CASE("other sizes and the usual alignment are asked for where an experiment says so") {
    Placement placement = at_here(PlacementKind::resize);
    placement.from_size = 1033;
    placement.to_size = 1032;
    placement.usual_alignment = true;
    const Planned planned = plan_of({allocation(1, 0x1000, 1033, kHere), allocation(1, 0x2000, 500, kHere, trace::Call::aligned, 12),
                                     allocation(1, 0x3000, 1033, kThere)},
                                    placement);
    const auto ops = planned.plan.ops_of(0);
    CHECK(ops[0].field == 1032);
    CHECK(ops[1].op == Op::malloc);
    CHECK(ops[2].field == 1033);
    CHECK(planned.counts.live_bytes == 1033 + 500 + 1033);  // the recording's own
}

TEST_CASE("a removed site leaves nothing behind") {
    const Planned planned = plan_of({allocation(1, 0x1000, 8, kHere), allocation(1, 0x2000, 8, kThere), resize_from(1, 0x1000),
                                     resize_to(1, 0x1000, 0x3000, 80, kHere), release(1, 0x3000)},
                                    at_here(PlacementKind::remove));
    CHECK(planned.plan.ops_of(0).size() == 1);
}

TEST_CASE("memory is given back whenever half of what was live is gone") {
    std::vector<trace::Event> events;
    for (std::uint64_t i = 1; i <= 40; ++i) {
        events.push_back(allocation(1, i << 20, 100'000));
    }
    for (std::uint64_t i = 1; i <= 40; ++i) {
        events.push_back(release(1, i << 20));
    }
    Placement placement;
    placement.kind = PlacementKind::trim;
    const Planned planned = plan_of(events, placement);
    const auto ops = planned.plan.ops_of(0);
    const auto trims = std::count_if(ops.begin(), ops.end(), [](const PlanOp& op) { return op.op == Op::trim; });
    CHECK(trims >= 1);
    CHECK(trims <= 3);
}

TEST_CASE("every placement of random events is playable in any order") {
    Random random;
    for (const PlacementKind kind : {PlacementKind::arena, PlacementKind::pool, PlacementKind::reserve, PlacementKind::stack,
                                     PlacementKind::resize, PlacementKind::remove, PlacementKind::trim, PlacementKind::planned}) {
        std::vector<trace::Event> events;
        std::vector<std::uint64_t> live;
        std::uint64_t next = 0x1000;
        for (int i = 0; i < 4000; ++i) {
            const auto thread = static_cast<unsigned>(1 + random.below(3));
            const auto stack = random.one_in(2) ? kHere : kThere;
            if (live.empty() || random.one_in(2)) {
                events.push_back(allocation(thread, next, random.size_up_to(200'000), stack));
                live.push_back(next);
                next += 0x1000;
            } else {
                const std::size_t which = random.below(live.size());
                if (random.one_in(4)) {
                    events.push_back(resize_from(thread, live[which]));
                    events.push_back(resize_to(thread, live[which], next, 1 + random.size_up_to(300'000), stack));
                    live[which] = next;
                    next += 0x1000;
                } else {
                    events.push_back(release(thread, live[which]));
                    live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
                }
            }
        }
        Placement placement = at_here(kind);
        placement.pool_block_bytes = 100;
        const Planned planned = plan_of(events, placement);
        const SlotBytes left = play_plan(planned.plan, random);
        CHECK(left.size() <= live.size());
        CHECK((planned.counts.placed > 0 || kind == PlacementKind::trim));
    }
}

}  // namespace heapwright::test
