// Arrays and containers that are followed in pieces, and objects larger than a chunk.
#include <cstddef>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>

#include <tests/own/gc/rows.hpp>
#include <tests/support/random.hpp>

namespace gc = heapwright::gc;
using heapwright::test::Node;
using heapwright::test::Random;
using heapwright::test::Row;

namespace {

struct Bag {
    explicit Bag(gc::Heap& heap) : items(heap) {}
    std::vector<gc::Ptr<Node>, gc::TracedAllocator<gc::Ptr<Node>>> items;
    void trace(gc::Tracer& tracer) const { tracer(items); }
};

/// Steps that do next to nothing: between two of them everything may change.
gc::GcConfig short_steps() {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    config.nursery_bytes = config.nursery_most_bytes = 30'000;
    config.threshold_bytes = 60'000;
    config.step_bytes = 500;
    config.pause_budget_ns = 1;
    config.markers = 1;
    return config;
}

constexpr bool kSlow = HEAPWRIGHT_UNDER_ASAN != 0 || HEAPWRIGHT_UNDER_TSAN != 0;

}  // namespace

TEST_CASE("a large array is followed in pieces, between which steps end") {
    gc::Heap heap{short_steps()};
    constexpr std::size_t kCount = 400'000;
    gc::Root<Row> row{heap, gc::make_array<gc::Ptr<Node>>(heap, kCount)};
    heap.collect();
    const auto before = heap.stats();
    gc::Root<Node> list{heap};  // grows, so that everything is looked at again
    for (std::uint64_t number = 0; number < 500'000 && heap.stats().full_collections == before.full_collections; ++number) {
        list = gc::make<Node>(heap, number, list.ptr());
    }
    CHECK(heap.stats().full_collections == before.full_collections + 1);
    // 782 pieces of 512 references; a step of one nanosecond follows four, and one that lags behind all of them.
    CHECK(heap.stats().steps - before.steps > 50);
}

TEST_CASE("what hangs on the far end of an object larger than a chunk lives, and what was replaced goes") {
    auto config = short_steps();
    SUBCASE("generations and steps") {}
    SUBCASE("generations, everything in one pause") { config.incremental = false; }
    SUBCASE("two markers") {
        config.incremental = false;
        config.markers = 2;
    }
    gc::Heap heap{config};
    constexpr std::size_t kCount = 1'300'000;  // 10 MB: two chunks behind the first
    gc::Root<Row> row{heap, gc::make_array<gc::Ptr<Node>>(heap, kCount)};
    std::vector<std::uint64_t> numbers(kCount, 0);
    Random random(3);
    heap.collect_minor();
    const std::uint64_t writes = kSlow ? 6'000 : 30'000;
    for (std::uint64_t number = 1; number < writes; ++number) {
        // Near the end, at the beginning, and at the edges between chunks.
        const std::size_t near = random.below(4) * 450'000;
        const std::size_t place = (near + random.below(600)) % kCount;
        (*row)[place] = gc::make<Node>(heap, number, gc::make<Node>(heap, number + 1));
        numbers[place] = number;
    }
    heap.verify();
    for (int round = 0; round < 3; ++round) {
        std::size_t held = 0;
        std::size_t wrong = 0;  // counted, and checked once: millions of checks take minutes under ThreadSanitizer
        for (std::size_t place = 0; place < kCount; ++place) {
            const Node* const node = (*row)[place].get();
            held += node != nullptr ? 1U : 0U;
            const bool is_whole =
                node == nullptr ? numbers[place] == 0 : node->number == numbers[place] && node->next->number == numbers[place] + 1;
            wrong += is_whole ? 0U : 1U;
        }
        REQUIRE(wrong == 0);
        CHECK(held > 1000);
        round % 2 == 0 ? heap.collect() : heap.collect_minor();
    }
    row = nullptr;
    heap.collect_and_shrink();
    CHECK(heap.stats().used_bytes < 100'000);
}

TEST_CASE("a large vector of references changes and moves between the steps that follow it in pieces") {
    gc::Heap heap{short_steps()};
    gc::Root<Bag> bag{heap, gc::make<Bag>(heap, heap)};
    std::vector<std::uint64_t> model;
    Random random(11);
    const int rounds = kSlow ? 6'000 : 40'000;
    for (int round = 0; round < rounds; ++round) {
        const std::uint64_t number = static_cast<std::uint64_t>(round) + 1;
        gc::Root<Node> node{heap, gc::make<Node>(heap, number)};
        auto& items = bag->items;
        const std::size_t choice = model.size() < 3000 ? 0 : random.below(12);
        if (choice < 6) {
            items.push_back(node);
            model.push_back(number);
        } else if (choice < 8) {
            const std::size_t place = random.below(model.size());
            items[place] = node;
            model[place] = number;
        } else if (choice < 10) {
            items.pop_back();
            model.pop_back();
        } else if (choice == 10 && random.one_in(20)) {
            // Another buffer; the old one goes while pieces of it may wait.
            items.shrink_to_fit();
            items.reserve(items.size() * 2);
        } else if (choice == 11 && random.one_in(50)) {
            const auto count = static_cast<std::ptrdiff_t>(random.below(500));
            items.erase(items.begin(), items.begin() + count);
            model.erase(model.begin(), model.begin() + count);
        }
        if (round % 1000 == 999) {
            REQUIRE(items.size() == model.size());
            for (std::size_t place = 0; place < model.size(); ++place) {
                REQUIRE(items[place]->number == model[place]);
            }
            REQUIRE(heap.broken_invariant() == nullptr);
        }
    }
    CHECK(heap.stats().full_collections > 2);
    bag = nullptr;
    heap.collect_and_shrink();
    CHECK(heap.stats().used_bytes < 4000);
}
