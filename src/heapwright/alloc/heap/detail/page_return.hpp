// Whole free pages inside spans that are in use: their memory goes back, and their blocks come back with it when needed.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/span.hpp>

namespace heapwright::heap {

/// A span is given back in so many units at most: a page each, two pages where the span is of four slices.
inline constexpr std::uint32_t kUnitsOfSpan = 32;

/// Bytes of one unit, of which Span::absent has a bit.
[[nodiscard]] constexpr std::size_t unit_bytes(std::uint32_t slices) noexcept {
    return slices <= 2 ? 4096 : std::size_t{slices} * kSliceBytes / kUnitsOfSpan;
}
static_assert(unit_bytes(1) * 16 == kSliceBytes && unit_bytes(kMostSpanSlices) * kUnitsOfSpan == kMostSpanSlices * kSliceBytes);

/// Blocks of the span that are in no list, because a unit that they reach into has no memory, or because the span is meshed.
/// Cost: a division for each run of such units.
[[nodiscard]] std::uint32_t absent_blocks_slow(const Span* span) noexcept;
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t absent_blocks(const Span* span) noexcept {
    return HEAPWRIGHT_LIKELY(span->absent() == 0) ? 0 : absent_blocks_slow(span);
}

/// Of those, the ones that malloc leaves where they are: they reach into pages that a meshed span shares.
[[nodiscard]] std::uint32_t resting_blocks_slow(const Span* span) noexcept;
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t resting_blocks(const Span* span) noexcept {
    return HEAPWRIGHT_LIKELY(!span->is_meshed()) ? 0 : resting_blocks_slow(span);
}

/// Whether malloc finds no block in a span that is not active, not even among those that others freed.
[[nodiscard]] inline bool rests(const Span* span) noexcept {
    return span->local_free == nullptr && !span->has_uncarved() && absent_blocks(span) == resting_blocks(span) &&
           span->remote.load(std::memory_order_relaxed) <= kWantsNotice;  // a hint; who takes them acquires
}

/// Clears the bits of the blocks that reach into absent units. Requires: the span is not meshed.
void clear_absent_blocks(const Span* span, std::uint64_t* bits) noexcept;

/// Bytes of the units of `absent`, of a span of so many slices.
[[nodiscard]] std::size_t absent_bytes(std::uint32_t absent, std::uint32_t slices) noexcept;

/// Gives the memory of those units back that consist of free blocks, and of slots that never were any.
///
/// `is_alone`: nobody else looks at the span. Otherwise its thread may put blocks onto local_free meanwhile, and nothing else:
/// the first block of the list stays where it is, and its unit with it.
///
/// Requires: the span is not active; nobody takes from it meanwhile.
/// Returns:  bytes given back.
/// Cost:     one or two walks of the free list, one madvise for each run of units.
std::size_t return_units(Span* span, bool is_alone) noexcept;

/// Takes back as many units as bring at least one block to local_free. Returns false when there are none; then no unit is absent.
/// Requires: the caller owns the span.
bool take_units_back(Span* span) noexcept;

/// Whether all blocks ever made of the span are free, those that other threads sent home included: then no thread has
/// anything to do with it any more, but where its owner is about to notice.
/// Requires: as return_units().  Returns: false in that case, too.
[[nodiscard]] bool is_dead(Span* span) noexcept;

}  // namespace heapwright::heap
