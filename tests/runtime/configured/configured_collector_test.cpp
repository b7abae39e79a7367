// [gc]: what each key does to a collected heap.
#include <cstddef>
#include <cstdint>

#include <doctest/doctest.h>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/runtime/configured/configured_memory.hpp>

namespace heapwright::test {

namespace {

/// A collected object without references.
struct Leaf {
    char bytes[1000];
    void trace(gc::Tracer& /*unused*/) const noexcept {}
};

/// One that a collection may move.
struct Movable {
    static constexpr bool gc_movable = true;
    gc::Ptr<Movable> next;
    std::uint64_t more[7] = {};
    void trace(gc::Tracer& tracer) const { tracer(next); }
};

/// The collections that 3 MB of garbage cause.
std::uint64_t collections_with(const CollectorConfig& config) {
    gc::Heap heap(collector_config(config));
    for (int i = 0; i < 3000; ++i) {
        gc::make<Leaf>(heap);
    }
    return heap.stats().pauses;
}

}  // namespace

TEST_CASE("[gc] enabled and threshold decide when garbage is collected") {
    CollectorConfig config;
    CHECK(collections_with(config) == 0);
    config.enabled = true;
    config.threshold_bytes = std::uint64_t{64} << 20;
    CHECK(collections_with(config) == 0);
    config.threshold_bytes = std::uint64_t{256} << 10;
    CHECK(collections_with(config) > 0);
}

TEST_CASE("[gc] after the interval a duty of the monitor has the heap collect") {
    CollectorConfig config;
    config.enabled = true;
    config.interval_ns = 1;
    config.threshold_bytes = std::uint64_t{64} << 20;
    gc::Heap heap(collector_config(config));
    Monitor monitor;
    REQUIRE(monitor.add_duty(duty_of(heap)));
    gc::make<Leaf>(heap);
    CHECK(heap.stats().pauses == 0);
    monitor.look_now({});
    heap.safepoint();
    CHECK(heap.stats().pauses > 0);
    const std::uint64_t before = heap.stats().pauses;
    static_cast<void>(duty_of(heap).compact(&heap));
    heap.safepoint();
    CHECK(heap.stats().pauses > before);
    monitor.remove_duty(&heap);
}

TEST_CASE("[gc] enable_compaction lets full collections move objects out of sparse blocks") {
    for (const bool compacts : {false, true}) {
        CollectorConfig config;
        config.enable_compaction = compacts;
        gc::Heap heap(collector_config(config));
        gc::Root<Movable> list(heap);
        for (int i = 0; i < 40'000; ++i) {
            const auto made = gc::make<Movable>(heap);
            if (i % 16 == 0) {
                made->next = list.ptr();
                list = made;
            }
        }
        for (int round = 0; round < 3; ++round) {
            heap.collect();
        }
        CHECK((heap.stats().evacuated_objects > 1000) == compacts);
    }
}

TEST_CASE("[gc] growth, pause and limit reach a collected heap") {
    CollectorConfig config;
    config.enabled = true;
    config.threshold_bytes = std::uint64_t{256} << 10;
    const auto collected_fully = [&](std::uint32_t percent) {
        config.growth = {Share::kWhole / 100 * percent};
        gc::GcConfig made = collector_config(config);
        made.incremental = false;  // so that it does not matter how long a step takes
        made.nursery_bytes = made.nursery_most_bytes = 100'000;
        gc::Heap heap(made);
        gc::Root<Movable> list(heap);
        for (int i = 0; i < 100'000; ++i) {
            const auto next = gc::make<Movable>(heap);
            next->next = list.ptr();
            list = next;
        }
        return heap.stats().full_collections;
    };
    CHECK(collected_fully(10) > collected_fully(100));

    CHECK(collector_config(config).pause_budget_ns == 3'000'000);
    CHECK(collector_config(config).step_bytes == gc::GcConfig{}.step_bytes);
    config.pause_ns = 500'000;
    CHECK(collector_config(config).pause_budget_ns == 500'000);
    CHECK(collector_config(config).step_bytes == gc::GcConfig::short_pauses().step_bytes);

    config.limit_bytes = std::uint64_t{1} << 20;
    gc::Heap heap(collector_config(config));
    const auto refused = gc::try_make_array<std::uint64_t>(heap, std::size_t{1} << 20);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Errc::limit_reached);
}

}  // namespace heapwright::test
