// malloc, calloc, realloc, free: values, contents, zero sizes.
#include <cerrno>
#include <cstdlib>

#include <malloc.h>

#include "cases.hpp"

using namespace conformance;

CASE("malloc gives blocks that do not overlap, of every size") {
    constexpr std::size_t kCount = 6000;
    static void* blocks[kCount];
    for (std::size_t at = 0; at < kCount; ++at) {
        note("size", at);
        blocks[at] = malloc(at);
        EXPECT(blocks[at] != nullptr);
        fill(blocks[at], at, at);
    }
    for (std::size_t at = 0; at < kCount; ++at) {
        note("size", at);
        EXPECT(is_filled(blocks[at], at, at));
        free(blocks[at]);
    }
}

CASE("malloc gives large blocks that do not overlap") {
    constexpr std::size_t kCount = 24;
    void* blocks[kCount];
    std::size_t size = 5000;
    for (std::size_t at = 0; at < kCount; ++at, size += size / 2) {
        blocks[at] = malloc(size);
        EXPECT(blocks[at] != nullptr);
        fill(blocks[at], size, at);
    }
    size = 5000;
    for (std::size_t at = 0; at < kCount; ++at, size += size / 2) {
        note("size", size);
        EXPECT(is_filled(blocks[at], size, at));
        free(blocks[at]);
    }
}

CASE("blocks are aligned for every type that fits in them") {
    for (int round = 0; round < 3; ++round) {
        for (const std::size_t size : kSizes) {
            note("size", size);
            void* block = malloc(size);
            void* cleared = calloc(1, size);
            void* moved = realloc(malloc(1), size + 1);
            EXPECT(is_aligned(block, size >= 16 ? 16 : 8));
            EXPECT(is_aligned(cleared, size >= 16 ? 16 : 8));
            EXPECT(is_aligned(moved, size + 1 >= 16 ? 16 : 8));
            free(block);
            free(cleared);
            free(moved);
        }
    }
}

CASE("zero bytes make a block of its own each time") {
    void* blocks[64];
    for (void*& block : blocks) {
        block = malloc(opaque<std::size_t>(0));
        EXPECT(block != nullptr);
    }
    for (std::size_t at = 1; at < 64; ++at) {
        EXPECT(blocks[at] != blocks[at - 1]);
    }
    void* some = calloc(opaque<std::size_t>(0), 8);
    void* other = calloc(8, opaque<std::size_t>(0));
    EXPECT(some != nullptr && other != nullptr && some != other);
    void* grown = realloc(nullptr, opaque<std::size_t>(0));
    EXPECT(grown != nullptr);
    free(grown);
    free(some);
    free(other);
    for (void* block : blocks) {
        free(block);
    }
}

CASE("all usable bytes may be used") {
    EXPECT(malloc_usable_size(nullptr) == 0);
    constexpr std::size_t kCount = std::size(kSizes);
    void* blocks[kCount];
    for (std::size_t at = 0; at < kCount; ++at) {
        note("size", kSizes[at]);
        blocks[at] = malloc(kSizes[at]);
        EXPECT(malloc_usable_size(blocks[at]) >= kSizes[at]);
        EXPECT(malloc_usable_size(blocks[at]) == malloc_usable_size(blocks[at]));
        fill(blocks[at], malloc_usable_size(blocks[at]), at);
    }
    for (std::size_t at = 0; at < kCount; ++at) {
        note("size", kSizes[at]);
        EXPECT(is_filled(blocks[at], malloc_usable_size(blocks[at]), at));
        void* fresh = realloc(blocks[at], kSizes[at] + 1);
        EXPECT(is_filled(fresh, kSizes[at], at));
        free(fresh);
    }
}

CASE("calloc clears blocks that were used before") {
    for (int round = 0; round < 3; ++round) {
        for (const std::size_t size : kSizes) {
            note("size", size);
            void* dirty[8];
            for (void*& block : dirty) {
                block = malloc(size);
                std::memset(block, 0xA5, malloc_usable_size(block));
            }
            for (void* block : dirty) {
                free(block);
            }
            for (void*& block : dirty) {
                block = calloc(1, size);
                EXPECT(block != nullptr && is_zero(block, size));
                std::memset(block, 0x5A, size);
            }
            for (void* block : dirty) {
                free(block);
            }
        }
    }
    void* several = calloc(1000, 333);
    EXPECT(is_zero(several, 333000));
    free(several);
}

CASE("realloc keeps the contents from every size to every size") {
    for (const std::size_t from : kSizes) {
        for (const std::size_t to : kSizes) {
            note("from, to", from, to);
            if (to == 0 || from + to > 9000000) {
                continue;
            }
            void* block = malloc(from);
            fill(block, from, from + 3);
            void* fresh = realloc(block, to);
            EXPECT(fresh != nullptr);
            EXPECT(malloc_usable_size(fresh) >= to);
            EXPECT(is_filled(fresh, from < to ? from : to, from + 3));
            fill(fresh, to, to);
            EXPECT(is_filled(fresh, to, to));
            free(fresh);
        }
    }
}

CASE("realloc keeps the contents while a block grows and shrinks") {
    for (std::size_t step = 1; step < 40000; step = step * 3 + 1) {
        std::size_t size = 1;
        void* block = malloc(size);
        fill(block, size, step);
        void* neighbour = nullptr;
        for (int turn = 0; turn < 60 && size < 6000000; ++turn) {
            note("step, size", step, size);
            const std::size_t next = size + step * (turn < 30 ? 1 : 11);
            block = realloc(block, next);
            EXPECT(block != nullptr && is_filled(block, size, step));
            fill(block, next, step);
            size = next;
            free(neighbour);
            neighbour = malloc(size / 2 + 1);  // in the way of growing in place
        }
        free(neighbour);
        while (size > 1) {
            size = size * 2 / 3;
            block = realloc(block, size);
            EXPECT(block != nullptr && is_filled(block, size, step));
        }
        free(block);
    }
}

CASE("large blocks keep their contents while realloc moves them among others") {
    void* blocks[6];
    std::size_t sizes[6];
    for (std::size_t at = 0; at < 6; ++at) {
        sizes[at] = 100000 + at * 333333;
        blocks[at] = malloc(sizes[at]);
        fill(blocks[at], sizes[at], at);
    }
    Random random;
    for (int turn = 0; turn < 120; ++turn) {
        const std::size_t at = random.below(6);
        const std::size_t to = 40000 + random.below(4000000);
        note("turn, to", static_cast<std::uint64_t>(turn), to);
        blocks[at] = realloc(blocks[at], to);
        EXPECT(blocks[at] != nullptr && is_filled(blocks[at], to < sizes[at] ? to : sizes[at], at));
        sizes[at] = to;
        fill(blocks[at], to, at);
    }
    for (std::size_t at = 0; at < 6; ++at) {
        EXPECT(is_filled(blocks[at], sizes[at], at));
        free(blocks[at]);
    }
}

CASE("realloc to nothing releases the block and gives a null pointer, errno untouched") {
    for (const std::size_t size : kSizes) {
        void* block = malloc(size);
        errno = 4711;
        EXPECT(realloc(block, opaque<std::size_t>(0)) == nullptr);
        EXPECT(errno == 4711);
        void* array = malloc(size);
        EXPECT(reallocarray(array, opaque<std::size_t>(0), 7) == nullptr);
        EXPECT(errno == 4711);
    }
    // A thousand times 20 MiB would not fit if it were not released.
    for (int turn = 0; turn < 1000; ++turn) {
        void* block = malloc(20 << 20);
        EXPECT(block != nullptr);
        std::memset(block, 1, 4096);
        EXPECT(realloc(block, opaque<std::size_t>(0)) == nullptr);
    }
}

CASE("realloc and reallocarray of no block allocate") {
    void* block = realloc(nullptr, 100);
    EXPECT(block != nullptr && malloc_usable_size(block) >= 100);
    void* array = reallocarray(nullptr, 30, 50);
    EXPECT(array != nullptr && malloc_usable_size(array) >= 1500);
    fill(array, 1500, 9);
    array = reallocarray(array, 60, 50);
    EXPECT(array != nullptr && is_filled(array, 1500, 9));
    free(block);
    free(array);
}

CASE("free takes a null pointer, and keeps errno") {
    errno = 4711;
    free(nullptr);
    EXPECT(errno == 4711);
    for (const std::size_t size : kSizes) {
        note("size", size);
        void* block = malloc(size);
        errno = 4711;
        free(block);
        EXPECT(errno == 4711);
    }
    void* huge = malloc(std::size_t{1} << 30);
    EXPECT(huge != nullptr);
    errno = 4712;
    free(huge);
    EXPECT(errno == 4712);
}

CASE("C23's free_sized and free_aligned_sized, and the old cfree, release") {
    using FreeSized = void(void*, std::size_t);
    using FreeAlignedSized = void(void*, std::size_t, std::size_t);
    using Free = void(void*);
    auto* free_sized = reinterpret_cast<FreeSized*>(find_or_say("free_sized"));
    auto* free_aligned_sized = reinterpret_cast<FreeAlignedSized*>(find_or_say("free_aligned_sized"));
    auto* old_free = reinterpret_cast<Free*>(find_or_say("cfree"));
    for (int turn = 0; turn < 2000; ++turn) {
        if (free_sized != nullptr) {
            free_sized(malloc(2 << 20), 2 << 20);
            free_sized(nullptr, 0);
        }
        if (free_aligned_sized != nullptr) {
            free_aligned_sized(aligned_alloc(256, 2 << 20), 256, 2 << 20);
        }
        if (old_free != nullptr) {
            old_free(malloc(2 << 20));
        }
    }
}

CASE("free_sized does not believe a wrong size") {
    using FreeSized = void(void*, std::size_t);
    auto* free_sized = reinterpret_cast<FreeSized*>(find_or_say("free_sized"));
    for (int turn = 0; free_sized != nullptr && turn < 2000; ++turn) {
        free_sized(malloc(100), opaque<std::size_t>(3000));
    }
}

CASE("a random sequence of calls leaves every block as it was filled") {
    constexpr std::size_t kSlots = 700;
    static void* blocks[kSlots];
    static std::size_t sizes[kSlots];
    Random random;
    for (int turn = 0; turn < 200000; ++turn) {
        const std::size_t at = random.below(kSlots);
        const std::size_t size = random.size(turn % 500 == 0 ? 2000000 : 3000);
        note("turn, size", static_cast<std::uint64_t>(turn), size);
        if (blocks[at] == nullptr) {
            blocks[at] = turn % 3 == 0 ? calloc(size, 1) : malloc(size);
            EXPECT(turn % 3 != 0 || is_zero(blocks[at], size));
        } else if (turn % 4 == 0 && size != 0) {
            blocks[at] = realloc(blocks[at], size);
            EXPECT(is_filled(blocks[at], size < sizes[at] ? size : sizes[at], at));
        } else {
            EXPECT(is_filled(blocks[at], sizes[at], at));
            free(blocks[at]);
            blocks[at] = nullptr;
            continue;
        }
        EXPECT(blocks[at] != nullptr);
        sizes[at] = size;
        fill(blocks[at], size, at);
    }
    for (void*& block : blocks) {
        free(block);
        block = nullptr;
    }
}
