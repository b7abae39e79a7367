// posix_memalign, aligned_alloc, memalign, valloc, pvalloc.
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include <malloc.h>

#include "cases.hpp"

using namespace conformance;

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignmentMax = std::size_t{1} << 20;

using Aligned = void*(std::size_t alignment, std::size_t bytes);

void* by_posix(std::size_t alignment, std::size_t bytes) {
    void* block = nullptr;
    return posix_memalign(&block, alignment, bytes) == 0 ? block : nullptr;
}

/// Blocks of many sizes at every alignment, all alive at once for each alignment.
void check_alignments(Aligned* allocate, std::size_t least) {
    for (std::size_t alignment = least; alignment <= kAlignmentMax; alignment *= 2) {
        const std::size_t sizes[] = {0,
                                     1,
                                     7,
                                     8,
                                     9,
                                     15,
                                     16,
                                     17,
                                     24,
                                     63,
                                     100,
                                     511,
                                     1000,
                                     40,
                                     72,
                                     136,
                                     520,
                                     4097,
                                     5000,
                                     10000,
                                     66000,
                                     alignment,
                                     alignment + 1,
                                     alignment - 1,
                                     3 * alignment};
        void* blocks[2 * std::size(sizes)];
        for (std::size_t at = 0; at < std::size(blocks); ++at) {
            const std::size_t size = sizes[at / 2];
            note("alignment, size", alignment, size);
            blocks[at] = allocate(alignment, size);
            EXPECT(blocks[at] != nullptr && is_aligned(blocks[at], alignment));
            EXPECT(malloc_usable_size(blocks[at]) >= size);
            fill(blocks[at], malloc_usable_size(blocks[at]), at);
        }
        for (std::size_t at = 0; at < std::size(blocks); ++at) {
            const std::size_t size = sizes[at / 2];
            note("alignment, size", alignment, size);
            EXPECT(is_filled(blocks[at], malloc_usable_size(blocks[at]), at));
            if (at % 3 == 0) {
                blocks[at] = realloc(blocks[at], size + 100);
                EXPECT(blocks[at] != nullptr && is_filled(blocks[at], size, at));
            }
        }
        for (void* block : blocks) {
            free(block);
        }
    }
}

}  // namespace

CASE("posix_memalign aligns to every power of two") { check_alignments(by_posix, sizeof(void*)); }
CASE("aligned_alloc aligns to every power of two") { check_alignments(aligned_alloc, 1); }
CASE("memalign aligns to every power of two") { check_alignments(memalign, 1); }

CASE("alignments of many MiB") {
    for (std::size_t alignment = std::size_t{2} << 20; alignment <= std::size_t{1} << 30; alignment *= 2) {
        note("alignment", alignment);
        for (const std::size_t size : {std::size_t{1}, std::size_t{100000}, std::size_t{3} << 20}) {
            void* block = aligned_alloc(alignment, size);
            EXPECT(block != nullptr && is_aligned(block, alignment));
            if (block != nullptr) {
                fill(block, size, 1);
                EXPECT(is_filled(block, size, 1));
            }
            free(block);
        }
    }
}

CASE("posix_memalign refuses alignments that are no power of two times a pointer, and touches nothing") {
    for (const std::size_t alignment : {0UL, 1UL, 2UL, 4UL, 3UL, 7UL, 12UL, 24UL, 40UL, 100UL, 4095UL, 4097UL, ~0UL}) {
        note("alignment", alignment);
        void* block = &block;
        errno = 4711;
        EXPECT(posix_memalign(&block, alignment, 100) == EINVAL);
        EXPECT(block == &block);
        EXPECT(errno == 4711);
    }
}

CASE("posix_memalign without memory says so by its value and leaves the pointer") {
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 63, std::size_t{PTRDIFF_MAX}, std::size_t{1} << 47}) {
        for (const std::size_t alignment : {8UL, 64UL, 4096UL, 1UL << 20}) {
            note("alignment, size", alignment, size);
            void* block = &block;
            EXPECT(posix_memalign(&block, alignment, opaque(size)) == ENOMEM);
            EXPECT(block == &block);
        }
    }
}

CASE("memalign and aligned_alloc take the next power of two for any alignment, and malloc's for none") {
    for (Aligned* allocate : {&memalign, &aligned_alloc}) {
        for (std::size_t alignment = 0; alignment < 5000; alignment += alignment < 100 ? 1 : 37) {
            std::size_t power = 1;
            while (power < alignment) {
                power *= 2;
            }
            note("alignment", alignment);
            void* block = allocate(opaque(alignment), 100);
            EXPECT(block != nullptr && is_aligned(block, power < 16 ? 16 : power));
            free(block);
        }
    }
}

CASE("an alignment beyond half of the addresses is no argument; one that no memory can have is refused") {
    for (Aligned* allocate : {&memalign, &aligned_alloc}) {
        errno = 0;
        EXPECT(allocate(opaque(SIZE_MAX / 2 + 2), 1) == nullptr);
        EXPECT(errno == EINVAL);
        errno = 0;
        EXPECT(allocate(opaque(SIZE_MAX / 2 + 1), 1) == nullptr);
        EXPECT(errno == ENOMEM);
        errno = 0;
        EXPECT(allocate(opaque(std::size_t{1} << 48), 1) == nullptr);
        EXPECT(errno == ENOMEM);
    }
}

CASE("valloc gives whole pages' alignment, pvalloc whole pages") {
    for (const std::size_t size : kSizes) {
        note("size", size);
        void* page = valloc(size);
        EXPECT(page != nullptr && is_aligned(page, kPage) && malloc_usable_size(page) >= size);
        void* pages = pvalloc(size);
        EXPECT(pages != nullptr && is_aligned(pages, kPage) && malloc_usable_size(pages) >= (size + kPage - 1) / kPage * kPage);
        fill(page, size, 1);
        fill(pages, malloc_usable_size(pages), 2);
        EXPECT(is_filled(page, size, 1));
        free(page);
        free(pages);
    }
}

CASE("realloc and usable size know aligned blocks") {
    Random random;
    for (int turn = 0; turn < 3000; ++turn) {
        const std::size_t alignment = std::size_t{1} << random.below(17);
        const std::size_t size = random.size(100000);
        const std::size_t next = random.size(100000) + 1;
        note("alignment, size", alignment, size);
        void* block = memalign(alignment, size);
        EXPECT(block != nullptr && is_aligned(block, alignment));
        fill(block, size, size);
        void* other = turn % 2 == 0 ? memalign(alignment, next) : nullptr;
        void* fresh = realloc(block, next);
        EXPECT(fresh != nullptr && is_filled(fresh, size < next ? size : next, size));
        free(fresh);
        free(other);
    }
}
