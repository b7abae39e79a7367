// What is said when a heap is given a block that it cannot take: the facts, and what to do next.
#pragma once

#include <cstddef>

#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// The block's header says that it is free already.
[[noreturn]] HEAPWRIGHT_COLD void refuse_freed_heap_block(const void* block) noexcept;

/// What lies before the address is no header that this heap can have written.
[[noreturn]] HEAPWRIGHT_COLD void refuse_damaged_heap_block(const void* block) noexcept;

/// The block is too small to have been asked for with this size.
[[noreturn]] HEAPWRIGHT_COLD void refuse_heap_block_size(const void* block, std::size_t said_bytes, std::size_t usable_bytes) noexcept;

}  // namespace heapwright::detail
