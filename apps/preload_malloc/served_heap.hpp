// Which heap serves the program: libheapwright.so has the default one, libheapwright-secure.so the hardened one.
#pragma once

#include <cstddef>

#if defined(HEAPWRIGHT_PRELOAD_HARDENED)
#include <heapwright/alloc/heap/hardened.hpp>
#else
#include <heapwright/alloc/heap/default_heap.hpp>
#endif
#include <heapwright/base/platform.hpp>

namespace heapwright::preload {

#if defined(HEAPWRIGHT_PRELOAD_HARDENED)
namespace served_heap = hardened_heap;
#else
namespace served_heap = default_heap;
#endif

/// The free of a whole program.
HEAPWRIGHT_ALWAYS_INLINE void release(void* block) noexcept {
#if defined(HEAPWRIGHT_PRELOAD_HARDENED)
    hardened_heap::release(block);
#else
    default_heap::release(block);
#endif
}

/// A free that tells the size again. The default heap does not depend on it.
HEAPWRIGHT_ALWAYS_INLINE void release_sized(void* block, std::size_t bytes) noexcept {
#if defined(HEAPWRIGHT_PRELOAD_HARDENED)
    hardened_heap::release_sized(block, bytes);
#else
    static_cast<void>(bytes);
    release(block);
#endif
}

}  // namespace heapwright::preload
