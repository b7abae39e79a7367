// malloc and its relatives, with the values, the errno and the refusals of glibc 2.36.
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "family.hpp"
#include "served_heap.hpp"

#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace {

namespace heap = heapwright::preload::served_heap;
using heapwright::preload::kPageBytes;
using heapwright::preload::refuse;
using heapwright::preload::release;
using heapwright::preload::release_sized;

HEAPWRIGHT_ALWAYS_INLINE void* or_refuse(void* block) noexcept { return HEAPWRIGHT_LIKELY(block != nullptr) ? block : refuse(); }

/// realloc(block, 0) releases, as glibc's does: then nullptr is no failure and errno stays.
HEAPWRIGHT_ALWAYS_INLINE void* resize(void* block, std::size_t bytes) noexcept {
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        return or_refuse(heap::allocate(bytes));
    }
    if (HEAPWRIGHT_UNLIKELY(bytes == 0)) {
        release(block);
        return nullptr;
    }
    return or_refuse(heap::reallocate(block, bytes));
}

/// memalign of glibc: an alignment that is no power of two becomes the next one, none at all is malloc's.
/// Inline, as all that asks for a block: who called is the caller of the exported function.
HEAPWRIGHT_ALWAYS_INLINE void* allocate_at(std::size_t alignment, std::size_t bytes) noexcept {
    constexpr std::size_t kMallocAlignment = 16;
    constexpr std::size_t kAlignmentMax = SIZE_MAX / 2 + 1;
    if (alignment <= kMallocAlignment) {
        // Blocks of at most 8 bytes are aligned to 8 only.
        return or_refuse(alignment > 8 ? heap::allocate_aligned(bytes, kMallocAlignment) : heap::allocate(bytes));
    }
    if (HEAPWRIGHT_UNLIKELY(alignment > kAlignmentMax)) {
        errno = EINVAL;
        return nullptr;
    }
    return or_refuse(heap::allocate_aligned(bytes, std::size_t{1} << heapwright::log2_ceil(alignment)));
}

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT HEAPWRIGHT_HOT void* malloc(std::size_t bytes) { return or_refuse(heap::allocate(bytes)); }

HEAPWRIGHT_EXPORT HEAPWRIGHT_HOT void free(void* block) { release(block); }

HEAPWRIGHT_EXPORT void* calloc(std::size_t count, std::size_t bytes_each) {
    std::size_t bytes = 0;
    if (HEAPWRIGHT_UNLIKELY(__builtin_mul_overflow(count, bytes_each, &bytes))) {
        return refuse();
    }
    return or_refuse(heap::allocate_zeroed(bytes));
}

HEAPWRIGHT_EXPORT void* realloc(void* block, std::size_t bytes) { return resize(block, bytes); }

HEAPWRIGHT_EXPORT void* reallocarray(void* block, std::size_t count, std::size_t bytes_each) {
    std::size_t bytes = 0;
    if (HEAPWRIGHT_UNLIKELY(__builtin_mul_overflow(count, bytes_each, &bytes))) {
        return refuse();
    }
    return resize(block, bytes);
}

HEAPWRIGHT_EXPORT void cfree(void* block) { release(block); }

// C23's forms tell the size again. A wrong one is a fault of the program; only the hardened heap looks at it.
HEAPWRIGHT_EXPORT void free_sized(void* block, std::size_t bytes) { release_sized(block, bytes); }
HEAPWRIGHT_EXPORT void free_aligned_sized(void* block, std::size_t, std::size_t bytes) { release_sized(block, bytes); }

HEAPWRIGHT_EXPORT int posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
    if (alignment % sizeof(void*) != 0 || !heapwright::is_power_of_two(alignment)) {
        return EINVAL;
    }
    void* block = allocate_at(alignment, bytes);
    if (block == nullptr) {
        return ENOMEM;
    }
    *result = block;
    return 0;
}

HEAPWRIGHT_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return allocate_at(alignment, bytes); }
HEAPWRIGHT_EXPORT void* memalign(std::size_t alignment, std::size_t bytes) { return allocate_at(alignment, bytes); }
HEAPWRIGHT_EXPORT void* valloc(std::size_t bytes) { return allocate_at(kPageBytes, bytes); }

HEAPWRIGHT_EXPORT void* pvalloc(std::size_t bytes) {
    std::size_t padded = 0;
    if (HEAPWRIGHT_UNLIKELY(__builtin_add_overflow(bytes, kPageBytes - 1, &padded))) {
        return refuse();
    }
    return allocate_at(kPageBytes, padded & ~(kPageBytes - 1));
}

HEAPWRIGHT_EXPORT std::size_t malloc_usable_size(void* block) { return heap::usable_bytes(block); }

}  // extern "C"
