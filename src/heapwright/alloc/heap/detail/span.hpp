// The record of a span: what a heap knows of a run of slices. One record a slice, in a flat table.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/size_class.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::heap {

class ThreadCache;

/// A free block: the first word leads to the next.
struct FreeBlock {
    FreeBlock* next;
};

/// The block becomes the first of a list of the thread's own.
HEAPWRIGHT_ALWAYS_INLINE void put_first(FreeBlock*& list, FreeBlock* block) noexcept {
    block->next = list;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the block rather than have it twice
    list = block;
}

/// Where a thread puts the blocks that it frees: a list, and how many more until something is to be done.
struct Sink {
    FreeBlock* first = nullptr;
    std::uint32_t countdown = 0;
};

/// Who may free into a span without asking: a thread, by its thread pointer; or nobody, for one of these reasons. Thread
/// pointers are multiples of 16.
namespace owner {
inline constexpr std::uintptr_t kFree = 0;       ///< a slice in no span; fresh records are zero
inline constexpr std::uintptr_t kAbandoned = 6;  ///< a span of blocks whose thread is gone
inline constexpr std::uintptr_t kAskBit = 2;     ///< thread pointer | this: its owner asks before it frees into it
inline constexpr std::uintptr_t kHandBits = 3;   ///< thread pointer | this: its owner keeps a block at hand, or counts it
inline constexpr std::uintptr_t kInterior = 2;   ///< not the first slice of a span
inline constexpr std::uintptr_t kLarge = 4;      ///< a span that is one block
inline constexpr std::uintptr_t kMetadata = 8;   ///< the heap's own
inline constexpr std::uintptr_t kNobody = 10;    ///< a span of a cache that threads share under a lock
inline constexpr std::uintptr_t kBump = 12;      ///< a chunk of a bump place, alone: of nobody; thread pointer | this: of that thread

/// Whether it is large, abandoned, or a chunk of a bump place.
[[nodiscard]] constexpr bool is_unusual(std::uintptr_t owner) noexcept { return (owner & kLarge) != 0; }
/// Whether it is a thread, whatever it asks for.
[[nodiscard]] constexpr bool is_thread(std::uintptr_t owner) noexcept { return owner > kBump && !is_unusual(owner); }
/// Whether the span is a chunk of a bump place (detail/bump.hpp), whose blocks have headers and no lists.
[[nodiscard]] constexpr bool is_bump(std::uintptr_t owner) noexcept { return (owner & kBump) == kBump; }
}  // namespace owner

/// Where a span of blocks stands with its cache. The last two have no blocks for malloc's lists.
enum class SpanState : std::uint8_t {
    active,   ///< the one that its class allocates from
    carving,  ///< put aside with slots that never were blocks
    full,     ///< no free block, or too few to come back to
    dense,    ///< listed; less than half free
    airy,     ///< listed; at least half free
    leaving,  ///< its blocks are being moved elsewhere (evacuation.hpp); malloc takes none from it
    mixed,    ///< blocks of any size lie in it (mixed_record.hpp), until it is empty
};

/// A span's state as its owner writes it, and others look at it: a hint to them, so no order goes with it, but for becoming mixed.
class SpanStanding {
public:
    constexpr SpanStanding(SpanState state) noexcept : state_(state) {}
    SpanStanding& operator=(SpanState state) noexcept {
        state_.store(state, std::memory_order_relaxed);
        return *this;
    }
    operator SpanState() const noexcept { return state_.load(std::memory_order_relaxed); }
    /// From now on until the span's end. Release pairs with the acquire below.
    void become_mixed() noexcept { state_.store(SpanState::mixed, std::memory_order_release); }
    /// For who has a block of the span, or its locks: what it is then does not matter to blocks that were there before.
    [[nodiscard]] bool is_mixed() const noexcept { return state_.load(std::memory_order_acquire) == SpanState::mixed; }

private:
    std::atomic<SpanState> state_;
};

/// Two cache lines: the owner's, and the one that others read, and now and then write.
///
///   S1  live blocks = countdown + floor; they include those of the free list, which count as handed out
///   S2  carved - live blocks are in local_free, or reach into absent units, or have a bit in the span's record (mesh_record.hpp);
///       of a mixed span, blocks of any size live, and its record tells of them (mixed_record.hpp)
///   S3  carved <= capacity
struct alignas(2 * kCacheLineBytes) Span {
    // The owner's line: what malloc and free change. No other thread reads it while it frees a block.
    Span* notice_next = nullptr;
    FreeBlock* local_free = nullptr;  ///< what the owner freed, and malloc does not take from; with the next one, its home()
    std::uint32_t countdown = 0;      ///< frees until something is to be done
    std::uint32_t floor = 0;          ///< live blocks at that moment
    std::uint32_t carved = 0;         ///< blocks made so far, from the start
    std::uint32_t capacity = 0;
    std::uint32_t stamp = 0;  ///< of each free slice: the clock's turn when it became so; of a span put aside as well, 0: seen since
    std::uint32_t pages = 0;  ///< OS pages that a large block may use; of a bump chunk, its place; in a span of blocks: absent()
    Span* next = nullptr;     ///< in a list of its class, of abandoned spans, or of free runs
    Span* previous = nullptr;
    Span* cache_previous = nullptr;

    // The line that every thread reads when it frees a block of the span; it changes seldom.
    alignas(kCacheLineBytes) std::atomic<std::uintptr_t> owner{owner::kFree};
    std::atomic<ThreadCache*> cache{nullptr};  ///< whose span; nullptr: abandoned, or no blocks
    std::uint32_t block_bytes = 0;
    std::uint32_t slices = 0;  ///< of the span or the free run; at both ends of a free run
    SizeClass size_class = 0;
    SpanStanding state = SpanState::active;
    bool is_fresh = false;                  ///< what is not carved yet reads as zero
    bool is_private = false;                ///< of a Heap object: other threads' frees must not wait in an outbox
    std::uint16_t head_distance = 0;        ///< of an interior slice: records back to the head
    bool is_dirty = false;                  ///< of each slice: its memory may be resident while it is free
    bool is_noticed = false;                ///< in the cache's list of notices; changes under its lock
    char* start = nullptr;                  ///< the first byte
    std::atomic<std::uintptr_t> remote{0};  ///< freed by other threads: a list, and kWantsNotice
    Sink* sink = nullptr;                   ///< where the owner's frees go: its class's list, or home
    Span* cache_next = nullptr;             ///< all spans of the cache

    [[nodiscard]] std::uint32_t live() const noexcept { return countdown + floor; }
    /// Where what its owner frees is counted off the live blocks.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Sink* home() noexcept {
        static_assert(offsetof(Sink, first) == 0 && offsetof(Sink, countdown) == offsetof(Span, countdown) - offsetof(Span, local_free));
        return reinterpret_cast<Sink*>(&local_free);
    }
    [[nodiscard]] bool is_mixed() const noexcept { return state.is_mixed(); }
    [[nodiscard]] bool has_uncarved() const noexcept { return carved < capacity; }
    /// A bit for each unit whose memory was given back (page_return.hpp). Requires: a span of blocks.
    [[nodiscard]] std::uint32_t absent() const noexcept { return pages; }
    void set_absent(std::uint32_t units) noexcept { pages = units; }
    /// Whether its memory may be shared with other spans (mesh_record.hpp). A span of one slice has few units, so that a bit is left.
    [[nodiscard]] bool is_meshed() const noexcept { return slices == 1 && (pages & kMeshedBit) != 0; }
    void set_meshed() noexcept { pages |= kMeshedBit; }
    static constexpr std::uint32_t kMeshedBit = std::uint32_t{1} << 31;
    /// In one store: a child of fork, which may find the thread between any two, never finds fewer than live.
    void set_live(std::uint32_t blocks, std::uint32_t next_floor) noexcept {
        using Both [[gnu::may_alias]] = std::uint64_t;
        static_assert(offsetof(Span, countdown) % sizeof(Both) == 0 && offsetof(Span, floor) == offsetof(Span, countdown) + 4);
        const auto both = std::bit_cast<std::uint64_t>(std::array{blocks - next_floor, next_floor});
        __atomic_store_n(reinterpret_cast<Both*>(&countdown), both, __ATOMIC_RELAXED);  // atomic only so that it is one store
    }
    /// The name of the first invariant that does not hold, or nullptr. Requires: the caller owns the span of blocks.
    [[nodiscard]] const char* broken_invariant() const noexcept;
};
static_assert(sizeof(Span) == 128);
inline constexpr unsigned kSpanLog2 = 7;

/// The record of the span's first slice, which knows the others'. Requires: a slice in which a block lies that lives.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Span* record_of_first(Span* span) noexcept {
    // Relaxed: while the block lives, that does not change.
    return span->owner.load(std::memory_order_relaxed) == owner::kInterior ? span - span->head_distance : span;
}

/// In Span::remote: who frees into the span next shall tell its cache.
inline constexpr std::uintptr_t kWantsNotice = 1;

// What follows requires that the caller owns the span, or holds it alone.

/// Frees a list of `count` blocks.
void put_home(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept;
/// Moves what other threads freed to the owner's own frees. Returns how many blocks; each may be in no cache of the processor.
std::uint32_t take_remote(Span* span) noexcept;
/// Hands the owner's frees, and others', out to malloc, as a list. Returns nullptr when there are none; absent units stay.
[[nodiscard]] FreeBlock* hand_out_freed(Span* span) noexcept;
/// Makes a list of blocks of slots that never were any. Requires: the span has such slots.
[[nodiscard]] FreeBlock* carve(Span* span) noexcept;

/// Visits the runs of set bits: [first, last).
template <class Visitor>
void for_each_run(std::uint32_t mask, Visitor visit) noexcept {
    std::uint64_t rest = mask;
    while (rest != 0) {
        const auto first = static_cast<std::uint32_t>(std::countr_zero(rest));
        const auto last = first + static_cast<std::uint32_t>(std::countr_one(rest >> first));
        visit(first, last);
        rest &= ~std::uint64_t{0} << last;
    }
}

/// A bit for each block that was ever made of the span, of the 64 blocks of a word.
[[nodiscard]] inline std::uint64_t blocks_made(const Span* span, std::uint32_t word) noexcept {
    const std::uint32_t first = word * 64;
    const std::uint32_t count = span->carved <= first ? 0 : std::min(span->carved - first, 64U);
    return count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

/// Whether its own thread asks before it frees into the span.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_asking(std::uintptr_t strangeness) noexcept { return (strangeness | 1) == owner::kHandBits; }

/// One less. Returns whether nothing is left.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool count_down(std::uint32_t& countdown) noexcept {
#if defined(__x86_64__) && !HEAPWRIGHT_UNDER_TSAN
    bool is_over = false;
    asm("subl $1, %0" : "+m"(countdown), "=@ccz"(is_over));  // compilers would load, compare with 1 and store: three instructions more
    return is_over;
#else
    return --countdown == 0;
#endif
}

/// The owner frees a block. No branch tells where to: where sizes are mixed, that follows no pattern. Returns whether the countdown ran
/// out.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool push(Sink* sink, FreeBlock* block) noexcept {
    block->next = sink->first;
    const bool is_due = count_down(sink->countdown);
    // Release pairs with the acquires of who visits the span meanwhile (page_return.cpp).
    std::atomic_ref(sink->first).store(block, std::memory_order_release);
    return is_due;
}
/// The same of a list. Requires: the countdown is longer.
HEAPWRIGHT_ALWAYS_INLINE void push_all(Sink* sink, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept {
    last->next = sink->first;
    sink->countdown -= count;
    std::atomic_ref(sink->first).store(first, std::memory_order_release);  // as above
}

}  // namespace heapwright::heap
