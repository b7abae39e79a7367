// Minor collections that keep everything unseen, and the places in old objects that the others look at again.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>
#include <heapwright/own/gc/weak.hpp>

#include <tests/own/gc/rows.hpp>
#include <tests/support/random.hpp>

namespace gc = heapwright::gc;
using heapwright::test::Node;
using heapwright::test::Random;
using heapwright::test::Row;

namespace {

/// Of any number of references, and followed as a whole: many places of it are noted at once. Counts how often it is followed.
struct Wide {
    static constexpr std::size_t kMembers = 200;
    std::array<gc::Ptr<Node>, kMembers> members;
    void trace(gc::Tracer& tracer) const {
        ++times_followed;
        tracer(members);
    }
    static inline std::size_t times_followed = 0;
};

/// Its constructor lives through collections, and stores without a barrier.
struct Slow {
    gc::Ptr<Node> first;
    gc::Ptr<Node> second;
    explicit Slow(gc::Heap& heap) : first(gc::make<Node>(heap, 1U)), second(grow(heap)) {}
    static gc::Ptr<Node> grow(gc::Heap& heap) {
        heap.collect_minor();
        heap.collect_minor();
        return gc::make<Node>(heap, 2U);
    }
    void trace(gc::Tracer& tracer) const { tracer(first, second); }
};

struct Chain {
    explicit Chain(gc::Heap& heap) : items(heap) {}
    std::list<gc::Ptr<Node>, gc::TracedAllocator<gc::Ptr<Node>>> items;
    void trace(gc::Tracer& tracer) const { tracer(items); }
};

struct Ending {
    static constexpr bool gc_leaf = true;
    explicit Ending(int* its_ends) : ends(its_ends) {}
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    ~Ending() { ++*ends; }
    int* ends;
};

gc::GcConfig quiet() {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    config.nursery_bytes = config.nursery_most_bytes = gc::GcConfig::kUnlimited;  // only on request
    config.verify_always = true;
    config.markers = 1;
    return config;
}

/// Every minor collection is late at once: its time is a nanosecond.
gc::GcConfig hurried() {
    gc::GcConfig config = quiet();
    config.nursery_bytes = config.nursery_most_bytes = 40'000;
    config.threshold_bytes = std::size_t{1} << 30;
    config.pause_budget_ns = 1;
    return config;
}

}  // namespace

TEST_CASE("only the places that were written to are followed again, and an object that is followed as a whole only once") {
    gc::Heap heap{quiet()};
    gc::Root<Wide> wide{heap, gc::make<Wide>(heap)};
    heap.collect_minor();
    for (std::size_t member = 0; member < Wide::kMembers; ++member) {
        wide->members[member] = gc::make<Node>(heap, member);
    }
    Wide::times_followed = 0;
    heap.collect_minor();
    const std::size_t with_notes = Wide::times_followed;
    Wide::times_followed = 0;
    heap.collect_minor();
    // The checks after each pause follow it too, as often with notes as without.
    CHECK(with_notes == Wide::times_followed + 1);
    for (std::size_t member = 0; member < Wide::kMembers; ++member) {
        REQUIRE(wide->members[member]->number == member);
    }
}

TEST_CASE("a place beside one that was noted is followed with it, and neighbours keep their notes") {
    gc::Heap heap{quiet()};
    gc::Root<Row> row{heap, gc::make_array<gc::Ptr<Node>>(heap, 1000)};
    // Small objects whose headers fall into the same 16 bytes as the ends of others.
    gc::Root<Row> small{heap, gc::make_array<gc::Ptr<Node>>(heap, 300)};
    for (std::size_t place = 0; place < 300; ++place) {
        (*small)[place] = gc::make<Node>(heap, place);
    }
    heap.collect_minor();
    Random random(5);
    for (std::uint64_t round = 0; round < 200; ++round) {
        for (int write = 0; write < 20; ++write) {
            const std::uint64_t number = round * 1000 + random.below(1000);
            (*row)[number % 1000] = gc::make<Node>(heap, number);
            (*small)[number % 300]->next = gc::make<Node>(heap, number);
        }
        heap.collect_minor();
        std::size_t wrong = 0;
        for (std::size_t place = 0; place < 1000; ++place) {
            wrong += (*row)[place] != nullptr && (*row)[place]->number % 1000 != place ? 1U : 0U;
        }
        for (std::size_t place = 0; place < 300; ++place) {
            const gc::Ptr<Node> next = (*small)[place]->next;
            wrong += next != nullptr && next->number % 300 != place ? 1U : 0U;
        }
        REQUIRE(wrong == 0);
    }
}

TEST_CASE("an object whose constructor lived through collections keeps what it stored since") {
    gc::Heap heap{quiet()};
    gc::Root<Slow> slow{heap, gc::make<Slow>(heap, heap)};
    heap.collect_minor();
    heap.collect_minor();
    CHECK(slow->first->number == 1);
    CHECK(slow->second->number == 2);
}

TEST_CASE("a minor collection whose time is over keeps everything, and a full one frees it") {
    gc::Heap heap{hurried()};
    gc::Root<Node> list{heap};
    const gc::WeakRoot<Node> weak{heap, gc::make<Node>(heap, 7U)};
    for (std::uint64_t number = 0; number < 20'000; ++number) {
        const auto node = gc::make<Node>(heap, number, list.ptr());
        list = number % 2 == 0 ? node : list.ptr();
    }
    CHECK(heap.stats().promotions > 5);
    CHECK(heap.stats().promotions <= heap.stats().minor_collections);
    CHECK(weak.lock() != nullptr);  // kept unseen
    CHECK(heap.broken_invariant() == nullptr);
    heap.collect();
    CHECK(weak.lock() == nullptr);
    std::uint64_t expected = 20'000;
    std::size_t wrong = 0;
    for (const Node* node = list.get(); node != nullptr; node = node->next.get()) {
        expected -= 2;
        wrong += node->number == expected ? 0U : 1U;
    }
    CHECK(wrong == 0);
    CHECK(expected == 0);
    list = nullptr;
    heap.collect_and_shrink();
    CHECK(heap.stats().used_bytes < 4000);
}

TEST_CASE("objects that end are not ended by a minor collection that keeps everything") {
    int ends = 0;
    {
        gc::Heap heap{hurried()};
        for (int count = 0; count < 20'000; ++count) {
            gc::make<Ending>(heap, &ends);
        }
        CHECK(heap.stats().promotions > 5);
        const int ends_before = ends;
        heap.collect();
        CHECK(ends > ends_before);
    }
    CHECK(ends == 20'000);
}

TEST_CASE("what many buffers hold is found, also where their owner is followed before their lines are known to live") {
    gc::GcConfig config = quiet();
    config.nursery_bytes = config.nursery_most_bytes = 60'000;
    config.threshold_bytes = 100'000;
    config.step_bytes = 2'000;
    config.pause_budget_ns = 1;  // a step keeps a thousand buffers
    gc::Heap heap{config};
    gc::Root<Chain> chain{heap, gc::make<Chain>(heap, heap)};
    constexpr std::uint64_t kLength = 3'000;
    for (std::uint64_t number = 0; number < 20'000; ++number) {
        const gc::Root<Node> node{heap, gc::make<Node>(heap, number)};
        chain->items.push_front(node);
        if (number >= kLength) {
            chain->items.pop_back();
        }
        auto second = std::next(chain->items.begin(), static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(number, 20)));
        *second = gc::make<Node>(heap, (*second)->number);
    }
    CHECK(heap.stats().full_collections > 1);
    std::uint64_t expected = 20'000;
    std::size_t wrong = 0;
    for (const gc::Ptr<Node>& node : chain->items) {
        wrong += node->number == --expected ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

/// Two rows of containers that are marked in steps; `hand_over` lets one container have what the other one held.
template <class Holder, class Hand>
void hand_over_while_marking(Hand hand_over) {
    gc::GcConfig config = quiet();
    config.nursery_bytes = config.nursery_most_bytes = 50'000;
    config.threshold_bytes = 300'000;
    config.step_bytes = 3'000;
    config.pause_budget_ns = 1;
    config.verify_always = false;
    gc::Heap heap{config};
    constexpr std::size_t kHolders = 2'000;
    gc::Root<gc::Array<gc::Ptr<Holder>>> holders{heap, gc::make_array<gc::Ptr<Holder>>(heap, kHolders)};
    for (std::uint64_t number = 0; number < kHolders; ++number) {
        (*holders)[number] = gc::make<Holder>(heap, heap);
        for (std::uint64_t item = 0; item < 4; ++item) {
            const gc::Root<Node> node{heap, gc::make<Node>(heap, number * 4 + item)};
            (*holders)[number]->items.push_back(node);
        }
    }
    for (std::uint64_t number = 0; number < 120'000; ++number) {
        const std::size_t one = number * 7919 % kHolders;
        const std::size_t other = (number * 104'729 + 1) % kHolders;
        if (one != other) {
            hand_over((*holders)[one]->items, (*holders)[other]->items);
        }
        static_cast<void>(gc::make<Node>(heap, number));
    }
    CHECK(heap.stats().full_collections > 2);
    CHECK(heap.broken_invariant() == nullptr);
    std::vector<bool> found(kHolders * 4);
    for (std::size_t number = 0; number < kHolders; ++number) {
        for (const gc::Ptr<Node>& node : (*holders)[number]->items) {
            REQUIRE(node->number < found.size());
            CHECK(!found[node->number]);
            found[node->number] = true;
        }
    }
    CHECK(std::ranges::count(found, true) == std::ssize(found));
}

struct Shelf {
    explicit Shelf(gc::Heap& heap) : items(heap) {}
    std::vector<gc::Ptr<Node>, gc::TracedAllocator<gc::Ptr<Node>>> items;
    void trace(gc::Tracer& tracer) const { tracer(items); }
};

TEST_CASE("a container that has another one's elements by a swap, a move or a splice keeps them, while everything is marked in steps") {
    hand_over_while_marking<Shelf>([](auto& one, auto& other) { std::swap(one, other); });
    hand_over_while_marking<Shelf>([](auto& one, auto& other) {
        auto between = std::move(one);
        one = std::move(other);
        other = std::move(between);
    });
    hand_over_while_marking<Chain>([](auto& one, auto& other) { one.splice(one.begin(), other); });
}

TEST_CASE("what is made while everything is marked is kept unseen in time") {
    gc::GcConfig config = quiet();
    config.nursery_bytes = config.nursery_most_bytes = 20'000;
    config.threshold_bytes = 200'000;
    config.step_bytes = 4'000;
    config.pause_budget_ns = 1;  // a step follows a few hundred objects
    config.verify_always = false;
    gc::Heap heap{config};
    gc::Root<Row> row{heap, gc::make_array<gc::Ptr<Node>>(heap, 5'000)};
    for (std::uint64_t number = 0; number < 50'000; ++number) {
        (*row)[number % 5'000] = gc::make<Node>(heap, number, gc::make<Node>(heap, number + 1));
    }
    CHECK(heap.stats().full_collections > 0);
    CHECK(heap.stats().promotions > 0);
    CHECK(heap.broken_invariant() == nullptr);
    std::size_t wrong = 0;
    for (std::size_t place = 0; place < 5'000; ++place) {
        const Node* const node = (*row)[place].get();
        wrong += node->number == 45'000 + place && node->next->number == node->number + 1 ? 0U : 1U;
    }
    CHECK(wrong == 0);
}
