// Long blocks that a thread keeps at hand: how many of all sizes, and what becomes of those that malloc does not ask for any more.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>

using namespace heapwright;

namespace {

constexpr heap::SizeClass kFirst = heap::class_of(8192) + 1;

std::size_t bytes_of(unsigned number) { return heap::bytes_of(static_cast<heap::SizeClass>(number)); }

/// So many bytes in blocks of each class above 8 KiB.
std::vector<std::vector<void*>> blocks_of_each_class(std::size_t bytes) {
    std::vector<std::vector<void*>> blocks(heap::kClassCount);
    for (unsigned number = kFirst; number < heap::kClassCount; ++number) {
        while (blocks[number].size() * bytes_of(number) < bytes) {
            blocks[number].push_back(default_heap::allocate(bytes_of(number)));
        }
    }
    return blocks;
}

/// Pages of what this thread keeps in those classes.
std::size_t kept_pages() {
    std::size_t pages = 0;
    for (unsigned number = kFirst; number < heap::kClassCount; ++number) {
        pages += heap::cache_of_thread()->kept_blocks(static_cast<heap::SizeClass>(number)) * ((bytes_of(number) + 4095) / 4096);
    }
    return pages;
}

void release_every(std::vector<void*>& blocks, std::size_t step) {
    for (std::size_t index = 0; index < blocks.size(); index += step) {
        default_heap::release(std::exchange(blocks[index], nullptr));
    }
    std::erase(blocks, nullptr);
}

bool is_sound() { return heap::g_default_core.broken_invariant() == nullptr; }

/// A quarter of each class dies and is born again, so often.
void replace(std::vector<std::vector<void*>>& blocks, unsigned times) {
    for (unsigned time = 0; time < times; ++time) {
        for (unsigned number = kFirst; number < heap::kClassCount; ++number) {
            const std::size_t count = blocks[number].size();
            release_every(blocks[number], 4);
            while (blocks[number].size() < count) {
                blocks[number].push_back(default_heap::allocate(bytes_of(number)));
            }
        }
    }
}

}  // namespace

TEST_CASE("a thread with many spans keeps two pages for each, and no more than 512 once it has few") {
    std::thread([] {
        std::vector<std::vector<void*>> blocks = blocks_of_each_class(std::size_t{3} << 20);  // some 750 spans
        replace(blocks, 2);
        for (std::vector<void*>& of_class : blocks) {
            release_every(of_class, 4);
        }
        CHECK(kept_pages() > 768);
        CHECK(kept_pages() <= std::size_t{2} * 800);
        CHECK(is_sound());
        for (std::vector<void*>& of_class : blocks) {
            release_every(of_class, 1);
        }
        CHECK(kept_pages() <= 512);
        CHECK(is_sound());
        blocks = blocks_of_each_class(std::size_t{512} << 10);  // some 110
        for (std::vector<void*>& of_class : blocks) {
            release_every(of_class, 2);
        }
        CHECK(kept_pages() <= 512);
        CHECK(is_sound());
        for (std::vector<void*>& of_class : blocks) {
            release_every(of_class, 1);
        }
    }).join();
    static_cast<void>(default_heap::trim());
    CHECK(is_sound());
}

TEST_CASE("where all room is taken by sizes that malloc asks for no more, those go home and others are kept") {
    std::thread([] {
        constexpr std::size_t kAsked = 4096;
        constexpr heap::SizeClass kAskedClass = heap::class_of(kAsked);
        const heap::ThreadCache& cache = *heap::cache_of_thread();
        std::vector<void*> asked(400);
        for (void*& block : asked) {
            block = default_heap::allocate(kAsked);
        }
        std::vector<std::vector<void*>> blocks = blocks_of_each_class(std::size_t{1} << 20);
        for (std::vector<void*>& of_class : blocks) {
            release_every(of_class, 2);  // more than is kept
        }
        const std::size_t before = kept_pages();
        CHECK(before >= 509);  // no room for another
        std::uint32_t most_kept = 0;
        for (unsigned round = 0; round < 400; ++round) {
            for (std::size_t i = 0; i < 24; ++i) {  // of many spans
                default_heap::release(std::exchange(asked[(round * 7 + i * 16) % asked.size()], nullptr));
            }
            most_kept = round < 20 ? std::max(most_kept, cache.kept_blocks(kAskedClass)) : most_kept;
            for (void*& block : asked) {
                block = block == nullptr ? default_heap::allocate(kAsked) : block;
            }
        }
        CHECK(most_kept < 24);  // there was no room
        for (std::size_t i = 0; i < 24; ++i) {
            default_heap::release(std::exchange(asked[i * 16], nullptr));
        }
        CHECK(cache.kept_blocks(kAskedClass) == 24);
        CHECK(kept_pages() < before);
        CHECK(is_sound());
        release_every(asked, 1);
        for (std::vector<void*>& of_class : blocks) {
            release_every(of_class, 1);
        }
    }).join();
    static_cast<void>(default_heap::trim());
    CHECK(is_sound());
}
