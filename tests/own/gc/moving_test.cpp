#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>

namespace gc = heapwright::gc;

namespace {

struct Movable {
    static constexpr bool gc_movable = true;
    gc::Ptr<Movable> next;
    std::uint64_t number = 0;
    std::uint64_t more[6] = {};
    void trace(gc::Tracer& tracer) const { tracer(next); }
};

gc::GcConfig precise() {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    config.verify_always = true;
    return config;
}

}  // namespace

TEST_CASE("a full collection moves what it may out of sparse blocks, and memory comes back") {
    auto config = precise();
    config.compaction = true;
    gc::Heap heap{config};
    gc::Root<Movable> list{heap};
    std::uint64_t kept = 0;
    for (std::uint64_t number = 0; number < 40'000; ++number) {
        const auto made = gc::make<Movable>(heap);
        made->number = number;
        if (number % 16 == 0) {
            made->next = list.ptr();
            list = made;
            ++kept;
        }
    }
    heap.collect();
    const gc::WeakRoot<Movable> weak{heap, list.ptr()};
    const auto before = heap.stats();
    const Movable* const place = list.get();
    heap.collect();
    heap.collect_and_shrink();
    const auto after = heap.stats();
    CHECK(after.evacuated_objects >= kept / 2);
    CHECK(after.used_bytes <= before.used_bytes);
    CHECK(after.committed_bytes < before.committed_bytes / 2);
    CHECK(list.get() != place);
    CHECK(weak.lock() == list.ptr());
    std::uint64_t expected = 40'000;
    for (const Movable* at = list.get(); at != nullptr; at = at->next.get()) {
        expected -= 16;
        REQUIRE(at->number == expected);
    }
    CHECK(expected == 0);
}

TEST_CASE("a pinned object stays where it is and alive while others around it move; unpinned, it may move again") {
    auto config = precise();
    config.compaction = true;
    gc::Heap heap{config};
    gc::Root<Movable> list{heap};
    std::vector<std::unique_ptr<gc::Pin<Movable>>> pins;
    std::vector<const Movable*> places;
    const auto fill = [&] {
        for (std::uint64_t number = 0; number < 10'000; ++number) {
            const auto made = gc::make<Movable>(heap);
            made->number = number;
            if (number % 16 == 0) {
                made->next = list.ptr();
                list = made;
            }
            if (number % 160 == 8) {  // nothing else refers to these
                pins.push_back(std::make_unique<gc::Pin<Movable>>(heap, made));
                places.push_back(made.get());
            }
        }
    };
    fill();
    for (int round = 0; round < 3; ++round) {
        heap.collect();
    }
    CHECK(heap.stats().evacuated_objects > 300);
    for (std::size_t index = 0; index < pins.size(); ++index) {
        REQUIRE(pins[index]->get() == places[index]);
        REQUIRE((*pins[index])->number == 160 * index + 8);
    }
    // Held by roots instead, they move.
    std::vector<gc::Root<Movable>> roots;
    for (const auto& pin : pins) {
        roots.emplace_back(heap, pin->ptr());
    }
    pins.clear();
    list = nullptr;
    for (int round = 0; round < 3; ++round) {
        heap.collect();
    }
    std::size_t moved = 0;
    for (std::size_t index = 0; index < roots.size(); ++index) {
        moved += roots[index].get() != places[index] ? 1U : 0U;
        REQUIRE(roots[index]->number == 160 * index + 8);
    }
    CHECK(moved > roots.size() / 2);
}
