// Blocks that have a run of slices of their own: more than 64 KiB, or aligned to more than that.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/span.hpp>

namespace heapwright::heap {

class HeapCore;

/// Where a block of this size and alignment goes: into a class whose blocks lie at such multiples, or into a span of its own.
struct AlignedPlace {
    bool is_small = false;
    SizeClass size_class = 0;
    std::uint32_t slices = 1;  ///< alignment of the span
};
/// Requires: alignment is a power of two.
[[nodiscard]] AlignedPlace aligned_place(std::size_t bytes, std::size_t alignment) noexcept;

/// Returns: nullptr when exhausted. `is_zero`: every byte reads as zero.
[[nodiscard]] void* allocate_large(HeapCore& heap, std::size_t bytes, std::uint32_t alignment_slices, bool& is_zero) noexcept;
void release_large(Span* span) noexcept;
/// Makes a block that may hold anything zero.
void clear_large(void* block, std::size_t bytes) noexcept;

/// Makes the block longer or shorter where it lies. Returns false when what follows is in use.
[[nodiscard]] bool resize_large(Span* span, std::size_t bytes) noexcept;
/// Moves the block's pages to where there is room, without copying; nullptr when that is not worth it or not possible.
[[nodiscard]] void* move_large(Span* span, std::size_t bytes) noexcept;

}  // namespace heapwright::heap
