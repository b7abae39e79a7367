// A heap of one's own: blocks of any size, freed one by one or all at once.
#pragma once

#include <cstddef>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/statistics.hpp>
#include <heapwright/base/layout.hpp>

namespace heapwright {

/// Whether spans of a heap may share memory (docs/manual/libheapwright.md, "Meshing").
using heap::Compaction;

struct HeapOptions {
    /// In spans of 64 KiB and more, 0 for no limit; what would exceed it is refused.
    std::size_t limit_bytes = 0;
    /// Its own word against the process's `compaction` setting. The clock does it, and default_heap::trim() at once, for all heaps.
    Compaction compaction = Compaction::as_process;
};

/// A general-purpose heap beside the one behind malloc: for a plugin, a request or a tenant, with a limit and an account of
/// its own, and released whole.
///
/// A block may be freed through any Heap object or through free() of libheapwright: it goes home.
///
/// Thread safety: any thread allocates and frees; each has spans of its own. The destructor requires that no thread uses
///                the heap any more; threads that used it may end at the same time.
/// Cost:     about 25 instructions a block while the thread's span has blocks; 3 KiB for each thread that uses the heap.
/// Source:   a size-segregated heap with thread-local free lists, after Leijen, Zorn, de Moura, "Mimalloc: Free List
///           Sharding in Action" (2019).
/// Example:
///   Heap tenant({.limit_bytes = 64 << 20});
///   void* block = tenant.allocate(300);  // nullptr once 64 MiB are in use
///   tenant.release(block);
class Heap {
public:
    explicit Heap(HeapOptions options = {}) noexcept;
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    /// Takes back every block, live or not.
    ~Heap();

    /// As default_heap::allocate(). Returns: nullptr when memory or the limit is exhausted.
    [[nodiscard]] void* allocate(std::size_t bytes) noexcept;
    /// As allocate(); every byte is zero.
    [[nodiscard]] void* allocate_zeroed(std::size_t bytes) noexcept;
    /// As allocate(), at a multiple of `alignment`. Requires: a power of two.
    [[nodiscard]] void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept;
    /// Makes the block at least `bytes` long; it may move. nullptr leaves it as it was.
    ///
    /// Requires: a block of this heap.
    [[nodiscard]] void* reallocate(void* block, std::size_t bytes) noexcept;
    /// Gives a block back; nullptr is none.
    void release(void* block) noexcept;
    /// Bytes that may be used at `block`; 0 for nullptr.
    [[nodiscard]] std::size_t usable_bytes(const void* block) const noexcept;
    /// Whether a block of this heap lies there. Any address may be asked about.
    [[nodiscard]] bool owns(const void* address) const noexcept;

    /// Of this heap alone: dirty, retained, committed and reserved bytes, and what is meshed, belong to the process and are 0 here.
    [[nodiscard]] HeapStatistics statistics() const noexcept;
    /// Bytes of its spans, which the limit counts.
    [[nodiscard]] std::size_t span_bytes() const noexcept { return core_.span_bytes(); }
    /// Whether its spans may share memory: as its options say, where this process may mesh at all.
    [[nodiscard]] bool is_meshing() const noexcept;

    /// As a BlockSource.
    [[nodiscard]] void* try_allocate(Layout layout) noexcept { return allocate_aligned(layout.size, layout.alignment); }
    void deallocate(void* block, Layout /*unused*/) noexcept { release(block); }

    /// The name of the first invariant that does not hold, or nullptr. Requires: no thread uses the heap meanwhile.
    [[nodiscard]] const char* broken_invariant() const noexcept { return core_.broken_invariant(); }

private:
    friend class Evacuation;
    [[nodiscard]] void* allocate_class(heap::SizeClass size_class, bool may_borrow, bool& is_zero) noexcept;

    mutable heap::HeapCore core_;
};

}  // namespace heapwright
