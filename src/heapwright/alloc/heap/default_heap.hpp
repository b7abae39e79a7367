// The heap behind malloc: one a process, for every thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/alloc/heap/statistics.hpp>

namespace heapwright::default_heap {

namespace detail {

/// Where the exported function that this is inlined into was called: its return address is the word below. For the placement plan.
HEAPWRIGHT_ALWAYS_INLINE const std::uintptr_t* caller_frame() noexcept { return static_cast<const std::uintptr_t*>(__builtin_dwarf_cfa()); }

[[nodiscard]] void* allocate_slow(std::size_t bytes, const std::uintptr_t* frame) noexcept;
[[nodiscard]] void* allocate_zeroed_slow(std::size_t bytes, const std::uintptr_t* frame) noexcept;
[[nodiscard]] void* allocate_aligned_slow(std::size_t bytes, std::size_t alignment, const std::uintptr_t* frame) noexcept;
[[nodiscard]] void* move(void* block, std::size_t bytes, const std::uintptr_t* frame) noexcept;
void release_slow(void* block) noexcept;
void on_countdown(heap::Span* span, heap::Sink* sink) noexcept;

}  // namespace detail

/// A block of at least `bytes` bytes. Zero bytes make a block of the smallest class. Aligned to 16 bytes, blocks of at
/// most 8 bytes to 8.
///
/// Returns:  nullptr when memory or addresses are exhausted, or bytes exceeds PTRDIFF_MAX. errno is not touched.
/// Cost:     12 instructions up to 1 KiB while the list of the class has blocks.
/// Thread safety: any thread, before main and after exit handlers.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate(std::size_t bytes) noexcept {
    if (HEAPWRIGHT_LIKELY(bytes <= heap::kDirectBytes)) {
        heap::Sink* const list = heap::t_state.direct[(bytes + 7) / 8];
        heap::FreeBlock* const block = list->first;
        if (HEAPWRIGHT_LIKELY(block != nullptr)) {
            list->first = block->next;
            return block;
        }
    }
    return detail::allocate_slow(bytes, detail::caller_frame());
}

/// As allocate(); every byte is zero. Memory fresh from the kernel is not cleared again.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate_zeroed(std::size_t bytes) noexcept {
    if (HEAPWRIGHT_LIKELY(bytes <= heap::kDirectBytes)) {
        heap::Sink* const list = heap::t_state.direct[(bytes + 7) / 8];
        heap::FreeBlock* const block = list->first;
        if (HEAPWRIGHT_LIKELY(block != nullptr)) {
            list->first = block->next;
            return __builtin_memset(block, 0, bytes);
        }
    }
    return detail::allocate_zeroed_slow(bytes, detail::caller_frame());
}

/// As allocate(), at a multiple of `alignment`.
///
/// Cost:     20 instructions up to 1 KiB while the block that malloc would take lies at such a multiple.
/// Requires: alignment is a power of two.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
    if (alignment <= heap::kSmallestBytes || (alignment <= 16 && bytes > heap::kSmallestBytes)) {
        return allocate(bytes);
    }
    if (HEAPWRIGHT_LIKELY(bytes <= heap::kDirectBytes)) {
        // Blocks lie at multiples of their size, so what malloc takes next seldom lies otherwise where the size is a multiple.
        heap::Sink* const list = heap::t_state.direct[(bytes + 7) / 8];
        heap::FreeBlock* const block = list->first;
        const bool is_aligned = (reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)) == 0;
        if (HEAPWRIGHT_LIKELY(block != nullptr && is_aligned)) {
            list->first = block->next;
            return block;
        }
    }
    return detail::allocate_aligned_slow(bytes, alignment, detail::caller_frame());
}

/// Makes a block of any heap longer or shorter where it lies, or leaves it as it was and returns false.
///
/// Requires: block is not null.
[[nodiscard]] bool resize_in_place(void* block, std::size_t bytes) noexcept;

/// Makes the block at least `bytes` long; it may move. Large blocks grow in place or by moving their pages, not by copying.
///
/// Requires: block is not null and came from here.
/// Returns:  nullptr as allocate(); then the block is as it was.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* reallocate(void* block, std::size_t bytes) noexcept {
    return resize_in_place(block, bytes) ? block : detail::move(block, bytes, detail::caller_frame());
}

/// Gives the block back. Does nothing with nullptr. A pointer that no block of this heap can have stops the program with
/// one line that names the fault.
HEAPWRIGHT_ALWAYS_INLINE void release(void* block) noexcept {
    // The first region is reserved before there is a second thread; nullptr and addresses elsewhere are out of bounds.
    const auto offset = static_cast<std::size_t>(static_cast<char*>(block) - heap::g_first_base);
    if (HEAPWRIGHT_LIKELY(offset < heap::g_first_bytes)) {
        heap::Span* const span = heap::g_first_records + (offset >> heap::kSliceLog2);
        auto* const freed = static_cast<heap::FreeBlock*>(block);
        // Relaxed: it tells of this thread only if this thread wrote it.
        if (HEAPWRIGHT_LIKELY(span->owner.load(std::memory_order_relaxed) == heap::thread_pointer())) {
            heap::Sink* const sink = span->sink;
            if (HEAPWRIGHT_UNLIKELY(heap::push(sink, freed))) {
                detail::on_countdown(span, sink);
            }
            return;
        }
    }
    detail::release_slow(block);
}

/// Bytes that may be used at `block`: at least what was asked for. 0 for nullptr.
[[nodiscard]] std::size_t usable_bytes(const void* block) noexcept;

/// Gives all free memory back to the operating system now, and puts sparse spans together where meshing is on.
///
/// Returns:  bytes given back, and bytes that spans do without from now on because they share memory.
std::size_t trim() noexcept;

[[nodiscard]] HeapStatistics statistics() noexcept;

/// What the settings say; before the first block, or never.
void set_clock(std::uint64_t delay_ns, bool may_start_thread, bool is_on) noexcept;

/// From now on, spans whose blocks lie at different places share memory: the clock and trim() see to it.
///
/// Requires: before the first block, or never.
/// Returns:  false, after a line on stderr that says what is missing, where the process may not use userfaultfd, or not enough of it.
bool begin_meshing() noexcept;

/// Whether sparse spans become room for blocks of any size from now on, in Heap objects, too: so it is unless told otherwise. Those that
/// are so already stay so.
void set_mixing(bool may_mix) noexcept;

/// At most so many bytes in spans; 0 for no limit. What would exceed it is refused.
void set_limit(std::size_t bytes) noexcept;

/// Around fork: take the heap's locks, and let them go on either side. In the child, what other threads held stays held by
/// nobody; their free blocks are used again.
void before_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void after_fork_in_parent() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void after_fork_in_child() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

}  // namespace heapwright::default_heap
