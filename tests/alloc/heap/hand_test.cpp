// Blocks that a thread keeps at hand when it frees them: whose they may be, how many, and where they go when they are not wanted.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/evacuation.hpp>
#include <heapwright/alloc/heap/heap.hpp>

namespace heapwright::test {

namespace {

constexpr std::size_t kBytes = 2048;  // 32 in a span, of which two are carved at first; no other size lends them

void* filled(std::size_t bytes) {
    void* const block = default_heap::allocate(bytes);
    std::memset(block, 0x33, bytes);
    return block;
}

std::vector<void*> filled_blocks(std::size_t count) {
    std::vector<void*> blocks(count);
    for (void*& block : blocks) {
        block = filled(kBytes);
    }
    return blocks;
}

void release_all(const std::vector<void*>& blocks) {
    for (void* const block : blocks) {
        default_heap::release(block);
    }
}

/// A thread that allocated blocks of the size, and whose next malloc finds none at hand.
void in_other_thread(const std::function<void()>& act) {
    std::thread([&] {
        const std::vector<void*> own = filled_blocks(2);
        act();
        release_all(own);
    }).join();
}

bool is_sound() { return heap::g_default_core.broken_invariant() == nullptr; }

}  // namespace

TEST_CASE("long blocks freed into full spans are used again first, and few are kept where many are freed") {
    Heap heap;
    constexpr std::size_t kLong = 4096;  // sixteen in a span
    std::vector<void*> blocks;
    while (blocks.size() < 160) {
        blocks.push_back(heap.allocate(kLong));
        std::memset(blocks.back(), 0x11, kLong);
    }
    const HeapStatistics full = heap.statistics();
    for (int round = 0; round < 100; ++round) {
        for (const std::size_t index : {std::size_t{3}, std::size_t{20}, std::size_t{40}, std::size_t{60}}) {
            heap.release(blocks[index]);
        }
        CHECK(heap.statistics().small_blocks == full.small_blocks - 4);
        CHECK(heap.broken_invariant() == nullptr);
        for (const std::size_t index : {std::size_t{60}, std::size_t{40}, std::size_t{20}, std::size_t{3}}) {
            void* const expected = blocks[index];
            blocks[index] = heap.allocate(kLong);
            CHECK(blocks[index] == expected);
            std::memset(blocks[index], 0x22, kLong);
        }
    }
    CHECK(heap.statistics().allocated_bytes == full.allocated_bytes);
    for (std::size_t index = 0; index < blocks.size(); index += 2) {
        heap.release(blocks[index]);
        CHECK(heap.broken_invariant() == nullptr);
    }
    CHECK(heap.statistics().small_blocks == full.small_blocks - 80);
    for (std::size_t index = 1; index < blocks.size(); index += 2) {
        heap.release(blocks[index]);
    }
    CHECK(heap.statistics().small_blocks == full.small_blocks - 160);
    CHECK(heap.statistics().spans <= 6);  // 32 blocks of each second place are kept, in four spans
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("long blocks that a thread frees are used again first, of whichever of its spans, and 512 pages are kept at most") {
    std::thread([] {
        std::vector<std::vector<void*>> blocks(heap::kClassCount);
        for (unsigned number = heap::kFirstLongClass; number < heap::kClassCount; ++number) {
            const std::size_t bytes = heap::bytes_of(static_cast<heap::SizeClass>(number));
            while (blocks[number].size() * bytes < (std::size_t{384} << 10)) {  // in less than 256 spans
                blocks[number].push_back(filled(bytes));
            }
        }
        // The first third of the spans becomes sparse, the next dense, and the last stays full.
        for (std::vector<void*>& of_class : blocks) {
            for (std::size_t index = 0; index * 3 < of_class.size() * 2; ++index) {
                if (index * 3 < of_class.size() ? index % 4 != 0 : index % 8 == 0) {
                    default_heap::release(std::exchange(of_class[index], nullptr));
                }
            }
            std::erase(of_class, nullptr);
        }
        const heap::ThreadCache& cache = *heap::cache_of_thread();
        std::size_t pages = 0;
        for (unsigned number = heap::kFirstLongClass; number < heap::kClassCount; ++number) {
            const auto size_class = static_cast<heap::SizeClass>(number);
            pages += cache.kept_blocks(size_class) * ((heap::bytes_of(size_class) + 4095) / 4096);
        }
        CHECK(pages > 256);
        CHECK(pages <= 512);
        CHECK(is_sound());
        for (unsigned number = heap::kFirstLongClass; number < heap::kClassCount; ++number) {
            const auto size_class = static_cast<heap::SizeClass>(number);
            const std::size_t bytes = heap::bytes_of(size_class);
            CAPTURE(bytes);
            std::vector<void*>& of_class = blocks[number];
            const std::size_t count = of_class.size();
            while (cache.kept_blocks(size_class) != 0) {
                of_class.push_back(filled(bytes));
            }
            for (const std::size_t place : {count / 10, count / 2, count - 1, count / 10}) {
                void* const freed = of_class[place];
                default_heap::release(freed);
                CHECK(filled(bytes) == freed);
            }
        }
        for (const std::vector<void*>& of_class : blocks) {
            release_all(of_class);
        }
        CHECK(is_sound());
    }).join();
    static_cast<void>(default_heap::trim());
    CHECK(is_sound());
}

TEST_CASE("blocks kept by a thread that ends are free again") {
    Heap heap;
    std::vector<void*> blocks(160);
    std::thread([&] {
        for (void*& block : blocks) {
            block = heap.allocate(5000);
        }
        for (const std::size_t index : {std::size_t{5}, std::size_t{30}, std::size_t{50}}) {
            heap.release(blocks[index]);
            blocks[index] = nullptr;
        }
    }).join();
    CHECK(heap.statistics().small_blocks == 157);
    CHECK(heap.broken_invariant() == nullptr);
    for (void* const block : blocks) {
        if (block != nullptr) {
            heap.release(block);
        }
    }
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a block of another thread serves the next malloc of who freed it") {
    const std::vector<void*> blocks = filled_blocks(40);
    in_other_thread([&] {
        for (int round = 0; round < 50; ++round) {
            const HeapStatistics before = default_heap::statistics();
            default_heap::release(blocks[7]);
            default_heap::release(blocks[30]);
            CHECK(default_heap::statistics().small_blocks == before.small_blocks - 2);
            CHECK(is_sound());
            CHECK(filled(kBytes) == blocks[30]);
            CHECK(filled(kBytes) == blocks[7]);
            CHECK(default_heap::statistics().allocated_bytes == before.allocated_bytes);
        }
    });
    release_all(blocks);
    CHECK(is_sound());
}

TEST_CASE("a thread that allocates none of a size keeps none, and one that does keeps few") {
    constexpr std::size_t kMany = 640;
    std::vector<void*> blocks = filled_blocks(kMany);
    const HeapStatistics full = default_heap::statistics();
    std::thread([&] { release_all(blocks); }).join();
    CHECK(default_heap::trim() + 1 != 0);
    CHECK(default_heap::statistics().small_blocks <= full.small_blocks - kMany);
    blocks = filled_blocks(kMany);
    const HeapStatistics again = default_heap::statistics();
    in_other_thread([&] {
        release_all(blocks);
        CHECK(is_sound());
    });
    CHECK(default_heap::trim() + 1 != 0);
    CHECK(default_heap::statistics().small_blocks <= again.small_blocks - kMany);
    CHECK(is_sound());
}

TEST_CASE("however many sizes a thread frees, it keeps no more than some hundred blocks of others") {
    std::vector<std::vector<void*>> blocks;
    for (std::size_t bytes = 16; bytes <= 1024; bytes += 16) {
        blocks.emplace_back();
        for (int i = 0; i < 300; ++i) {
            blocks.back().push_back(filled(bytes));
        }
    }
    std::thread([&] {
        std::vector<void*> own;
        for (std::size_t bytes = 16; bytes <= 1024; bytes += 16) {
            for (int i = 0; i < 40; ++i) {
                own.push_back(filled(bytes));  // of each size it is one that allocates
            }
        }
        for (int round = 0; round < 3; ++round) {
            for (std::vector<void*>& of_size : blocks) {
                for (int i = 0; i < 100; ++i) {
                    default_heap::release(of_size.back());
                    of_size.pop_back();
                }
                own.push_back(filled(16 * (1 + static_cast<std::size_t>(&of_size - blocks.data()))));
            }
            CHECK(is_sound());  // TC3 has the bound
        }
        release_all(own);
    }).join();
    for (const std::vector<void*>& of_size : blocks) {
        release_all(of_size);
    }
    static_cast<void>(default_heap::trim());
    CHECK(is_sound());
}

TEST_CASE("short blocks of another thread are used again newest first, before the thread's own, however often") {
    constexpr std::size_t kShort = 96;
    std::vector<void*> blocks(40);
    for (void*& block : blocks) {
        block = filled(kShort);
    }
    std::thread([&] {
        std::vector<void*> own;
        for (int i = 0; i < 200; ++i) {
            own.push_back(filled(kShort));  // no other size lends them any more
        }
        for (int i = 0; i < 20; ++i) {
            default_heap::release(own.back());  // so that malloc has blocks of its own to take
            own.pop_back();
        }
        const HeapStatistics before = default_heap::statistics();
        for (int round = 0; round < 1000; ++round) {  // many more than are ever kept
            default_heap::release(blocks[7]);
            default_heap::release(blocks[30]);
            REQUIRE(filled(kShort) == blocks[30]);
            REQUIRE(filled(kShort) == blocks[7]);
        }
        CHECK(default_heap::statistics().allocated_bytes == before.allocated_bytes);
        CHECK(is_sound());
        for (void*& block : blocks) {
            default_heap::release(block);
            block = nullptr;
        }
        CHECK(default_heap::statistics().small_blocks == before.small_blocks - blocks.size());
        CHECK(is_sound());
        // All of them serve this thread, and its own behind them.
        std::vector<void*> again(blocks.size() + 20);
        for (void*& block : again) {
            block = filled(kShort);
        }
        CHECK(default_heap::statistics().small_blocks == before.small_blocks + 20);
        std::sort(again.begin(), again.end());
        CHECK(std::adjacent_find(again.begin(), again.end()) == again.end());
        CHECK(is_sound());
        release_all(again);
        release_all(own);
    }).join();
    CHECK(is_sound());
}

TEST_CASE("what is kept before a thread's own blocks goes home, and its own become free, when it trims") {
    constexpr std::size_t kShort = 112;
    std::vector<void*> blocks(60);
    for (void*& block : blocks) {
        block = filled(kShort);
    }
    std::thread([&] {
        std::vector<void*> own;
        for (int i = 0; i < 200; ++i) {
            own.push_back(filled(kShort));
        }
        const HeapStatistics full = default_heap::statistics();
        for (int i = 0; i < 30; ++i) {
            default_heap::release(own.back());
            own.pop_back();
        }
        for (int i = 0; i < 30; ++i) {
            default_heap::release(blocks.back());  // of another thread and of this one in turns
            blocks.pop_back();
            default_heap::release(own.back());
            own.pop_back();
        }
        CHECK(default_heap::statistics().small_blocks == full.small_blocks - 90);
        CHECK(is_sound());
        CHECK(default_heap::trim() + 1 != 0);
        CHECK(default_heap::statistics().small_blocks <= full.small_blocks - 60);  // the others are on their way
        CHECK(is_sound());
        release_all(own);
    }).join();
    release_all(blocks);
    CHECK(is_sound());
}

TEST_CASE("where memory is limited, what is kept at hand is given up before a request is refused") {
    Heap heap({.limit_bytes = std::size_t{512} << 10});
    for (const std::size_t wanted : {std::size_t{200} << 10, std::size_t{40} << 10}) {
        CAPTURE(wanted);
        std::vector<void*> blocks;
        for (int i = 0; i < 5; ++i) {
            blocks.push_back(heap.allocate(std::size_t{60} << 10));
            REQUIRE(blocks.back() != nullptr);
        }
        for (void* const block : blocks) {
            heap.release(block);
        }
        void* const block = heap.allocate(wanted);
        CHECK(block != nullptr);
        heap.release(block);
        CHECK(heap.broken_invariant() == nullptr);
    }
}

TEST_CASE("while a thread moves its blocks, others keep none of them") {
    std::vector<void*> blocks = filled_blocks(320);
    for (std::size_t index = 0; index < blocks.size(); ++index) {
        if (index % 32 > 3) {
            default_heap::release(blocks[index]);
            blocks[index] = nullptr;
        }
    }
    const Evacuation evacuation;
    void* moving = nullptr;
    for (void* const block : blocks) {
        moving = block != nullptr && Evacuation::should_move(block) ? block : moving;
    }
    REQUIRE(moving != nullptr);
    in_other_thread([&] {
        default_heap::release(moving);
        void* const block = filled(kBytes);
        CHECK(block != moving);
        default_heap::release(block);
    });
    for (void* const block : blocks) {
        if (block != moving) {
            default_heap::release(block);
        }
    }
    CHECK(is_sound());
}

}  // namespace heapwright::test
