// Tells AddressSanitizer, MemorySanitizer and Valgrind which bytes an allocator holds back, so that they see into it.
//
// Without them an allocator that keeps freed bytes hides use after free. Under ASan the hooks mark shadow memory; under MSan
// bytes that were held back count as never written; in other debug builds they are Valgrind client requests (a few
// instructions that do nothing outside Valgrind); in release builds they are nothing.
#pragma once

#include <cstddef>

#include <heapwright/base/platform.hpp>

#if HEAPWRIGHT_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#define HEAPWRIGHT_POISON_ASAN 1
#define HEAPWRIGHT_POISON_MSAN 0
#define HEAPWRIGHT_POISON_VALGRIND 0
#elif HEAPWRIGHT_UNDER_MSAN
#include <sanitizer/msan_interface.h>
#define HEAPWRIGHT_POISON_ASAN 0
#define HEAPWRIGHT_POISON_MSAN 1
#define HEAPWRIGHT_POISON_VALGRIND 0
#elif !defined(NDEBUG) && !HEAPWRIGHT_UNDER_TSAN && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HEAPWRIGHT_POISON_ASAN 0
#define HEAPWRIGHT_POISON_MSAN 0
#define HEAPWRIGHT_POISON_VALGRIND 1
#else
#define HEAPWRIGHT_POISON_ASAN 0
#define HEAPWRIGHT_POISON_MSAN 0
#define HEAPWRIGHT_POISON_VALGRIND 0
#endif

namespace heapwright {

/// Whether poison() has an effect that is_poisoned() can see.
inline constexpr bool kPoisoning = HEAPWRIGHT_POISON_ASAN != 0;

/// From now on a read or write of these bytes is an error. ASan rounds to 8 bytes: the first bytes of a partly
/// poisoned granule stay accessible only if they are the unpoisoned ones.
HEAPWRIGHT_ALWAYS_INLINE void poison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if HEAPWRIGHT_POISON_ASAN
    ASAN_POISON_MEMORY_REGION(memory, bytes);
#elif HEAPWRIGHT_POISON_MSAN
    __msan_allocated_memory(memory, bytes);
#elif HEAPWRIGHT_POISON_VALGRIND
    static_cast<void>(VALGRIND_MAKE_MEM_NOACCESS(memory, bytes));
#endif
}

/// These bytes may be used again; their contents count as undefined.
HEAPWRIGHT_ALWAYS_INLINE void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if HEAPWRIGHT_POISON_ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#elif HEAPWRIGHT_POISON_MSAN
    __msan_allocated_memory(memory, bytes);
#elif HEAPWRIGHT_POISON_VALGRIND
    static_cast<void>(VALGRIND_MAKE_MEM_UNDEFINED(memory, bytes));
#endif
}

/// These bytes may be used again and hold what they held before poison() (an allocator reading its own free list).
HEAPWRIGHT_ALWAYS_INLINE void unpoison_defined([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if HEAPWRIGHT_POISON_ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#elif HEAPWRIGHT_POISON_MSAN
    __msan_unpoison(memory, bytes);
#elif HEAPWRIGHT_POISON_VALGRIND
    static_cast<void>(VALGRIND_MAKE_MEM_DEFINED(memory, bytes));
#endif
}

/// Whether any of these bytes is poisoned. Always false where kPoisoning is false.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_poisoned([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if HEAPWRIGHT_POISON_ASAN
    return __asan_region_is_poisoned(const_cast<void*>(memory), bytes) != nullptr;
#else
    return false;
#endif
}

}  // namespace heapwright
