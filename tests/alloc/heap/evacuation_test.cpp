// Programs that move their own blocks: what they are told to move, and what is left when they have.
#include <heapwright/alloc/heap/evacuation.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/heap.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

/// A store that knows all its blocks: each begins with its number and is filled with a letter made of it.
class Store {
public:
    explicit Store(Heap& heap) : heap_(heap) {}
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    ~Store() {
        for (const Entry& entry : entries_) {
            heap_.release(entry.block);
        }
    }

    void add(std::size_t bytes) {
        auto* const block = static_cast<unsigned char*>(heap_.allocate(bytes));
        REQUIRE(block != nullptr);
        const auto letter = static_cast<unsigned char>(++made_ * 37);
        std::memset(block, letter, bytes);
        entries_.push_back({.block = block, .bytes = bytes, .letter = letter});
    }
    void drop(std::size_t at) {
        heap_.release(entries_[at].block);
        entries_[at] = entries_.back();
        entries_.pop_back();
    }
    template <class Choice>
    void drop_where(Choice choose) {
        std::size_t number = 0;
        std::erase_if(entries_, [&](const Entry& entry) {
            const bool is_chosen = choose(number++);
            heap_.release(is_chosen ? entry.block : nullptr);
            return is_chosen;
        });
    }
    /// Moves what should move of the entries from `first` on, at most `most`. Returns how many it moved.
    std::size_t move(std::size_t first, std::size_t most) {
        std::size_t moved = 0;
        for (std::size_t at = first; at < std::min(entries_.size(), first + most); ++at) {
            Entry& entry = entries_[at];
            if (Evacuation::should_move(entry.block)) {
                auto* const copy = static_cast<unsigned char*>(heap_.allocate(entry.bytes));
                REQUIRE(copy != nullptr);
                REQUIRE_FALSE(Evacuation::should_move(copy));
                std::memcpy(copy, entry.block, entry.bytes);
                heap_.release(entry.block);
                entry.block = copy;
                ++moved;
            }
        }
        return moved;
    }
    std::size_t move_all() { return move(0, entries_.size()); }

    [[nodiscard]] bool is_intact() const {
        return std::ranges::all_of(entries_, [](const Entry& entry) {
            return std::all_of(entry.block, entry.block + entry.bytes, [&](unsigned char byte) { return byte == entry.letter; });
        });
    }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::size_t live_bytes() const {
        std::size_t sum = 0;
        for (const Entry& entry : entries_) {
            sum += entry.bytes;
        }
        return sum;
    }
    [[nodiscard]] std::vector<const void*> blocks() const {
        std::vector<const void*> all;
        for (const Entry& entry : entries_) {
            all.push_back(entry.block);
        }
        return all;
    }

private:
    struct Entry {
        unsigned char* block;
        std::size_t bytes;
        unsigned char letter;
    };
    Heap& heap_;
    std::vector<Entry> entries_;
    unsigned made_ = 0;
};

constexpr std::size_t kSpan = std::size_t{64} << 10;

TEST_CASE("one block of sixteen is left: a store that moves what it is told to has the spans that its blocks fill") {
    Heap heap;
    Store store(heap);
    for (int i = 0; i < 160'000; ++i) {
        store.add(64);
    }
    store.drop_where([](std::size_t number) { return number % 16 != 0; });
    const std::size_t before = heap.span_bytes();
    REQUIRE(before >= 150 * kSpan);
    std::size_t moved = 0;
    {
        const Evacuation evacuation(heap);
        CHECK(evacuation.figures().blocks >= 9'000);
        CHECK(evacuation.figures().bytes == evacuation.figures().blocks * 64);
        CHECK(evacuation.figures().spans >= 140);
        CHECK(evacuation.figures().recoverable <= evacuation.figures().spans * kSpan);
        moved = store.move_all();
        CHECK(moved == evacuation.figures().blocks);
        CHECK(store.move_all() == 0);
    }
    CHECK(heap.span_bytes() <= store.live_bytes() + 2 * kSpan);  // ten spans, of one hundred and fifty
    CHECK(store.is_intact());
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("survivors at random, of many sizes, come together as well, and the fullest spans stay where they are") {
    Heap heap;
    Store store(heap);
    Random random(7);
    for (int i = 0; i < 60'000; ++i) {
        store.add(16 + random.below(500));
    }
    // Of the last third more are left: their spans are the fuller ones.
    store.drop_where([&](std::size_t number) { return random.below(100) < (number < 40'000 ? 90U : 40U); });
    const std::size_t survivors = store.size();
    std::size_t moved = 0;
    {
        const Evacuation evacuation(heap);
        moved = store.move_all();
    }
    CHECK(moved > survivors / 8);
    CHECK(moved < survivors * 2 / 3);
    // Sizes are rounded to classes by at most an eighth, and each class has a span that is not full.
    CHECK(heap.span_bytes() <= store.live_bytes() + store.live_bytes() / 8 + 40 * kSpan);
    CHECK(store.is_intact());
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("malloc takes nothing from the spans that are to empty, and everything again afterwards") {
    Heap heap;
    Store store(heap);
    for (int i = 0; i < 40'000; ++i) {
        store.add(128);
    }
    store.drop_where([](std::size_t number) { return number % 8 != 0; });
    const std::size_t before = heap.span_bytes();
    {
        const Evacuation evacuation(heap);
        const std::size_t room = (before - evacuation.figures().spans * kSpan) / 128;
        for (std::size_t i = 0; i < room; ++i) {
            store.add(128);
        }
        const std::vector<const void*> blocks = store.blocks();
        const auto answers = std::make_unique<bool[]>(blocks.size());
        CHECK(Evacuation::should_move(blocks, {answers.get(), blocks.size()}) == evacuation.figures().blocks);
    }
    for (int i = 0; i < 20'000; ++i) {
        store.add(128);
    }
    CHECK(heap.span_bytes() <= before + 20 * kSpan);
    CHECK(store.is_intact());
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a full heap, an empty one, and addresses of others: nothing should move") {
    Heap heap;
    {
        const Evacuation nothing(heap);
        CHECK(nothing.figures().spans == 0);
    }
    Store store(heap);
    for (int i = 0; i < 20'000; ++i) {
        store.add(48);
    }
    const Evacuation evacuation(heap);
    CHECK(evacuation.figures().spans == 0);
    CHECK(store.move_all() == 0);
    int here = 0;
    CHECK_FALSE(Evacuation::should_move(&here));
    CHECK_FALSE(Evacuation::should_move(nullptr));
    CHECK_FALSE(Evacuation::should_move(reinterpret_cast<const void*>(~std::uintptr_t{0})));
    void* const large = heap.allocate(300'000);
    CHECK_FALSE(Evacuation::should_move(large));
    CHECK_FALSE(Evacuation::should_move(static_cast<char*>(large) + 200'000));
    heap.release(large);
}

TEST_CASE("blocks of another thread are left to it, and those of one that is gone are moved") {
    Heap heap;
    std::vector<void*> theirs;
    std::thread([&] {
        for (int i = 0; i < 40'000; ++i) {
            theirs.push_back(heap.allocate(64));
        }
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            if (i % 20 != 0) {
                heap.release(std::exchange(theirs[i], nullptr));
            }
        }
        std::erase(theirs, nullptr);
        std::thread([&] {
            const Evacuation evacuation(heap);
            CHECK(evacuation.figures().blocks == 0);
            CHECK(std::ranges::none_of(theirs, [](void* block) { return Evacuation::should_move(block); }));
        }).join();
    }).join();
    {
        const Evacuation evacuation(heap);
        CHECK(evacuation.figures().blocks > 1'500);
        for (void*& block : theirs) {
            if (Evacuation::should_move(block)) {
                heap.release(std::exchange(block, heap.allocate(64)));
            }
        }
    }
    CHECK(heap.span_bytes() <= 4 * kSpan);
    for (void* const block : theirs) {
        heap.release(block);
    }
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a thread that ends in the middle of an evacuation leaves spans that others use") {
    Heap heap;
    std::vector<void*> left;
    std::thread([&] {
        std::vector<void*> made;
        for (int i = 0; i < 40'000; ++i) {
            made.push_back(heap.allocate(64));
        }
        for (std::size_t i = 0; i < made.size(); ++i) {
            i % 20 == 0 ? left.push_back(made[i]) : heap.release(made[i]);
        }
        alignas(Evacuation) static std::byte room[sizeof(Evacuation)];
        static_cast<void>(::new (static_cast<void*>(room)) Evacuation(heap));  // never ended
    }).join();
    const std::size_t before = heap.span_bytes();
    std::vector<void*> made;
    for (int i = 0; i < 30'000; ++i) {
        made.push_back(heap.allocate(64));
    }
    CHECK(heap.span_bytes() <= before + kSpan);
    for (std::vector<void*>* const blocks : {&left, &made}) {
        for (void* const block : *blocks) {
            heap.release(block);
        }
    }
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("the process's heap tells what should move as well, and other threads free into spans that are to empty") {
    std::vector<void*> blocks;
    for (int i = 0; i < 80'000; ++i) {
        blocks.push_back(default_heap::allocate(80));
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (i % 10 != 0) {
            default_heap::release(std::exchange(blocks[i], nullptr));
        }
    }
    std::erase(blocks, nullptr);
    const EvacuationFigures figures = default_heap::begin_evacuation();
    CHECK(figures.spans >= 80);
    const auto is_due = [](void* block) { return Evacuation::should_move(block); };
    const auto due = static_cast<std::size_t>(std::ranges::count_if(blocks, is_due));
    CHECK(due <= figures.blocks);  // blocks that were made before are in them, too
    CHECK(due >= 6'500);
    // Another thread frees every other one of them while this one moves the rest.
    std::vector<void*> given;
    for (std::size_t i = 0; i < blocks.size(); i += 2) {
        if (is_due(blocks[i])) {
            given.push_back(std::exchange(blocks[i], nullptr));
        }
    }
    std::thread friendly([&] { std::ranges::for_each(given, [](void* block) { default_heap::release(block); }); });
    for (void*& block : blocks) {
        if (block != nullptr && is_due(block)) {
            default_heap::release(std::exchange(block, default_heap::allocate(80)));
        }
    }
    friendly.join();
    CHECK(std::ranges::none_of(blocks, [&](void* block) { return block != nullptr && is_due(block); }));
    default_heap::end_evacuation();
    std::ranges::for_each(blocks, [](void* block) { default_heap::release(block); });
}

TEST_CASE("at random: blocks come, go and move in steps, while evacuations begin and end") {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        CAPTURE(seed);
        Random random(seed);
        Heap heap;
        Store store(heap);
        for (int evacuations = 0; evacuations < 25; ++evacuations) {
            const std::size_t wanted = 200 + random.below(8'000);
            while (store.size() < wanted) {
                store.add(random.below(10) == 0 ? random.below(9'000) : random.below(300));
            }
            const Evacuation evacuation(heap);
            for (std::size_t at = 0; at < store.size(); at += 100) {
                store.move(at, 100);
                for (std::size_t drops = random.below(120); drops > 0 && store.size() != 0; --drops) {
                    store.drop(random.below(static_cast<std::uint32_t>(store.size())));
                }
                for (std::size_t more = random.below(60); more > 0; --more) {
                    store.add(random.below(300));
                }
            }
            REQUIRE(heap.broken_invariant() == nullptr);
        }
        CHECK(store.is_intact());
    }
}

}  // namespace
}  // namespace heapwright::test
