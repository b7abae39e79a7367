// Usable sizes, stacks, activations, histograms, moments and rows, each alone.
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/activations.hpp>
#include <heapwright/study/analysis/histogram.hpp>
#include <heapwright/study/analysis/live_totals.hpp>
#include <heapwright/study/analysis/moments.hpp>
#include <heapwright/study/analysis/sites.hpp>
#include <heapwright/study/analysis/sizes.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/stack_tree.hpp>
#include <heapwright/study/analysis/threads.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::test {
namespace {

using namespace study;

trace::StackNode node(std::uint32_t parent, std::uint64_t pc) { return {.parent = static_cast<trace::StackId>(parent), .pc = pc}; }

BlockRecord record_at(std::uint64_t address, std::uint64_t size, std::uint64_t entered) {
    BlockRecord record;
    record.address = address;
    record.size = size & kLargestSize;
    record.entered = entered;
    record.thread = 1;
    return record;
}

}  // namespace

TEST_CASE("usable sizes are the pairs', their classes', or rounded") {
    UsableSizes usable;
    CHECK(usable.usable(100) == 100);  // nothing is known
    const std::vector<trace::UsableSize> pairs{{24, 24},          {30, 40},     {30, 56},     {100, 90},
                                               {1000, 1'000'000}, {2896, 2920}, {2900, 2904}, {200'000, 204'784}};
    usable.add(pairs);
    usable.finish();
    CHECK(usable.is_known());
    CHECK(usable.usable(24) == 24);
    CHECK(usable.usable(30) == 40);      // the smallest that was seen
    CHECK(usable.usable(38) == 40);      // fits into 30's class
    CHECK(usable.usable(41) == 48);      // does not: rounded to 8
    CHECK(usable.usable(10) == 16);      // below all
    CHECK(usable.usable(100) == 104);    // a pair that is too small is no pair
    CHECK(usable.usable(1000) == 1000);  // nor one that is absurdly large
    CHECK(usable.usable(2896) == 2904);  // had a remainder too small to use when it was seen
    CHECK(usable.usable(200'001) == 204'784);
    CHECK(usable.usable(300'001) == 300'008);
    for (std::uint64_t size = 0; size < 40'000; ++size) {
        REQUIRE(usable.usable(size) >= size);
    }
}

TEST_CASE("a stack tree knows depths, files and callers") {
    StackTree tree;
    tree.add_nodes(std::vector{node(0, 0x900)});
    tree.add_modules({{.path = "/lib/libstdc++.so.6", .build_id = {}, .begin = 0x5000, .end = 0x6000, .bias = 0},
                      {.path = "/bin/app", .build_id = {}, .begin = 0x1000, .end = 0x2000, .bias = 0}});
    tree.add_nodes(std::vector{node(0, 0x1100), node(2, 0x1200), node(3, 0x5100), node(0, 0x2000), node(4, 0x2001)});
    CHECK(tree.size() == 7);
    CHECK(tree.checked(static_cast<trace::StackId>(6)) == 6);
    CHECK(tree.checked(static_cast<trace::StackId>(7)) == 0);
    CHECK(tree[4].depth == 3);
    CHECK(tree.module_of(tree[1]) == nullptr);  // before any list of modules
    CHECK(tree.module_of(tree[3])->path == "/bin/app");
    CHECK(tree.module_of(tree[5])->path == "/bin/app");  // the call was the last instruction
    CHECK(tree.module_of(tree[6]) == nullptr);
    CHECK(tree.module_of(tree[0]) == nullptr);
    CHECK(tree.caller_frame(4) == 3);  // past libstdc++
    CHECK(tree.caller_frame(3) == 3);
    CHECK(tree.caller_frame(0) == 0);
    CHECK(is_runtime_library("/usr/lib/x86_64-linux-gnu/libc.so.6"));
    CHECK(is_runtime_library("ld-linux-x86-64.so.2"));
    CHECK_FALSE(is_runtime_library("/usr/lib/libcurl.so.4"));
    CHECK_FALSE(is_runtime_library("/usr/lib/libc.so.6/app"));
}

TEST_CASE("a frame has stayed as long as all allocations were made below it") {
    StackTree tree;
    tree.add_nodes(std::vector{node(0, 1), node(1, 2), node(2, 3), node(1, 4)});  // 1 > 2 > 3, 1 > 4
    Activations frames;
    frames.allocate(tree, 3, 10);
    CHECK(frames.has_stayed(2, 2, 10));
    frames.allocate(tree, 2, 20);  // from frame 2 itself
    CHECK(frames.has_stayed(2, 2, 10));
    CHECK_FALSE(frames.has_stayed(3, 3, 10));
    frames.allocate(tree, 4, 30);
    CHECK(frames.has_stayed(1, 1, 10));
    CHECK_FALSE(frames.has_stayed(2, 2, 10));
    frames.allocate(tree, 3, 40);  // frame 2 again, but a new activation of it
    CHECK_FALSE(frames.has_stayed(2, 2, 10));
    CHECK(frames.has_stayed(2, 2, 40));
    frames.allocate(tree, 0, 50);  // from who knows where
    CHECK_FALSE(frames.has_stayed(1, 1, 10));
}

TEST_CASE("buckets are powers of two with open ends") {
    CHECK(log2_bucket(0, 48) == 0);
    CHECK(log2_bucket(1, 48) == 0);
    CHECK(log2_bucket(2, 48) == 1);
    CHECK(log2_bucket(1023, 48) == 9);
    CHECK(log2_bucket(1024, 48) == 10);
    CHECK(log2_bucket(~0ULL, 48) == 47);
    std::array<std::uint32_t, 2> cells{};
    count_in(cells, 1, UINT32_MAX - 1);
    count_in(cells, 1, 5);
    CHECK(cells[1] == UINT32_MAX);
}

TEST_CASE("the peak is the first highest moment, and knows who was there") {
    Peak peak;
    CHECK_FALSE(peak.consider({}, 1, 1));
    const BlockRecord early = record_at(0x10, 8, 5);
    const BlockRecord late = record_at(0x20, 8, 7);
    CHECK(peak.consider({.blocks = 1, .requested = 100, .usable = 100}, 5, 50));
    CHECK_FALSE(peak.consider({.blocks = 2, .requested = 100, .usable = 300}, 7, 70));
    CHECK(peak.was_there(early));
    CHECK_FALSE(peak.was_there(late));
    peak.left(early);
    peak.left(late);
    CHECK(peak.tick() == 50);
    CHECK(peak.take_freed().blocks().size() == 1);
}

TEST_CASE("moments split any range of ticks") {
    const PageTable pages;
    const Scale scale;
    const TickClock clock;
    CHECK(MomentLog(5, 5, false).finish({}, pages, scale, clock, {}).empty());
    CHECK(MomentLog(5, 5, true).finish({}, pages, scale, clock, {}).size() == 1);
    CHECK(MomentLog(5, 9, true).finish({}, pages, scale, clock, {}).size() == 5);
    CHECK(MomentLog(0, ~0ULL, true).finish({}, pages, scale, clock, {}).size() == kTimelinePoints);
    MomentLog log(100, 199, true);
    CHECK(log.next_tick() == 101);
    log.allocated(1);
    log.consider({.blocks = 1, .requested = 10, .usable = 16}, pages);
    log.advance(150, {.blocks = 1, .requested = 10, .usable = 16}, pages);
    log.released(1);
    const auto moments = log.finish({}, pages, scale, clock, {});
    REQUIRE(moments.size() == 100);
    CHECK(moments[0].allocations == 1);
    CHECK(moments[49].live_requested == 10);
    CHECK(moments[50].live_requested == 10);  // began with it
    CHECK(moments[50].frees == 1);
    CHECK(moments[51].live_requested == 0);
}

TEST_CASE("large sizes have rows of their own until there are too many") {
    const Scale scale;
    UsableSizes usable;
    SizeTable sizes(scale, usable);
    for (std::uint64_t i = 0; i < 70'000; ++i) {
        sizes.allocated(100'000 + i * 3);
    }
    sizes.allocated(24);
    sizes.allocated(24);
    Snapshot live;
    live.add(LiveBlock(record_at(0x10, 100'000, 1)));
    live.add(LiveBlock(record_at(0x20, 100'000 + 69'999 * 3, 1)));
    live.sort();
    const auto rows = sizes.finish(live, Snapshot());
    CHECK(rows.size() < 65'536 + 40);
    CHECK(rows[0].allocations > rows[1].allocations);
    std::uint64_t allocations = 0;
    std::uint64_t live_blocks = 0;
    for (const SizeRow& row : rows) {
        allocations += row.allocations;
        live_blocks += row.live_at_peak.blocks;
    }
    CHECK(allocations == 70'002);
    CHECK(live_blocks == 2);
}

TEST_CASE("sites keep their extremes beyond 4 GiB") {
    StackTree tree;
    const Scale scale;
    SiteTable sites(tree, scale);
    const std::uint32_t site = sites.site_of(0);
    CHECK(sites.site_of(0) == site);
    BlockRecord block = record_at(0x10, 1ULL << 33, 1);
    block.site = site;
    sites.allocated(block, 1ULL << 33, 12, 1);
    block.size = 77;
    sites.allocated(block, 80, 0, 2);
    sites.left(block, true);
    sites.touched(block, 5);
    const auto made = sites.finish([](std::uint64_t stamp) { return stamp; });
    REQUIRE(made.size() == 1);
    CHECK(made[0].min_size == 77);
    CHECK(made[0].max_size == 1ULL << 33);
    CHECK(made[0].over_aligned == 1);
    CHECK(made[0].drains == 0);
    CHECK(made[0].first_ns == 1);
    CHECK(made[0].last_ns == 2);
    CHECK(made[0].threads == 1);
}

TEST_CASE("threads come out by number, with their names") {
    ThreadTable threads;
    const Scale scale;
    threads.state_of(static_cast<trace::ThreadIndex>(70'000)).row.allocations = 3;
    threads.state_of(static_cast<trace::ThreadIndex>(2)).row.frees = 1;
    CHECK(&threads.state_of(static_cast<trace::ThreadIndex>(2)) == &threads.state_of(static_cast<trace::ThreadIndex>(2)));
    threads.describe(std::vector{trace::ThreadInfo{
        .index = static_cast<trace::ThreadIndex>(2), .tid = 9, .name = "two", .first_tick = 0, .last_tick = 0, .finished = false}});
    const auto rows = threads.finish(scale);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].name == "two");
    CHECK(rows[1].allocations == 3);
}

}  // namespace heapwright::test
