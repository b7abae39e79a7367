#include <heapwright/runtime/configured/configured_memory.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/config/schema.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/handle/block.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright::test {

namespace {

struct Node {
    explicit Node(int given) noexcept : value(given) {}
    int value;
    char rest[60]{};
};

/// A collected object without references.
struct Leaf {
    char bytes[1000];
    void trace(gc::Tracer& /*unused*/) const noexcept {}
};

}  // namespace

TEST_CASE("[allocator] arena_size and largest_chunk are the sizes of an arena's chunks") {
    MemoryConfig config;
    config.allocator.arena_size_bytes = 8192;
    config.allocator.largest_chunk_bytes = 16384;
    ConfiguredMemory memory(config);
    auto arena = memory.make_arena();
    REQUIRE(arena);
    static_cast<void>((*arena)->allocate({.size = 100, .alignment = 8}));
    CHECK((*arena)->stats().owned_bytes == 8192);
    for (int i = 0; i < 100; ++i) {
        static_cast<void>((*arena)->allocate({.size = 1000, .alignment = 8}));
    }
    CHECK((*arena)->stats().owned_bytes / (*arena)->stats().chunks <= 16384);
}

TEST_CASE("[allocator] max_chunks and arena_limit bound an arena") {
    MemoryConfig config;
    config.allocator.max_chunks = 2;
    ConfiguredMemory by_chunks(config);
    auto arena = by_chunks.make_arena();
    REQUIRE(arena);
    while ((*arena)->try_allocate({.size = 4000, .alignment = 8}) != nullptr) {}
    CHECK((*arena)->stats().chunks == 2);
    CHECK((*arena)->why_refused() == Errc::limit_reached);
    config.allocator.max_chunks = 0;
    config.allocator.arena_limit_bytes = 100'000;
    ConfiguredMemory by_bytes(config);
    auto other = by_bytes.make_arena();
    REQUIRE(other);
    while ((*other)->try_allocate({.size = 4000, .alignment = 8}) != nullptr) {}
    CHECK((*other)->stats().owned_bytes <= 100'000);
}

TEST_CASE("[allocator] max_arenas bounds how many there are at one time") {
    MemoryConfig config;
    config.allocator.max_arenas = 2;
    ConfiguredMemory memory(config);
    auto first = memory.make_arena();
    std::optional second(memory.make_arena());
    REQUIRE(first);
    REQUIRE(*second);
    const auto third = memory.make_arena();
    REQUIRE_FALSE(third);
    CHECK(third.error() == Error{.kind = Errc::limit_reached, .number = 2});
    CHECK(memory.broken_invariant() == nullptr);
    second.reset();
    CHECK(memory.make_arena());
    CHECK(memory.live_arenas() == 1);
}

TEST_CASE("an arena that outlives what made it stops the program") {
    const Death death = death_of([] {
        std::optional<ConfiguredMemory> memory(std::in_place, MemoryConfig());
        const auto arena = memory->make_arena();
        memory.reset();
    });
    CHECK(death.died);
}

TEST_CASE("[pools] block_sizes and blocks_per_size are the pools and their limits") {
    PoolsConfig config;
    config.block_sizes = {32, 128};
    config.blocks_per_size = 3;
    ConfiguredPools pools(config);
    std::vector<void*> blocks;
    const Layout layout{.size = 100, .alignment = 8};
    while (auto block = pools.allocate(layout)) {
        blocks.push_back(*block);
    }
    CHECK(blocks.size() == 3);
    CHECK(pools.allocate(layout).error() == Error{.kind = Errc::limit_reached, .number = 3});
    CHECK(pools.stats().all.usable_bytes == 3 * 128);
    for (void* block : blocks) {
        pools.deallocate(block, layout);
    }
    CHECK(pools.stats().all.live_blocks == 0);
}

TEST_CASE("[pools] without enabled, every block is the heap's; with it, larger ones are") {
    const Layout small{.size = 64, .alignment = 8};
    const Layout large{.size = 5000, .alignment = 8};
    for (const bool enabled : {true, false}) {
        PoolsConfig config;
        config.enabled = enabled;
        ConfiguredPools pools(config);
        void* const one = *pools.allocate(small);
        void* const other = *pools.allocate(large);
        CHECK(pools.stats().all.live_blocks == (enabled ? 1 : 0));
        CHECK(pools.heap_statistics().small_blocks >= (enabled ? 1U : 2U));
        pools.deallocate(one, small);
        CHECK(pools.release(other, large));
    }
}

TEST_CASE("[pools] enable_reference_counting makes objects with owners, and only then") {
    PoolsConfig config;
    ConfiguredPools without(config);
    CHECK(without.share<Node>(1).error().kind == Errc::unsupported);
    config.enable_reference_counting = true;
    config.blocks_per_size = 2;
    ConfiguredPools pools(config);
    {
        auto first = pools.share<Node>(1);
        REQUIRE(first);
        const Rc<Node> second = *first;
        CHECK(second->value == 1);
        CHECK(pools.stats().all.live_blocks == 1);
    }
    CHECK(pools.stats().all.live_blocks == 0);
}

TEST_CASE("[fragmentation] decides whether, from when on and how much a heap of movable objects is compacted by the monitor") {
    FragmentationConfig config;
    config.defragmentation_cpu = {.millionths = 700'000};
    config.defragmentation_threshold = {.millionths = 300'000};
    config.defragmentation_step_ns = 50'000;
    for (const bool acts : {false, true}) {
        config.enable_auto_defragmentation = acts;
        const MovableHeapOptions options = movable_heap_options(config);
        CHECK(options.step_ns == 50'000);
        CHECK(options.cpu_millionths == 700'000);
        MovableHeap heap(options);
        std::vector<MovableBlock> blocks(20'000);
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            REQUIRE(blocks[i].emplace(heap, 250));
        }
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            if (i % 8 != 0) {
                blocks[i].reset();
            }
        }
        Monitor monitor;
        REQUIRE(monitor.add_duty(duty_of(heap)));
        for (int look = 0; look < (acts ? 100'000 : 20) && heap.stats().vacant_millionths() > 300'000; ++look) {
            monitor.look_now({});
        }
        CHECK((heap.stats().moved_objects > 0) == acts);
        CHECK((heap.stats().vacant_millionths() <= 300'000) == acts);
        if (!acts) {
            CHECK(duty_of(heap).compact(&heap) > 0);  // above the threshold of malloc's heap, and when it is asked for
            CHECK(heap.stats().vacant_millionths() < 300'000);
        }
        monitor.remove_duty(&heap);
    }
}

TEST_CASE("the monitor's own thread compacts movable objects while the program goes on") {
    MemoryConfig config;
    config.fragmentation.monitor_enabled = true;
    config.fragmentation.enable_auto_defragmentation = true;
    config.fragmentation.analysis_interval_ns = 10'000'000;
    config.fragmentation.defragmentation_cpu = {.millionths = 500'000};
    MovableHeap heap(movable_heap_options(config.fragmentation));
    std::vector<MovableBlock> blocks(20'000);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        REQUIRE(blocks[i].emplace(heap, 100));
        const Borrow borrow(heap);
        std::ranges::fill(blocks[i].in(borrow), static_cast<std::byte>(i));
    }
    Monitor monitor;
    REQUIRE(monitor.add_duty(duty_of(heap)));
    REQUIRE(monitor.start(monitor_options(config)));
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (i % 8 != 0) {
            blocks[i].reset();
        }
    }
    while (heap.stats().vacant_millionths() > 500'000) {  // ends, or the test does by its time limit
        const Borrow borrow(heap);
        for (std::size_t i = 0; i < blocks.size(); i += 800) {
            REQUIRE(blocks[i].in(borrow)[99] == static_cast<std::byte>(i));
        }
    }
    monitor.remove_duty(&heap);
    monitor.stop();
    CHECK(heap.stats().moved_objects > 0);
    CHECK(heap.broken_invariant() == nullptr);
}
TEST_CASE("[heap] the limit reaches the heap behind malloc, and the monitor starts when it is wanted") {
    MemoryConfig config;
    config.heap.limit_bytes = std::uint64_t{64} << 20;
    config.heap.background = false;
    Monitor monitor;
    REQUIRE(apply(config, monitor));
    CHECK_FALSE(monitor.is_running());
    CHECK(default_heap::allocate(std::size_t{100} << 20) == nullptr);
    void* const block = default_heap::allocate(std::size_t{10} << 20);
    CHECK(block != nullptr);
    default_heap::release(block);
    config.heap.limit_bytes = 0;
    config.fragmentation.monitor_enabled = true;
    REQUIRE(apply(config, monitor));
    CHECK(monitor.is_running());
    monitor.stop();
    void* const large = default_heap::allocate(std::size_t{100} << 20);
    CHECK(large != nullptr);
    default_heap::release(large);
}

TEST_CASE("[heap] whether spans hold blocks of any size is set for the heap behind malloc") {
    MemoryConfig config;
    config.heap.mixed_spans = false;
    Monitor monitor;
    REQUIRE(apply(config, monitor));
    CHECK_FALSE(heap::may_mix());
    config.heap.mixed_spans = true;
    REQUIRE(apply(config, monitor));
    CHECK(heap::may_mix());
}

TEST_CASE("each kind of failure that the seeds name is returned by something") {
    // AllocationFailed
    FailingSource source(1);
    ConfiguredMemory memory(MemoryConfig(), source);
    CHECK(memory.make_arena().error().kind == Errc::out_of_memory);
    PoolsConfig config;
    config.blocks_per_size = 1;
    FailingSource none(1);
    ConfiguredPools starved(config, none);
    CHECK(starved.allocate({.size = 16, .alignment = 8}).error() == Error{.kind = Errc::out_of_memory, .number = 16});
    // PoolExhausted
    ConfiguredPools pools(config);
    const Layout layout{.size = 1000, .alignment = 8};
    void* const block = *pools.allocate(layout);
    CHECK(pools.allocate(layout).error().kind == Errc::limit_reached);
    // DeallocationFailed
    int elsewhere = 0;
    CHECK(pools.release(&elsewhere, layout).error().kind == Errc::invalid_argument);
    CHECK(pools.release(block, layout));
    // FragmentationTooHigh
    Monitor monitor;
    MonitorOptions options;
    options.statistics = []() noexcept {
        HeapStatistics figures;
        figures.active_bytes = std::uint64_t{8} << 20;
        return figures;
    };
    options.give_back = []() noexcept -> std::size_t { return 0; };
    CHECK(monitor.fragmentation());
    monitor.look_now(options);
    CHECK(monitor.fragmentation().error() == Error{.kind = Errc::limit_reached, .number = std::uint64_t{8} << 20});
    // GarbageCollectionFailed
    gc::GcConfig tight;
    tight.limit_bytes = std::size_t{4} << 20;
    gc::Heap heap(tight);
    std::vector<gc::Root<Leaf>> kept;
    Errc last{};
    for (int i = 0; i < 100'000; ++i) {
        auto leaf = gc::try_make<Leaf>(heap);
        if (!leaf) {
            last = leaf.error().kind;
            break;
        }
        kept.emplace_back(heap, *leaf);
    }
    CHECK((last == Errc::out_of_memory || last == Errc::limit_reached));
    kept.clear();
}

TEST_CASE("each key has a test of its effect") {
    // A key that is added to the schema has to be added here, with the test that shows what it does.
    const std::set<std::string> here = {"allocator.arena_size",
                                        "allocator.largest_chunk",
                                        "allocator.max_chunks",
                                        "allocator.arena_limit",
                                        "allocator.max_arenas",
                                        "pools.enabled",
                                        "pools.block_sizes",
                                        "pools.blocks_per_size",
                                        "pools.enable_reference_counting",
                                        "gc.enabled",
                                        "gc.threshold",
                                        "gc.interval",
                                        "gc.enable_compaction",
                                        "fragmentation.defragmentation_cpu",
                                        "fragmentation.defragmentation_step",
                                        "gc.growth",
                                        "gc.pause",
                                        "heap.mixed_spans",
                                        "gc.limit"};
    const std::set<std::string> by_running_programs = {
        // tests/system/run_test.py
        "allocator.enable_custom_allocator", "allocator.strategy", "allocator.settings", "heap.limit", "heap.statistics_at_exit",
        "heap.statistics_format", "heap.reserve", "heap.purge_delay", "heap.background", "heap.huge_pages",
        // tests/system/monitor_test.py
        "heap.give_back", "fragmentation.monitor_enabled", "fragmentation.defragmentation_threshold", "fragmentation.analysis_interval",
        "fragmentation.enable_auto_defragmentation", "monitor.metrics_file", "monitor.json_file", "monitor.socket", "monitor.http_port",
        "monitor.program", "monitor.in_children"};
    const std::set<std::string> of_the_heap = {"heap.compaction"};
    for (const config::Section& section : config::sections()) {
        for (const config::Field& field : section.fields) {
            const std::string name = std::string(section.name) + "." + std::string(field.key);
            INFO(name);
            CHECK(here.count(name) + by_running_programs.count(name) + of_the_heap.count(name) == 1);
        }
    }
}

}  // namespace heapwright::test
