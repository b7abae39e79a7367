// The heap behind the hardened malloc: the same heap, and whoever misuses a block of it is stopped.
#pragma once

#include <cstddef>

#include <heapwright/alloc/heap/default_heap.hpp>

/// default_heap with checks, for libheapwright-secure.so and programs that want every fault of theirs to show.
///
/// Stops the program with one line that names the fault, the address and the size, by SIGABRT, on
///   - the second free of a block, by any thread, at any time until the block is handed out again;
///   - a pointer that malloc did not return: inside a block, of free memory, of anything else;
///   - a block written beyond the bytes that were asked for, at its free, realloc or malloc_usable_size;
///   - a write to a freed block of at most 64 KiB while it waits: noticed when 256 KiB or 512 blocks were freed since by
///     the same thread, or when that thread ends;
///   - a size told at free that is not the one asked for.
/// Which free block of a size up to 1 KiB is handed out is a matter of chance.
///
/// Blocks of default_heap are not for this one, nor the other way round.
///
/// Cost:     about 500 instructions a pair of calls, of which filling and checking are a part that grows with the size; 8 bytes
///           a block, 1/64 of the heap for the bits, 256 KiB of waiting blocks and 11 KiB a thread.
/// Thread safety: any thread, before main and after exit handlers.
namespace heapwright::hardened_heap {

/// As default_heap's.
[[nodiscard]] void* allocate(std::size_t bytes) noexcept;
[[nodiscard]] void* allocate_zeroed(std::size_t bytes) noexcept;
[[nodiscard]] void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept;
[[nodiscard]] void* reallocate(void* block, std::size_t bytes) noexcept;
void release(void* block) noexcept;

/// Gives a block back that was asked for with so many bytes, or last made so long.
void release_sized(void* block, std::size_t bytes) noexcept;

/// Exactly what was asked for: what follows is guarded. 0 for nullptr.
[[nodiscard]] std::size_t usable_bytes(const void* block) noexcept;

/// As default_heap's; the blocks that this thread freed last do not wait any longer.
std::size_t trim() noexcept;

/// Blocks that wait count as allocated.
using default_heap::set_clock;
using default_heap::set_limit;
using default_heap::statistics;

void before_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void after_fork_in_parent() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
/// What waited in other threads stays where it is for ever.
void after_fork_in_child() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

}  // namespace heapwright::hardened_heap
