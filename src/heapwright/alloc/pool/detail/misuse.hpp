// What is said when a pool is given a block that it cannot take: the facts, and what to do next.
#pragma once

#include <cstddef>

#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// The address lies in none of the pool's slabs.
[[noreturn]] HEAPWRIGHT_COLD void refuse_foreign_block(const void* block, std::size_t block_bytes) noexcept;

/// The address lies in a slab, but not at the start of a slot.
[[noreturn]] HEAPWRIGHT_COLD void refuse_interior_block(const void* block, std::size_t offset_bytes, std::size_t block_bytes) noexcept;

/// The address is a slot's, but the pool has not given it yet.
[[noreturn]] HEAPWRIGHT_COLD void refuse_never_given(const void* block, std::size_t block_bytes) noexcept;

/// The slot was given and has come back already.
[[noreturn]] HEAPWRIGHT_COLD void refuse_double_free(const void* block, std::size_t block_bytes) noexcept;

/// A block is freed with a size that its class cannot have been asked for.
[[noreturn]] HEAPWRIGHT_COLD void refuse_wrong_size(const void* block, std::size_t said_bytes, std::size_t block_bytes) noexcept;

/// A pool ended while blocks of it were still in the program's hands.
[[noreturn]] HEAPWRIGHT_COLD void refuse_leak(std::size_t live_blocks, std::size_t block_bytes, const void* first_block) noexcept;

}  // namespace heapwright::detail
