// What the threads of one heap share: the spans that nobody owns, and the caches.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/statistics.hpp>

namespace heapwright::heap {

/// What a heap says of meshing; `as_process`: what the default heap says.
enum class Compaction : std::uint8_t { as_process, off, mesh };

/// In spans of Heap objects.
extern constinit std::atomic<std::size_t> g_private_span_bytes;

/// Which of some lists hold something. It changes under the lock of the lists; others look whether it is worth taking that: a hint.
template <unsigned kLists>
class FilledLists {
public:
    [[nodiscard]] bool has(unsigned list) const noexcept {
        return (words_[list / kBits].load(std::memory_order_relaxed) >> (list % kBits) & 1) != 0;  // a hint
    }
    /// Whether one of them is `list`, or comes behind it.
    [[nodiscard]] bool has_from(unsigned list) const noexcept {
        std::uint64_t found = 0;
        for (unsigned word = list / kBits; word < kWords; ++word) {
            const std::uint64_t wanted = word == list / kBits ? ~std::uint64_t{0} << (list % kBits) : ~std::uint64_t{0};
            found |= words_[word].load(std::memory_order_relaxed) & wanted;  // as above
        }
        return found != 0;
    }
    /// Requires: the lock.
    void set(unsigned list, bool is_filled) noexcept {
        const std::uint64_t bit = std::uint64_t{1} << (list % kBits);
        const std::uint64_t others = words_[list / kBits].load(std::memory_order_relaxed) & ~bit;  // the lock orders
        words_[list / kBits].store(others | (is_filled ? bit : 0), std::memory_order_relaxed);     // as above
    }

private:
    static constexpr unsigned kBits = 64;
    static constexpr unsigned kWords = (kLists + kBits - 1) / kBits;
    std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

/// One heap.
///
///   HC1  every span in a list of abandoned spans is abandoned, in state dense, and of the list's class; or mixed, in the list of the
///        longest gap that it may have; which lists hold one is known
///
/// Thread safety: any thread.
class HeapCore {
public:
    constexpr HeapCore() noexcept = default;
    /// Of a Heap object: at most `limit_bytes` in spans, 0 for no limit.
    /// `payer`: whose limit counts its spans as well, or nullptr.
    explicit HeapCore(std::size_t limit_bytes, HeapCore* payer = nullptr) noexcept;
    HeapCore(const HeapCore&) = delete;
    HeapCore& operator=(const HeapCore&) = delete;

    [[nodiscard]] bool is_private() const noexcept { return id_ != 0; }
    /// Differs from that of every other heap, also of those that are gone; 0 is the default heap.
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    void set_limit(std::size_t bytes) noexcept { limit_bytes_.store(bytes, std::memory_order_relaxed); }           // a figure
    [[nodiscard]] std::size_t span_bytes() const noexcept { return span_bytes_.load(std::memory_order_relaxed); }  // as above

    void set_compaction(Compaction compaction) noexcept { compaction_.store(compaction, std::memory_order_relaxed); }  // a setting
    /// Whether its spans may share memory, as far as it is asked.
    [[nodiscard]] bool wants_meshing() const noexcept;

    /// A run of slices, counted and limited; nullptr when memory or the limit is exhausted.
    [[nodiscard]] Span* take(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept;
    void give(Span* span) noexcept;
    /// The same, of a span of blocks, which may be meshed.
    void give_blocks(Span* span) noexcept;
    [[nodiscard]] bool extend(Span* span, std::uint32_t wanted) noexcept;
    void shorten(Span* span, std::uint32_t wanted) noexcept;
    /// The cache that holds the large blocks of a Heap object; nullptr when memory is exhausted.
    [[nodiscard]] ThreadCache* home_of_large() noexcept;

    /// Gives everything back, live blocks too. Requires: no thread uses the heap any more.
    void discard_all() noexcept;

    /// The cache that the thread has already; nullptr when it has none.
    [[nodiscard]] ThreadCache* find(std::uintptr_t thread) noexcept;
    /// A cache for a thread: one that another thread left, or a new one.
    ///
    /// Returns: nullptr when memory is exhausted.
    [[nodiscard]] ThreadCache* obtain(std::uintptr_t thread, Sink** direct) noexcept;
    /// The thread is gone.
    void park(ThreadCache* cache) noexcept;

    /// Requires: the caller owns the span and has taken it out of its cache.
    void put_abandoned(Span* span) noexcept;
    /// Makes `thread` the owner of an abandoned span of the class that has room; nullptr when there is none.
    [[nodiscard]] Span* claim_any(SizeClass size_class, std::uintptr_t thread) noexcept;
    /// The same of one with blocks in shared pages, for who has no memory for a new span. Cost: a look at each abandoned span.
    [[nodiscard]] Span* claim_resting(SizeClass size_class, std::uintptr_t thread) noexcept;
    /// The same of one that is mixed and has a gap of so many granules, and of a sparse one that has blocks of a class of which none was
    /// claimed lately.
    [[nodiscard]] Span* claim_mixed(std::uint32_t granules, std::uintptr_t thread) noexcept;
    [[nodiscard]] Span* claim_to_mix(std::uintptr_t thread) noexcept;
    /// Frees a block into a span that nobody owns. Returns false where somebody does, or where so many blocks were freed into it that
    /// the caller had better adopt it.
    [[nodiscard]] bool put_into_abandoned(Span* span, FreeBlock* block) noexcept;
    /// Makes `thread` the owner of this one. Returns false when somebody else was faster.
    [[nodiscard]] bool claim(Span* span, std::uintptr_t thread) noexcept;

    /// Whether a thread waits for with_abandoned() to end, or what else takes as long: then it is let in. Requires: called by `act`.
    [[nodiscard]] bool is_awaited() const noexcept { return lock_.is_contended(); }
    /// Calls `act` while nobody can claim the span, if it is an abandoned one of this heap.
    template <class Act>
    void with_abandoned(const Span* span, Act act) noexcept {
        const os::LockGuard guard(lock_);
        // Under the lock an abandoned span stays so.
        if (span->owner.load(std::memory_order_relaxed) == owner::kAbandoned && span->is_private == is_private()) {
            act();
        }
    }

    /// Sends on what lies in mailboxes; `stale_only`: in those that their threads did not open since the last time.
    void forward_mail(bool stale_only) noexcept;
    /// Looks at abandoned spans that threads freed into: gives empty ones back, offers the others. One thread at a time; in between,
    /// others may have the lock.
    void sweep_abandoned() noexcept;

    /// Around fork.
    void lock_all() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void unlock_all() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void reset_locks_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    /// In the child: all threads but `survivor` are gone. Requires: the locks are reset.
    void after_fork_in_child(std::uintptr_t survivor) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

    /// Visits every cache that ever was. Their spans change unless their locks are held.
    template <class Visitor>
    void for_each_cache(Visitor visit) noexcept {
        const os::LockGuard guard(lock_);
        for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
            visit(*cache);
        }
    }
    /// Visits the spans that nobody owns.
    template <class Visitor>
    void for_each_abandoned(Visitor visit) noexcept {
        const os::LockGuard guard(lock_);
        for (const Span* span = all_abandoned_; span != nullptr; span = span->cache_next) {
            visit(*span);
        }
    }

    /// The name of the first invariant that does not hold, or nullptr. Requires: no thread uses the heap meanwhile.
    [[nodiscard]] const char* broken_invariant() noexcept;

    HeapCore* next = nullptr;  ///< all heaps of the process, the default one first

private:
    [[nodiscard]] bool count(std::uint32_t slices) noexcept;
    HEAPWRIGHT_ALWAYS_INLINE void uncount(std::uint32_t slices) noexcept {
        span_bytes_.fetch_sub(std::size_t{slices} * kSliceBytes, std::memory_order_relaxed);  // a figure
        if (HEAPWRIGHT_UNLIKELY(payer_ != nullptr)) {
            payer_->span_bytes_.fetch_sub(std::size_t{slices} * kSliceBytes, std::memory_order_relaxed);  // as above
            payer_->count_private(std::size_t{0} - std::size_t{slices} * kSliceBytes);
        }
        count_private(std::size_t{0} - std::size_t{slices} * kSliceBytes);
    }
    /// Bytes more, or modulo 2^64 less, in spans of Heap objects: of those that no payer counts as well.
    HEAPWRIGHT_ALWAYS_INLINE void count_private(std::size_t bytes) const noexcept {
        if (HEAPWRIGHT_UNLIKELY(is_private() && payer_ == nullptr)) {
            g_private_span_bytes.fetch_add(bytes, std::memory_order_relaxed);  // a figure
        }
    }
    void link(Span* span) noexcept;
    void unlink(Span* span) noexcept;
    void offer(Span* span) noexcept;
    void withdraw(Span* span) noexcept;
    void offer_anew(Span* span) noexcept;
    [[nodiscard]] bool sweep_some(Span*& empty, bool& is_wanted) noexcept;

    /// Lists of mixed spans by the bits of their longest gap's length in granules.
    static constexpr unsigned kGapBins = std::bit_width(kGranulesOfSlice) + 1;

    os::SpinLock lock_;
    std::array<Span*, kClassCount> abandoned_{};  // with free blocks, or slots to carve
    FilledLists<kClassCount> offered_;            // of those
    std::array<Span*, kGapBins> abandoned_mixed_{};
    FilledLists<kGapBins> offered_mixed_;         // of those
    std::array<bool, kClassCount> is_claimed_{};  // spans of the class, lately
    std::uint32_t claims_to_mix_ = 0;             // since that began
    Span* all_abandoned_ = nullptr;
    Span* sweep_at_ = nullptr;  // in that list: what a sweep looks at next
    ThreadCache* caches_ = nullptr;
    ThreadCache* parked_ = nullptr;
    ThreadCache* large_ = nullptr;
    std::uint64_t id_ = 0;
    HeapCore* payer_ = nullptr;
    std::atomic<std::size_t> limit_bytes_{0};
    std::atomic<std::size_t> span_bytes_{0};
    std::atomic<Compaction> compaction_{Compaction::as_process};
};

/// The heap behind malloc.
extern constinit HeapCore g_default_core;

/// Visits the default heap and all Heap objects' heaps. Requires: lock_heaps(), or nobody else.
template <class Visitor>
void for_each_heap(Visitor visit) noexcept {
    for (HeapCore* heap = &g_default_core; heap != nullptr; heap = heap->next) {
        visit(*heap);
    }
}
/// Makes a Heap object's heap known for fork, and unknown.
void enlist_heap(HeapCore& heap) noexcept;
void delist_heap(HeapCore& heap) noexcept;
void lock_heaps() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void unlock_heaps() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void reset_heap_locks_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

/// Adds the heap's spans and caches up.
void add_heap(HeapStatistics& sum, HeapCore& heap) noexcept;

/// Caches of heaps that are gone, for any heap. Requires: in no list.
void spare_cache(ThreadCache* cache) noexcept;

}  // namespace heapwright::heap
