// Which blocks are live: one bit for every eight bytes of a region, where nobody who writes beside a block can reach it.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/thread_safety.hpp>

namespace heapwright::heap {

/// What became of a block that was to be marked as live.
enum class Marked : std::uint8_t {
    now,        ///< it was free
    before,     ///< it is live already: somebody else holds it
    no_memory,  ///< there is none for its bit
};

/// Requires: `block` lies in a region, at a multiple of eight bytes.
/// Cost:     one atomic operation on a word that neighbours of 512 bytes share.
/// Thread safety: any thread; of two that mark or unmark the same block, one is first.
[[nodiscard]] Marked mark_live(const void* block) noexcept;
/// Returns: whether it was live. Any address may be asked about.
[[nodiscard]] bool unmark_live(const void* block) noexcept;
[[nodiscard]] bool is_live(const void* block) noexcept;
/// The live block that begins last at or before `address`; nullptr when there is none in the region.
/// Cost: a walk over the bits, for last words only.
[[nodiscard]] const void* live_block_before(const void* address) noexcept;

/// Around fork.
void lock_live_bits() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void unlock_live_bits() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void reset_live_bits_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

}  // namespace heapwright::heap
