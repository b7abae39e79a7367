// Every form of operator new and delete. What is told about the size of a block to be deleted is never believed: the hardened heap checks it.
#include <cstddef>
#include <new>

#include "new_failure.hpp"
#include "served_heap.hpp"

#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace {

namespace heap = heapwright::preload::served_heap;
using heapwright::preload::new_again;
using heapwright::preload::new_again_quietly;
using heapwright::preload::release;
using heapwright::preload::release_sized;

/// One try, here and not in a function of its own: who called is the caller of operator new.
HEAPWRIGHT_ALWAYS_INLINE void* take(std::size_t bytes, std::size_t alignment) noexcept {
    return heapwright::is_power_of_two(alignment) ? heap::allocate_aligned(bytes, alignment) : nullptr;
}

HEAPWRIGHT_ALWAYS_INLINE void* make(std::size_t bytes) {
    void* block = heap::allocate(bytes);
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : new_again(bytes, 0);
}

HEAPWRIGHT_ALWAYS_INLINE void* make_quietly(std::size_t bytes) noexcept {
    void* block = heap::allocate(bytes);
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : new_again_quietly(bytes, 0);
}

HEAPWRIGHT_ALWAYS_INLINE void* make(std::size_t bytes, std::align_val_t alignment) {
    void* block = take(bytes, static_cast<std::size_t>(alignment));
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : new_again(bytes, static_cast<std::size_t>(alignment));
}

HEAPWRIGHT_ALWAYS_INLINE void* make_quietly(std::size_t bytes, std::align_val_t alignment) noexcept {
    void* block = take(bytes, static_cast<std::size_t>(alignment));
    return HEAPWRIGHT_LIKELY(block != nullptr) ? block : new_again_quietly(bytes, static_cast<std::size_t>(alignment));
}

}  // namespace

HEAPWRIGHT_EXPORT void* operator new(std::size_t bytes) { return make(bytes); }
HEAPWRIGHT_EXPORT void* operator new[](std::size_t bytes) { return make(bytes); }
HEAPWRIGHT_EXPORT void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return make_quietly(bytes); }
HEAPWRIGHT_EXPORT void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return make_quietly(bytes); }
HEAPWRIGHT_EXPORT void* operator new(std::size_t bytes, std::align_val_t alignment) { return make(bytes, alignment); }
HEAPWRIGHT_EXPORT void* operator new[](std::size_t bytes, std::align_val_t alignment) { return make(bytes, alignment); }
HEAPWRIGHT_EXPORT void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return make_quietly(bytes, alignment);
}
HEAPWRIGHT_EXPORT void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return make_quietly(bytes, alignment);
}

HEAPWRIGHT_EXPORT void operator delete(void* block) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete[](void* block) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete(void* block, std::size_t bytes) noexcept { release_sized(block, bytes); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::size_t bytes) noexcept { release_sized(block, bytes); }
HEAPWRIGHT_EXPORT void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete(void* block, std::align_val_t) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::align_val_t) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete(void* block, std::size_t bytes, std::align_val_t) noexcept { release_sized(block, bytes); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::size_t bytes, std::align_val_t) noexcept { release_sized(block, bytes); }
HEAPWRIGHT_EXPORT void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept { release(block); }
HEAPWRIGHT_EXPORT void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept { release(block); }
