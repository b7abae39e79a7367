// Blocks that their program moves, so that sparse spans empty: for stores that know every pointer to what they keep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/alloc/heap/evacuation_figures.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

class Heap;

/// While it lives, malloc on this thread takes no block from the thread's sparsest spans, and should_move() tells which blocks lie
/// in them: allocate such a block anew, copy it, free the old one, and its span goes back to the operating system when it is empty.
///
/// The spans are chosen once, of each size as many as the fuller ones have room for, so that a program that moves what it is
/// told to and nothing else is left with the fewest spans there can be. Blocks freed into them are not used again meanwhile. A
/// program does it now and then, in steps of its own length, in between answering requests.
///
/// Of the thread that makes it: its blocks, and those of threads that are gone. Not of large blocks, which lie alone, nor of
/// spans that share memory (meshing).
///
/// Thread safety: one thread makes, asks and ends it. Others may allocate and free as always.
/// Failure:       none; where there is nothing to move, figures().blocks is 0.
/// Cost:          begin and end look at the record of each span of the thread, about 20 ns for each 64 KiB.
/// Source:        jemalloc's defragmentation hint, which Redis uses, compares a slab's use with the mean of its size; choosing
///                a set beforehand is what compacting collectors do (Detlefs et al., "Garbage-First", 2004).
/// Example:
///   Evacuation evacuation;
///   for (Entry*& entry : table) {
///       if (entry != nullptr && evacuation.should_move(entry)) {
///           entry = replace(entry);  // malloc, memcpy, free
///       }
///   }
class Evacuation {
public:
    /// Of the heap behind kHeap; behind malloc where the program links this library's.
    Evacuation() noexcept;
    explicit Evacuation(Heap& heap) noexcept;
    Evacuation(const Evacuation&) = delete;
    Evacuation& operator=(const Evacuation&) = delete;
    ~Evacuation();

    /// What there was to move when it began.
    [[nodiscard]] const EvacuationFigures& figures() const noexcept { return figures_; }

    /// Whether the block lies in a sparse span. False for any other address. Cost: 15 instructions, and no look at the block.
    [[nodiscard]] static HEAPWRIGHT_ALWAYS_INLINE bool should_move(const void* block) noexcept {
        const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - heap::g_first_base);
        if (HEAPWRIGHT_LIKELY(offset < heap::g_first_bytes)) {
            const heap::Span* const span = heap::g_first_records + (offset >> heap::kSliceLog2);
            if (HEAPWRIGHT_LIKELY(is_of_this_thread(*span))) {
                return span->state == heap::SpanState::leaving;
            }
        }
        return should_move_slow(block);
    }
    /// The same of many. Requires: as many answers as blocks. Returns: how many should move.
    static std::size_t should_move(std::span<const void* const> blocks, std::span<bool> answers) noexcept;

private:
    explicit Evacuation(heap::ThreadCache* cache) noexcept;
    [[nodiscard]] static HEAPWRIGHT_ALWAYS_INLINE bool is_of_this_thread(const heap::Span& span) noexcept {
        // Relaxed: it tells of this thread only if this thread wrote it.
        const std::uintptr_t strangeness = span.owner.load(std::memory_order_relaxed) ^ heap::thread_pointer();
        return (strangeness & ~heap::owner::kHandBits) == 0;
    }
    [[nodiscard]] static bool should_move_slow(const void* block) noexcept;

    heap::ThreadCache* cache_;
    EvacuationFigures figures_;
};

namespace default_heap {

/// An evacuation without an object, for those who cannot keep one: of the calling thread, until end_evacuation() on it.
EvacuationFigures begin_evacuation() noexcept;
void end_evacuation() noexcept;

}  // namespace default_heap

}  // namespace heapwright
