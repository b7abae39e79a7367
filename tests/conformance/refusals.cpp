// What no memory can hold: a null pointer, ENOMEM, and nothing else changed.
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include <malloc.h>

#include "cases.hpp"

using namespace conformance;

namespace {

constexpr std::size_t kTooMuch[] = {std::size_t{1} << 47,
                                    std::size_t{1} << 52,
                                    std::size_t{PTRDIFF_MAX} - 100,
                                    std::size_t{PTRDIFF_MAX},
                                    PTRDIFF_MAX + 1ULL,
                                    SIZE_MAX - (8ULL << 20),
                                    SIZE_MAX - 70000,
                                    SIZE_MAX - 8192,
                                    SIZE_MAX - 4096,
                                    SIZE_MAX - 4095,
                                    SIZE_MAX - 64,
                                    SIZE_MAX - 32,
                                    SIZE_MAX - 16,
                                    SIZE_MAX - 15,
                                    SIZE_MAX - 7,
                                    SIZE_MAX};

#define EXPECT_REFUSED(call)       \
    do {                           \
        errno = 0;                 \
        EXPECT((call) == nullptr); \
        EXPECT(errno == ENOMEM);   \
    } while (false)

}  // namespace

CASE("malloc refuses what cannot be") {
    for (const std::size_t size : kTooMuch) {
        note("size", size);
        EXPECT_REFUSED(malloc(opaque(size)));
    }
}

CASE("calloc refuses what cannot be, products that overflow among it") {
    for (const std::size_t size : kTooMuch) {
        note("size", size);
        EXPECT_REFUSED(calloc(1, opaque(size)));
        EXPECT_REFUSED(calloc(opaque(size), 1));
        EXPECT_REFUSED(calloc(opaque(size), 2));
        EXPECT_REFUSED(calloc(opaque(size), opaque(size)));
    }
    EXPECT_REFUSED(calloc(opaque(SIZE_MAX / 2 + 1), 2));                                 // 0 after overflow
    EXPECT_REFUSED(calloc(opaque(std::size_t{1} << 32), opaque(std::size_t{1} << 32)));  // likewise
    EXPECT_REFUSED(calloc(opaque((std::size_t{1} << 32) + 1), opaque(std::size_t{1} << 32)));
    EXPECT_REFUSED(calloc(opaque(SIZE_MAX / 16 + 2), 16));  // 16 after overflow
}

CASE("realloc refuses what cannot be, and the block is as it was") {
    for (const std::size_t old : {1UL, 100UL, 5000UL, 100000UL, 3000000UL}) {
        void* block = malloc(old);
        fill(block, old, old);
        const std::size_t usable = malloc_usable_size(block);
        for (const std::size_t size : kTooMuch) {
            note("old, size", old, size);
            EXPECT_REFUSED(realloc(opaque(block), opaque(size)));
            EXPECT_REFUSED(reallocarray(opaque(block), opaque(size), 1));
            EXPECT_REFUSED(reallocarray(opaque(block), opaque(size), 3));
            EXPECT(malloc_usable_size(block) == usable);
            EXPECT(is_filled(block, old, old));
        }
        EXPECT_REFUSED(reallocarray(opaque(block), opaque(SIZE_MAX / 2 + 1), 2));
        EXPECT_REFUSED(realloc(nullptr, opaque(SIZE_MAX)));
        EXPECT_REFUSED(reallocarray(nullptr, opaque(SIZE_MAX / 4), 5));
        block = realloc(block, old + 10);
        EXPECT(is_filled(block, old, old));
        free(block);
    }
}

CASE("the aligned functions refuse what cannot be") {
    for (const std::size_t size : kTooMuch) {
        for (const std::size_t alignment : {8UL, 16UL, 32UL, 4096UL, 1UL << 20, 1UL << 30}) {
            note("alignment, size", alignment, size);
            EXPECT_REFUSED(aligned_alloc(alignment, opaque(size)));
            EXPECT_REFUSED(memalign(alignment, opaque(size)));
        }
        EXPECT_REFUSED(valloc(opaque(size)));
        EXPECT_REFUSED(pvalloc(opaque(size)));
    }
}

CASE("after refusals allocation goes on") {
    for (int turn = 0; turn < 1000; ++turn) {
        EXPECT_REFUSED(malloc(opaque(SIZE_MAX - static_cast<std::size_t>(turn))));
        void* block = malloc(static_cast<std::size_t>(turn) * 100);
        EXPECT(block != nullptr);
        free(block);
    }
}
