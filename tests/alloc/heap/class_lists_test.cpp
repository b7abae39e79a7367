// What malloc takes short blocks from: which frees go there, and what goes home when malloc does not need it.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/alloc/heap/heap.hpp>

#include <tests/alloc/heap/fork_child.hpp>
#include <tests/support/death.hpp>

namespace heapwright::test {

namespace {

constexpr std::size_t kBytes = 96;
constexpr heap::SizeClass kClass = heap::class_of(kBytes);
constexpr std::size_t kBlocks = 4000;  // in six spans

/// The same numbers each time.
class Numbers {
public:
    std::size_t below(std::size_t bound) {
        state_ = state_ * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::size_t>(state_ >> 33U) % bound;
    }

private:
    std::uint64_t state_ = 7;
};

/// Blocks of one size, of this thread; their spans are dense, and malloc came back to each, so that what is freed in one serves the next malloc.
struct Steady {
    Steady() : blocks(kBlocks) {
        for (void*& block : blocks) {
            block = default_heap::allocate(kBytes);
        }
        for (std::size_t i = 0; i < 10 * kBlocks; ++i) {
            replace(numbers.below(blocks.size()));
        }
    }
    Steady(const Steady&) = delete;
    Steady& operator=(const Steady&) = delete;
    ~Steady() {
        for (void* const block : blocks) {
            default_heap::release(block);
        }
    }
    void replace(std::size_t place) {
        default_heap::release(blocks[place]);
        blocks[place] = default_heap::allocate(kBytes);
    }
    void* release_last() {
        void* const block = blocks.back();
        blocks.pop_back();
        default_heap::release(block);
        return block;
    }
    [[nodiscard]] std::size_t spans() const {
        std::size_t count = 0;
        heap::cache_of_thread()->for_each_span([&](const heap::Span& span) { count += span.size_class == kClass ? 1U : 0U; });
        return count;
    }

    Numbers numbers;
    std::vector<void*> blocks;
};

void in_thread(const std::function<void(Steady&)>& act) {
    std::thread([&] {
        Steady steady;
        act(steady);
    }).join();
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
}

bool is_sound() { return heap::g_default_core.broken_invariant() == nullptr; }

bool frees_go_home(const void* block) {
    heap::Span* const span = heap::find_span(block);
    return span->sink == span->home();
}

std::uint32_t kept() { return heap::cache_of_thread()->kept_blocks(kClass); }

}  // namespace

TEST_CASE("what a thread frees is what its next malloc of the size returns, whatever span it is of") {
    in_thread([](Steady& steady) {
        std::set<const heap::Span*> spans;
        for (int round = 0; round < 2000; ++round) {  // over the ends of many epochs
            void*& block = steady.blocks[steady.numbers.below(kBlocks)];
            void* const freed = block;
            spans.insert(heap::find_span(freed));
            default_heap::release(freed);
            block = default_heap::allocate(kBytes);
            REQUIRE(block == freed);
        }
        CHECK(spans.size() >= 4);
        CHECK(is_sound());
    });
}

TEST_CASE("of several frees in a row, the newest serves first") {
    in_thread([](Steady& steady) {
        for (int round = 0; round < 300; ++round) {
            std::vector<void*> freed;
            for (int i = 0; i < 5; ++i) {
                freed.push_back(steady.release_last());
            }
            // An epoch may end between them: what was freed before waits behind what is freed after.
            std::vector<void*> taken(freed.size());
            for (void*& block : taken) {
                block = default_heap::allocate(kBytes);
            }
            REQUIRE(taken.front() == freed.back());
            steady.blocks.insert(steady.blocks.begin(), taken.begin(), taken.end());
        }
        CHECK(is_sound());
    });
}

TEST_CASE("what malloc does not need goes home as epochs end, so that spans empty and are given back") {
    in_thread([](Steady& steady) {
        CHECK(steady.spans() >= 6);
        std::sort(steady.blocks.begin(), steady.blocks.end());
        while (steady.blocks.size() > 100) {  // three freed for each that is made: never many in a row
            static_cast<void>(steady.release_last());
            static_cast<void>(steady.release_last());
            static_cast<void>(steady.release_last());
            steady.blocks.insert(steady.blocks.begin(), default_heap::allocate(kBytes));
        }
        CHECK(kept() < 1000);
        CHECK(steady.spans() <= 4);
        CHECK(is_sound());
    });
}

TEST_CASE("where many are freed in a row, what follows of their spans goes home by itself") {
    in_thread([](Steady& steady) {
        const auto of_home = [&] { return std::count_if(steady.blocks.begin(), steady.blocks.end(), frees_go_home); };
        CHECK(of_home() < static_cast<std::ptrdiff_t>(kBlocks / 2));
        for (std::size_t i = 0; i < 3000; ++i) {
            std::swap(steady.blocks[steady.numbers.below(steady.blocks.size())], steady.blocks.back());
            static_cast<void>(steady.release_last());
        }
        CHECK(of_home() > static_cast<std::ptrdiff_t>(steady.blocks.size() / 2));
        CHECK(kept() < 800);
        CHECK(is_sound());
        for (std::size_t i = 0; i < 40 * kBlocks; ++i) {  // one by one again
            steady.replace(steady.numbers.below(steady.blocks.size()));
        }
        std::size_t found = 0;
        for (int round = 0; round < 1000; ++round) {
            void*& block = steady.blocks[steady.numbers.below(steady.blocks.size())];
            void* const freed = block;
            default_heap::release(freed);
            block = default_heap::allocate(kBytes);
            found += block == freed ? 1U : 0U;
        }
        CHECK(found > 300);
        CHECK(is_sound());
    });
}

TEST_CASE("what lies in a list counts as free in statistics, exactly") {
    in_thread([](Steady& steady) {
        const HeapStatistics before = default_heap::statistics();
        for (std::size_t freed = 1; freed <= 700; ++freed) {
            static_cast<void>(steady.release_last());
            if (freed % 20 == 0) {
                const HeapStatistics now = default_heap::statistics();
                REQUIRE(now.small_blocks == before.small_blocks - freed);
                REQUIRE(now.allocated_bytes == before.allocated_bytes - freed * kBytes);
            }
        }
    });
}

TEST_CASE("a trim, and the end of a thread, send home what lies in lists") {
    const HeapStatistics before = default_heap::statistics();
    in_thread([&](Steady& steady) {
        for (int i = 0; i < 12; ++i) {
            static_cast<void>(steady.release_last());
        }
        CHECK(kept() >= 12);
        static_cast<void>(default_heap::trim());
        CHECK(kept() == 0);
        CHECK(is_sound());
        CHECK(default_heap::statistics().small_blocks == before.small_blocks + steady.blocks.size());
        CHECK(std::all_of(steady.blocks.begin(), steady.blocks.end(), frees_go_home));
        for (std::size_t i = 0; i < 4 * kBlocks; ++i) {
            steady.replace(steady.numbers.below(steady.blocks.size()));
        }
        static_cast<void>(steady.release_last());
        CHECK(kept() != 0);
    });
    CHECK(default_heap::statistics().small_blocks == before.small_blocks);
    static_cast<void>(default_heap::trim());
    CHECK(default_heap::statistics().spans <= before.spans);
}

TEST_CASE("a child of fork uses what lies in lists once, and none of what lives") {
    Steady steady;
    for (int i = 0; i < 50; ++i) {
        static_cast<void>(steady.release_last());
    }
    std::vector<void*> expected = steady.blocks;
    std::sort(expected.begin(), expected.end());
    auto made = std::make_unique<std::array<void*, 500>>();
    const os::LockGuard guard(heap::turn_lock());  // so that the clock holds none of the thread's locks at the fork
    CHECK(is_well_in_child([&] {
        for (void*& block : *made) {
            block = default_heap::allocate(kBytes);
            if (std::binary_search(expected.begin(), expected.end(), block)) {
                return false;
            }
            std::memset(block, 0x55, kBytes);
        }
        std::sort(made->begin(), made->end());
        return std::adjacent_find(made->begin(), made->end()) == made->end() && is_sound();
    }));
}

TEST_CASE("a heap object that ends takes back what lies in its lists") {
    const HeapStatistics before = default_heap::statistics();
    for (int round = 0; round < 3; ++round) {
        Heap heap;
        std::vector<void*> blocks(kBlocks);
        for (void*& block : blocks) {
            block = heap.allocate(kBytes);
        }
        Numbers numbers;
        for (std::size_t i = 0; i < 10 * kBlocks; ++i) {
            void*& block = blocks[numbers.below(kBlocks)];
            heap.release(block);
            block = heap.allocate(kBytes);
        }
        for (int i = 0; i < 100; ++i) {
            heap.release(std::exchange(blocks[static_cast<std::size_t>(i)], nullptr));
        }
        CHECK(heap.statistics().small_blocks == kBlocks - 100);
        CHECK(heap.broken_invariant() == nullptr);
    }
    CHECK(default_heap::statistics().small_blocks == before.small_blocks);
    CHECK(is_sound());
}

TEST_CASE("a list that a second free of a block left without an end stops the program when it goes home") {
    in_thread([](Steady& steady) {
        const os::LockGuard guard(heap::turn_lock());  // so that the clock holds none of the thread's locks at the fork
        const auto death = death_of([&] {
            default_heap::after_fork_in_child();
            default_heap::release(steady.blocks.front());
            default_heap::release(steady.blocks.front());
            static_cast<void>(heap::cache_of_thread()->give_up_kept());
        });
        CHECK(death.died);
        CHECK(death.last_words.find("free") != std::string::npos);
    });
}

}  // namespace heapwright::test
