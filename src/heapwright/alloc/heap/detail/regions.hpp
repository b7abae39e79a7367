// All regions of the process together, and memory for the heap's own objects.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/region.hpp>

namespace heapwright::heap {

/// A run of slices from any region; the first call reserves the first region.
///
/// Returns: nullptr when memory or addresses are exhausted.
[[nodiscard]] Span* take_slices(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept;
/// Gives a run back to the region it came from.
void give_slices(Span* head) noexcept;
[[nodiscard]] bool extend_slices(Span* head, std::uint32_t wanted, bool& is_zero) noexcept;
/// Gives the end of a run back. Requires: 0 < wanted < head->slices.
void shorten_slices(Span* head, std::uint32_t wanted) noexcept;

/// The record of the slice that `address` lies in; nullptr outside every region.
[[nodiscard]] Span* find_span(const void* address) noexcept;

/// Zeroed memory that is never given back. Returns nullptr when exhausted.
[[nodiscard]] void* allocate_metadata(std::size_t bytes) noexcept;

/// Region::purge() of all regions.
std::size_t purge_regions(std::uint32_t before, bool all) noexcept;
[[nodiscard]] std::size_t dirty_bytes() noexcept;

/// Free memory does not wait for the clock where the heap's memory would come to more than so many bytes; 0: it always waits.
void set_ceiling(std::size_t bytes) noexcept;
/// Whether the heap's memory, free memory that still is in place included, and `more` come to more than the ceiling.
[[nodiscard]] bool is_above_ceiling(std::size_t more) noexcept;

template <class Visitor>
void for_each_region(Visitor visit) noexcept {
    for (Region* region = &g_region; region != nullptr;
         region = region->next.load(std::memory_order_acquire)) {  // pairs with take_slices()
        visit(*region);
    }
}

/// Around fork.
void lock_regions() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void unlock_regions() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void reset_region_locks_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

}  // namespace heapwright::heap
