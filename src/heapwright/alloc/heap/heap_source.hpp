// The process's heap as a source of blocks: what an arena, a pool or any other allocator may stand on.
#pragma once

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/base/block_source.hpp>

namespace heapwright {

/// A BlockSource over default_heap. It has no state: any of them frees what another gave, in any thread.
///
/// Cost:     of default_heap::allocate() and release(); alignments up to 16 take the inline path.
/// Thread safety: any thread.
/// Example:  Pool pool{{.size = 48, .alignment = 8}, kHeap};
struct HeapSource {
    /// Returns:  a block of at least layout.size bytes at a multiple of layout.alignment; nullptr when memory is exhausted.
    [[nodiscard]] static void* try_allocate(Layout layout) noexcept {
        if (layout.alignment <= heap::kSmallestBytes || (layout.alignment <= 16 && layout.size > heap::kSmallestBytes)) {
            return default_heap::allocate(layout.size);
        }
        return default_heap::allocate_aligned(layout.size, layout.alignment);
    }

    /// Requires: `block` came from here or from default_heap. The layout is not believed: the heap knows its blocks.
    static void deallocate(void* block, Layout /*layout*/) noexcept { default_heap::release(block); }
};

static_assert(BlockSource<const HeapSource>);

/// The one that allocators are given: `Arena arena{kHeap};`
inline constexpr HeapSource kHeap{};

}  // namespace heapwright
