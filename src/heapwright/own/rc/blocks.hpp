// Where the blocks of counted objects come from, as a type: so that a handle need not carry it.
#pragma once

#include <concepts>
#include <cstddef>
#include <new>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

/// A source of blocks that is known by its type alone. A BlockSource with a state of its own goes with make_rc_in().
///
/// `kFindsLayout`: deallocate() needs no layout, as a heap that knows its blocks. Only then may a handle to a derived
/// object become one to its base, whose destructor is virtual but whose size is another.
template <class B>
concept StaticBlocks = requires(void* block, Layout layout) {
    { B::try_allocate(layout) } noexcept -> std::same_as<void*>;
    { B::deallocate(block, layout) } noexcept;
    { B::kFindsLayout } -> std::convertible_to<bool>;
};

/// Blocks of the process's heap: slots of equal size in spans of the thread, found again by their address.
///
/// Under AddressSanitizer and ThreadSanitizer they come from operator new, whose misuse these see.
/// Cost:     about 13 instructions to take and 9 to give back, any thread's.
struct HeapBlocks {
    static constexpr bool kFindsLayout = true;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static void* try_allocate(Layout layout) noexcept {
#if HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN
        return ::operator new(layout.size, std::align_val_t{layout.alignment}, std::nothrow);
#else
        // Blocks above 8 bytes are aligned to 16, and no counted object has less than its counts and a byte.
        return layout.alignment <= 16 && layout.size > 8 ? default_heap::allocate(layout.size)
                                                         : default_heap::allocate_aligned(layout.size, layout.alignment);
#endif
    }
    HEAPWRIGHT_ALWAYS_INLINE static void deallocate(void* block, [[maybe_unused]] Layout layout) noexcept {
#if HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN
        ::operator delete(block, std::align_val_t{layout.alignment});  // of the base, whose alignment is that of the derived
#else
        default_heap::release(block);
#endif
    }
};
static_assert(StaticBlocks<HeapBlocks>);

}  // namespace heapwright
