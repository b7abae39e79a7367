// Hints to the compiler and sizes of the machine, spelled once.
#pragma once

#include <cstddef>

#define HEAPWRIGHT_LIKELY(condition) __builtin_expect(static_cast<bool>(condition), 1)
#define HEAPWRIGHT_UNLIKELY(condition) __builtin_expect(static_cast<bool>(condition), 0)
#define HEAPWRIGHT_NOINLINE __attribute__((noinline))
#define HEAPWRIGHT_ALWAYS_INLINE inline __attribute__((always_inline))
#define HEAPWRIGHT_HOT __attribute__((hot))
#define HEAPWRIGHT_COLD __attribute__((cold, noinline))

/// Makes a symbol of a preload library visible; everything else is hidden.
#define HEAPWRIGHT_EXPORT __attribute__((visibility("default")))

#if defined(__has_feature)
#define HEAPWRIGHT_HAS_FEATURE(feature) __has_feature(feature)
#else
#define HEAPWRIGHT_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HEAPWRIGHT_HAS_FEATURE(address_sanitizer)
#define HEAPWRIGHT_UNDER_ASAN 1
#else
#define HEAPWRIGHT_UNDER_ASAN 0
#endif

#if HEAPWRIGHT_HAS_FEATURE(memory_sanitizer)
#define HEAPWRIGHT_UNDER_MSAN 1
#else
#define HEAPWRIGHT_UNDER_MSAN 0
#endif

#if defined(__SANITIZE_THREAD__) || HEAPWRIGHT_HAS_FEATURE(thread_sanitizer)
#define HEAPWRIGHT_UNDER_TSAN 1
#else
#define HEAPWRIGHT_UNDER_TSAN 0
#endif

namespace heapwright {

/// Distance that keeps two threads' data from sharing a line. Written out instead of taken from
/// std::hardware_destructive_interference_size, whose value may change with compiler flags and thereby the layout of
/// structures that two libraries share.
inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace heapwright
