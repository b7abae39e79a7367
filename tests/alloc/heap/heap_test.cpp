// Heap objects: limits, accounts, threads, and release as a whole.
#include <heapwright/alloc/heap/heap.hpp>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/base/block_source.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {

static_assert(BlockSource<Heap>);

TEST_CASE("a heap gives blocks of every size, and takes them back") {
    Heap heap;
    std::vector<void*> blocks;
    for (std::size_t bytes = 0; bytes < 300'000; bytes = bytes * 5 / 4 + 1) {
        blocks.push_back(heap.allocate(bytes));
        REQUIRE(blocks.back() != nullptr);
        CHECK(heap.usable_bytes(blocks.back()) >= bytes);
        CHECK(heap.owns(blocks.back()));
        std::memset(blocks.back(), 0x5A, bytes);
    }
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.statistics().large_blocks > 3);
    for (void* const block : blocks) {
        heap.release(block);
    }
    CHECK(heap.statistics().large_blocks == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a heap does not own the blocks of another, nor what is no block") {
    Heap one;
    Heap other;
    void* const block = one.allocate(100);
    void* const ordinary = default_heap::allocate(100);
    CHECK(one.owns(block));
    CHECK_FALSE(other.owns(block));
    CHECK_FALSE(one.owns(ordinary));
    CHECK_FALSE(one.owns(&one));
    CHECK_FALSE(one.owns(nullptr));
    default_heap::release(ordinary);
}

TEST_CASE("what exceeds the limit is refused, and what was given stays") {
    Heap heap({.limit_bytes = std::size_t{1} << 20});
    std::vector<void*> blocks;
    while (void* const block = heap.allocate(1000)) {
        std::memset(block, static_cast<int>(blocks.size()), 1000);
        blocks.push_back(block);
    }
    CHECK(heap.span_bytes() <= std::size_t{1} << 20);
    CHECK(blocks.size() > 900);
    CHECK(heap.allocate(std::size_t{2} << 20) == nullptr);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        CHECK(static_cast<std::uint8_t*>(blocks[i])[999] == static_cast<std::uint8_t>(i));
    }
    heap.release(blocks.back());
    CHECK(heap.allocate(1000) != nullptr);
}

TEST_CASE("a heap that ends takes every block with it") {
    const std::uint64_t before = default_heap::statistics().dirty_bytes;
    {
        Heap heap;
        for (unsigned i = 0; i < 20'000; ++i) {
            std::memset(heap.allocate(1 + i % 2000), 1, 1);
        }
        static_cast<void>(heap.allocate(5'000'000));
        CHECK(heap.span_bytes() > 20'000'000);
    }
    CHECK(default_heap::statistics().dirty_bytes > before + 15'000'000);
    static_cast<void>(default_heap::trim());
}

TEST_CASE("trim gives back the span that a class allocates from, and the figures know its free blocks") {
    std::vector<void*> blocks(200);
    for (void*& block : blocks) {  // the first ones come from a larger class
        block = default_heap::allocate(208);
    }
    for (void* const block : blocks) {
        default_heap::release(block);
    }
    static_cast<void>(default_heap::trim());
    const HeapStatistics before = default_heap::statistics();
    for (void*& block : blocks) {
        block = default_heap::allocate(208);
    }
    const HeapStatistics held = default_heap::statistics();
    CHECK(held.allocated_bytes == before.allocated_bytes + 200 * 208);
    for (void* const block : blocks) {
        default_heap::release(block);
    }
    const HeapStatistics freed = default_heap::statistics();
    CHECK(freed.allocated_bytes == before.allocated_bytes);
    CHECK(freed.active_bytes == held.active_bytes);
    static_cast<void>(default_heap::trim());
    CHECK(default_heap::statistics().active_bytes == before.active_bytes);
}

TEST_CASE("a cache that replaces one entry after the other needs no more memory than its entries") {
    Heap heap;
    Random random(9);
    std::vector<void*> blocks(60'000);  // of 240 bytes: 220 spans
    for (void*& block : blocks) {
        block = heap.allocate(240);
        REQUIRE(block != nullptr);
    }
    const std::uint64_t full = heap.statistics().spans;
    for (unsigned step = 0; step < 200'000; ++step) {
        void*& block = blocks[random.below(blocks.size())];
        heap.release(block);
        block = heap.allocate(240);
    }
    CHECK(heap.statistics().spans <= full + full / 64);
    CHECK(heap.broken_invariant() == nullptr);
    for (void* const block : blocks) {
        heap.release(block);
    }
}

TEST_CASE("few blocks of many sizes share the spans of the powers of two") {
    std::thread([] {
        const HeapStatistics before = default_heap::statistics();
        std::vector<void*> blocks;
        for (std::size_t bytes = 16; bytes <= 1024; bytes += 16) {
            blocks.push_back(default_heap::allocate(bytes));
            CHECK(default_heap::usable_bytes(blocks.back()) < 2 * bytes + 16);
        }
        CHECK(default_heap::statistics().active_bytes - before.active_bytes <= 8 * heap::kSliceBytes);
        for (void* const block : blocks) {
            default_heap::release(block);
        }
    }).join();
}

TEST_CASE("a thread that gave back most of its blocks keeps no span for those that it may want next") {
    std::thread([] {
        constexpr std::size_t kBlocks = 30'000;
        const std::size_t before = default_heap::statistics().active_bytes;
        std::vector<void*> blocks;
        for (std::size_t i = 0; i < kBlocks; ++i) {
            blocks.push_back(default_heap::allocate(64 + i % 32 * 30));
        }
        CHECK(default_heap::statistics().active_bytes - before > 10'000'000);
        for (std::size_t i = 0; i < kBlocks; ++i) {
            default_heap::release(blocks[i * 7919 % kBlocks]);  // in no order: each span empties near the end
        }
        CHECK(default_heap::statistics().active_bytes - before < 1'500'000);  // of 27 classes, which would keep one each
    }).join();
}

TEST_CASE("the block that was freed last is the first to be used again") {
    void* const first = default_heap::allocate(72);
    void* const second = default_heap::allocate(72);
    default_heap::release(first);
    default_heap::release(second);
    CHECK(default_heap::allocate(72) == second);
    CHECK(default_heap::allocate(72) == first);
    default_heap::release(first);
    default_heap::release(second);
}

TEST_CASE("reallocation keeps the contents from the smallest to large blocks") {
    Heap heap;
    auto* block = static_cast<std::uint8_t*>(heap.allocate(1));
    block[0] = 7;
    for (std::size_t bytes = 2; bytes < 4'000'000; bytes = bytes * 3 / 2 + 1) {
        block = static_cast<std::uint8_t*>(heap.reallocate(block, bytes));
        REQUIRE(block != nullptr);
        REQUIRE(block[0] == 7);
        REQUIRE(heap.owns(block));
        block[bytes - 1] = 9;
    }
    block = static_cast<std::uint8_t*>(heap.reallocate(block, 10));
    CHECK(block[0] == 7);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("zeroed and aligned blocks are what they say") {
    Heap heap;
    Random random;
    for (unsigned i = 0; i < 3'000; ++i) {
        const std::size_t bytes = random.between(1, 20'000);
        const std::size_t alignment = std::size_t{1} << random.below(15);
        void* const aligned = heap.allocate_aligned(bytes, alignment);
        CHECK(reinterpret_cast<std::uintptr_t>(aligned) % alignment == 0);
        std::memset(aligned, 0xFF, bytes);
        heap.release(aligned);
        auto* const zeroed = static_cast<std::uint8_t*>(heap.allocate_zeroed(bytes));
        CHECK(zeroed[0] == 0);
        CHECK(zeroed[bytes / 2] == 0);
        CHECK(zeroed[bytes - 1] == 0);
        std::memset(zeroed, 0xFF, bytes);
        heap.release(zeroed);
    }
}

TEST_CASE("where every second block of a class lies at the multiple that is asked for, only those are taken") {
    for (const std::size_t bytes :
         {std::size_t{48}, std::size_t{80}, std::size_t{100}, std::size_t{208}, std::size_t{1000}, std::size_t{1024}}) {
        for (std::size_t alignment = 32; alignment <= 8192; alignment *= 2) {
            std::vector<void*> blocks;
            for (unsigned i = 0; i < 60; ++i) {
                blocks.push_back(i % 3 == 0 ? default_heap::allocate(bytes) : default_heap::allocate_aligned(bytes, alignment));
                CHECK(default_heap::usable_bytes(blocks.back()) >= bytes);
                const std::size_t expected = i % 3 == 0 ? 16 : alignment;
                CHECK(reinterpret_cast<std::uintptr_t>(blocks.back()) % expected == 0);
                std::memset(blocks.back(), static_cast<int>(i), bytes);
            }
            for (unsigned i = 0; i < blocks.size(); ++i) {
                CHECK(static_cast<std::uint8_t*>(blocks[i])[bytes - 1] == i);  // nobody else has it
                default_heap::release(blocks[i]);
            }
        }
    }
}

TEST_CASE("threads allocate from one heap, free each other's blocks, and end before it or after it") {
    for (unsigned round = 0; round < 10; ++round) {
        std::vector<std::vector<void*>> made(3);
        std::vector<std::thread> threads;
        {
            Heap heap;
            for (std::vector<void*>& mine : made) {
                threads.emplace_back([&heap, &mine, round] {
                    Random random(round);
                    for (unsigned i = 0; i < 3'000; ++i) {
                        mine.push_back(heap.allocate(random.between(1, 3000)));
                    }
                });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
            threads.clear();
            for (std::size_t i = 0; i < made.size(); ++i) {
                threads.emplace_back([&heap, &made, i] {
                    for (void* const block : made[(i + 1) % made.size()]) {
                        heap.release(block);
                    }
                    static_cast<void>(heap.allocate(10));
                });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
            CHECK(heap.broken_invariant() == nullptr);
        }
    }
}

TEST_CASE("a thread that outlives the heaps it used ends well") {
    std::thread one([] {
        for (unsigned i = 0; i < 100; ++i) {
            Heap heap;
            CHECK(heap.allocate(100) != nullptr);
        }
    });
    one.join();
    Heap heap;
    CHECK(heap.allocate(100) != nullptr);  // with a cache that a heap before left
}

}  // namespace heapwright::test
