// Large blocks: whole slices, grown in place or by moving their page tables.
#include <heapwright/alloc/heap/detail/large.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/probes.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace heapwright::heap {

namespace {

/// Below this, copying is cheaper than two changes of the page tables.
constexpr std::size_t kWorthMovingBytes = std::size_t{256} << 10;
/// Below this, clearing is cheaper than having pages replaced.
constexpr std::size_t kWorthDiscardingBytes = std::size_t{256} << 10;
/// More slices than any region has: no block is aligned so.
constexpr std::size_t kMostAlignment = std::size_t{1} << 30;
/// Each move leaves the kernel with more mappings, of which it allows 65530 in all.
constexpr std::uint32_t kMostMoves = 4096;

constinit std::atomic<std::uint32_t> g_moves{0};

/// More than pointers may differ by, or than slices are counted.
bool is_too_large(std::size_t bytes) noexcept { return bytes > PTRDIFF_MAX || (bytes >> kSliceLog2) >= (std::size_t{1} << 31); }
std::uint32_t pages_of(std::size_t bytes) noexcept { return static_cast<std::uint32_t>((bytes + os::kPageBytes - 1) / os::kPageBytes); }

/// Where no memory is left, but what this thread keeps at hand may hold some.
HEAPWRIGHT_COLD HEAPWRIGHT_NOINLINE Span* take_from_kept(HeapCore& heap, std::uint32_t slices, std::uint32_t alignment_slices,
                                                         bool& is_zero) noexcept {
    ThreadCache* const cache = heap.find(thread_pointer());  // and none is made now
    return cache != nullptr && cache->give_up_kept() ? heap.take(slices, alignment_slices, is_zero) : nullptr;
}

/// The heap of a large block: those of Heap objects are listed with a cache, those of the default heap with none.
HeapCore& heap_of(const Span* span) noexcept {
    const ThreadCache* const home = span->cache.load(std::memory_order_relaxed);  // does not change while the block lives
    return home == nullptr ? g_default_core : *home->heap();
}

std::uint32_t slices_for(std::size_t bytes) noexcept { return static_cast<std::uint32_t>((bytes + kSliceBytes - 1) >> kSliceLog2); }

/// By the logarithm of an alignment and a class: the next one whose blocks lie at such multiples, if they begin at one.
constexpr auto kAlignedClasses = [] {
    std::array<std::array<SizeClass, kClassCount>, kSliceLog2 + 1> classes{};
    for (unsigned log2 = 0; log2 <= kSliceLog2; ++log2) {
        auto next = static_cast<SizeClass>(kClassCount - 1);
        for (unsigned number = kClassCount; number-- > 0;) {
            next = bytes_of(static_cast<SizeClass>(number)) % (std::size_t{1} << log2) == 0 ? static_cast<SizeClass>(number) : next;
            classes[log2][number] = next;
        }
    }
    return classes;
}();
static_assert(bytes_of(kClassCount - 1) % kSliceBytes == 0, "the largest class does for every alignment");

}  // namespace

AlignedPlace aligned_place(std::size_t bytes, std::size_t alignment) noexcept {
    if (bytes <= kSmallBytes && alignment <= kSliceBytes) {
        // Blocks lie at multiples of their size from a multiple of 64 KiB.
        return {.is_small = true,
                .size_class = kAlignedClasses[static_cast<std::size_t>(std::countr_zero(alignment))][class_of(std::max(bytes, alignment))]};
    }
    // Too large an alignment is one that no run can have.
    return {.slices = static_cast<std::uint32_t>(std::clamp<std::size_t>(alignment >> kSliceLog2, 1, kMostAlignment))};
}

void* allocate_large(HeapCore& heap, std::size_t bytes, std::uint32_t alignment_slices, bool& is_zero) noexcept {
    if (is_too_large(bytes) || alignment_slices >= kMostAlignment) {
        HEAPWRIGHT_PROBE2(refused, bytes, heap.id());
        return nullptr;
    }
    bytes += bytes == 0 ? 1 : 0;
    ThreadCache* const home = heap.is_private() ? heap.home_of_large() : nullptr;
    if (heap.is_private() && home == nullptr) {
        return nullptr;
    }
    Span* span = heap.take(slices_for(bytes), alignment_slices, is_zero);
    if (HEAPWRIGHT_UNLIKELY(span == nullptr)) {
        span = take_from_kept(heap, slices_for(bytes), alignment_slices, is_zero);
        if (span == nullptr) {
            return nullptr;
        }
    }
    span->pages = pages_of(bytes);
    span->cache.store(nullptr, std::memory_order_relaxed);        // nobody holds the block yet
    span->owner.store(owner::kLarge, std::memory_order_relaxed);  // as above
    if (home != nullptr) {
        home->add(span);
    }
    return span->start;
}

void release_large(Span* span) noexcept {
    HeapCore& heap = heap_of(span);
    if (heap.is_private()) {
        span->cache.load(std::memory_order_relaxed)->drop(span);  // does not change while the block lives
    }
    heap.give(span);
}

void clear_large(void* block, std::size_t bytes) noexcept {
    // The kernel's zeroes come when they are touched; of a table of which little is used, little becomes resident.
    const std::size_t pages = std::size_t{pages_of(bytes)} * os::kPageBytes;
    if (bytes < kWorthDiscardingBytes || !os::discard(block, pages)) {
        __builtin_memset(block, 0, bytes);
    }
}

bool resize_large(Span* span, std::size_t bytes) noexcept {
    if (is_too_large(bytes)) {
        return false;
    }
    const std::uint32_t wanted = slices_for(bytes);
    if (wanted > span->slices && !heap_of(span).extend(span, wanted)) {
        return false;
    }
    if (wanted < span->slices) {
        heap_of(span).shorten(span, wanted);
    }
    span->pages = pages_of(bytes);
    return true;
}

void* move_large(Span* span, std::size_t bytes) noexcept {
    if (span->owner.load(std::memory_order_relaxed) != owner::kLarge) {  // does not change while the block lives
        return nullptr;
    }
    const std::size_t before = std::size_t{span->pages} * os::kPageBytes;
    if (before < kWorthMovingBytes || bytes <= before || g_moves.load(std::memory_order_relaxed) >= kMostMoves) {  // a count
        return nullptr;
    }
    bool is_zero = false;
    void* const moved = allocate_large(heap_of(span), bytes, 1, is_zero);
    if (moved == nullptr) {
        return nullptr;
    }
    if (!is_zero) {
        // It has memory already: a copy costs less than the page faults that moved pages leave behind.
        __builtin_memcpy(moved, span->start, before);
        release_large(span);
        return moved;
    }
    const long result = os::raw_syscall(SYS_mremap, span->start, before, before, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, moved);
    if (os::is_failure(result)) {
        release_large(find_span(moved));
        return nullptr;
    }
    g_moves.fetch_add(1, std::memory_order_relaxed);  // a count
    release_large(span);
    return moved;
}

}  // namespace heapwright::heap
