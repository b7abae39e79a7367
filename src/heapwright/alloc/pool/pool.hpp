// Blocks of one size in constant time, with every free checked.
//
//   program ── free ──► magazine (64 blocks, newest first) ── allocate ──► program
//                            ▲ empty: the 32 lowest free slots of the home slab
//                            │ full:  frees go straight into the slab's bits
//   slabs: a state and a free bit for each slot; nothing is ever written into a free block
//
// The magazine makes the usual pair cheap and reuses the block that is still in the cache. The free bits keep the lowest
// addresses busy. The states are the check of every free, the iterator and the leak report. A list threaded through the
// blocks, as most pools have, is none of these, loses locality after random frees (10 to 20 times slower, measured by
// bench/alloc) and is there for any stray write to follow.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/pool/detail/misuse.hpp>
#include <heapwright/alloc/pool/detail/slab_store.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright {

/// What the end of a pool means for blocks that are still live.
enum class Leaks : std::uint8_t {
    refuse,  // a caller's mistake: the program stops and says which block
    forget,  // they end with the pool, as in an arena
};

struct PoolOptions {
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    std::size_t slab_bytes = 0;                      // a power of two; 0: 64 KiB, or 32 blocks where that is more
    std::size_t limit_blocks = kUnlimited;           // in the program's hands at one time
    std::size_t spare_bytes = std::size_t{1} << 20;  // empty slabs kept for later; the others go back at once
    Leaks leaks = Leaks::refuse;
};

struct PoolStats {
    std::size_t block_bytes;  // usable in each
    std::size_t live_blocks;
    std::size_t peak_blocks;  // live at one time; exact to within one magazine
    std::size_t free_blocks;  // in slabs and in the magazine
    std::size_t slabs;
    std::size_t spare_slabs;  // of these, empty
    std::size_t owned_bytes;  // slabs, as the source sees them
    std::size_t refusals;     // requests that were answered with nullptr
};

/// Blocks of one size and alignment, any of each.
///
///   P1  a block in the magazine is neither live nor free in its slab, and is there once
///   P2  a slab without live blocks is home or a spare: none of its blocks is in the magazine
///   P3  live blocks and blocks in the magazine are what the slabs have outstanding, and within the limit
///
/// S1 to S6 of detail/slab_store.hpp hold as well. It stays where it was made, so that whatever stands on it may keep its
/// address.
/// Thread safety: one thread at a time. SharedPool is for several.
class Pool {
public:
    static constexpr std::size_t kMagazine = 64;
    static constexpr std::size_t kRefill = 32;

    /// Example: `Pool pool{Layout::of<Order>(), os::kPages};`
    Pool(Layout block, SourceRef source, PoolOptions options = {}) noexcept
        : store_(block, source, options.slab_bytes, options.spare_bytes), options_(options) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    /// Requires: no block is live, or Leaks::forget (checked).
    ~Pool();

    /// Returns:  a block of block_bytes(); nullptr when the limit or the source refuses, and then nothing changed.
    /// Cost:     about 8 instructions; every 32nd time a look for free slots, now and then a new slab.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate() noexcept {
        void* const block = try_allocate_fast();
        return HEAPWRIGHT_LIKELY(block != nullptr) ? block : allocate_slow();
    }
    /// The newest block of the magazine; nullptr when it is empty, and then try_allocate may still have one.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate_fast() noexcept {
        std::size_t newest = 0;
        if (HEAPWRIGHT_UNLIKELY(subtract_overflows(in_magazine_, std::size_t{1}, &newest))) {
            return nullptr;
        }
        in_magazine_ = newest;
        *states_[newest] = detail::SlotState::live;
        std::byte* const block = blocks_[newest];
        if (block == nullptr) {
            __builtin_unreachable();  // only blocks are put there: callers need not look again
        }
        unpoison(block, store_.block_bytes());
        return block;
    }

    /// Requires: limit and source suffice (checked).
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate() noexcept {
        void* const block = try_allocate();
        HEAPWRIGHT_CHECK(block != nullptr, "out of memory: the pool's limit or source refused; call try_allocate to go on without");
        return block;
    }

    /// Takes a block back.
    ///
    /// Requires: it is one of this pool's live blocks (checked, in every build): a foreign address, one inside a block
    ///           and a second free stop the program here.
    /// Cost:     about 22 instructions, whatever the order of frees; now and then a slab goes back.
    HEAPWRIGHT_ALWAYS_INLINE void deallocate(void* block) noexcept {
        if (HEAPWRIGHT_UNLIKELY(!free_usual(block, [&](Place place) { put_past_magazine(place, block); }))) {
            deallocate_slow(block);
        }
    }
    /// The whole way of the usual free. False when anything is unusual; then nothing changed, and deallocate will know.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool deallocate_fast(void* block) noexcept {
        bool is_full = false;
        return free_usual(block, [&](Place) { is_full = true; }) && !is_full;
    }

    /// As deallocate, but a foreign address is told and not refused: for callers with several pools.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_deallocate(void* block) noexcept {
        return HEAPWRIGHT_LIKELY(free_usual(block, [&](Place place) { put_past_magazine(place, block); })) || try_deallocate_slow(block);
    }

    /// As try_deallocate, and calls `act` when the block is known to be live and before it is taken back.
    template <class Act>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_deallocate_after(void* block, Act act) noexcept {
        detail::PoolSlab* const slab = store_.slab_of(block);
        std::size_t index = 0;
        if (HEAPWRIGHT_LIKELY(store_.is_busy(slab))) {
            const auto slot = store_.slot_in(slab, block);
            if (HEAPWRIGHT_UNLIKELY(!slot.is_start) || HEAPWRIGHT_UNLIKELY(slab->states()[slot.index] != detail::SlotState::live)) {
                store_.refuse(block);
            }
            index = slot.index;
        } else {
            const auto place = find_live(block);
            if (place.slab == nullptr) {
                return false;
            }
            index = place.index;
        }
        act();
        // What `act` gave back itself may have filled the magazine, or left this slab with few blocks.
        if (HEAPWRIGHT_LIKELY(store_.is_busy(slab)) && HEAPWRIGHT_LIKELY(in_magazine_ != kMagazine)) {
            push(static_cast<std::byte*>(block), slab->states() + index);
        } else {
            take_back({.slab = slab, .index = index}, block);
        }
        return true;
    }

    // As a source for other allocators.

    /// Returns:  nullptr also when the layout is larger or stricter than the pool's blocks.
    [[nodiscard]] void* try_allocate(Layout layout) noexcept { return fits(layout) ? try_allocate() : nullptr; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate_fast(Layout layout) noexcept {
        return fits(layout) ? try_allocate_fast() : nullptr;
    }
    void deallocate(void* block, Layout) noexcept { deallocate(block); }
    [[nodiscard]] bool fits(Layout layout) const noexcept { return layout.size <= block_bytes() && layout.alignment <= store_.alignment(); }
    /// The whole block is the caller's, so what was rounded up need not be lost.
    [[nodiscard]] SizedBlock try_allocate_at_least(Layout layout) noexcept {
        void* const block = try_allocate(layout);
        return {.start = block, .size_bytes = block == nullptr ? 0 : block_bytes()};
    }

    /// What every block may use: the size asked for, rounded up to its alignment.
    [[nodiscard]] std::size_t block_bytes() const noexcept { return store_.block_bytes(); }
    [[nodiscard]] std::size_t block_alignment() const noexcept { return store_.alignment(); }

    /// Whether this is a live block of this pool. Never touches what the address points to.
    [[nodiscard]] bool owns(const void* block) const noexcept { return store_.is_live(block); }

    /// Calls `visit(void* block)` for each live block, in order of address within a slab.
    ///
    /// Requires: `visit` neither allocates from nor frees to this pool.
    /// Cost:     O(slots / 8 + live blocks).
    template <class Visit>
    void for_each_live(Visit visit) const {
        store_.for_each_live(visit);
    }

    /// Takes every live block back at once.
    ///
    /// Cost:     O(slots / 64).
    void release_all() noexcept;

    /// Returns every empty slab to the source, those kept as spares as well.
    ///
    /// Returns:  bytes returned.
    std::size_t trim() noexcept;

    [[nodiscard]] PoolStats stats() const noexcept;
    /// What the last nullptr meant: limit_reached, out_of_memory, or invalid_argument when no slab can hold such a block.
    [[nodiscard]] Errc why_refused() const noexcept { return why_refused_; }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    using Place = detail::SlabStore::Place;
    // With more slots outstanding than the magazine can hold, some are live. The home slab always counts as such.
    static_assert(kMagazine == detail::PoolSlab::kFew, "a busy slab is one that the magazine cannot hold all blocks of");

    /// Frees a block of a busy slab. False when the address is in none, or no slot's start; then nothing changed. Calls
    /// `when_full(place)` when the magazine is full, and then the rest is its business.
    template <class WhenFull>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool free_usual(void* block, WhenFull when_full) noexcept {
        detail::PoolSlab* const slab = store_.slab_of(block);
        if (HEAPWRIGHT_UNLIKELY(!store_.is_busy(slab))) {
            return false;
        }
        const auto slot = store_.slot_in(slab, block);
        if (HEAPWRIGHT_UNLIKELY(!slot.is_start)) {
            return false;
        }
        const std::size_t filled = in_magazine_;
        if (HEAPWRIGHT_UNLIKELY(filled == kMagazine)) {
            when_full(Place{.slab = slab, .index = slot.index});
            return true;
        }
        detail::SlotState* const state = slab->states() + slot.index;
        free_slot(state, block);
        poison(block, store_.block_bytes());
        in_magazine_ = filled + 1;
        blocks_[filled] = static_cast<std::byte*>(block);
        states_[filled] = state;
        return true;
    }
    /// From live to freed; stops the program when it was not live. One subtraction tests and writes.
    HEAPWRIGHT_ALWAYS_INLINE void free_slot(detail::SlotState* state, const void* block) const noexcept {
        static_assert(static_cast<unsigned>(detail::SlotState::live) == 1 && static_cast<unsigned>(detail::SlotState::freed) == 0);
        if (HEAPWRIGHT_UNLIKELY(--reinterpret_cast<std::uint8_t&>(*state) != 0)) {
            refuse_dead(state, block);
        }
    }
    [[noreturn]] HEAPWRIGHT_COLD void refuse_dead(detail::SlotState* state, const void* block) const noexcept {
        ++reinterpret_cast<std::uint8_t&>(*state);
        store_.refuse(block);
    }
    /// Requires: there is room in the magazine.
    HEAPWRIGHT_ALWAYS_INLINE void push(std::byte* block, detail::SlotState* state) noexcept {
        *state = detail::SlotState::freed;
        poison(block, store_.block_bytes());
        blocks_[in_magazine_] = block;
        states_[in_magazine_++] = state;
    }

    [[nodiscard]] void* allocate_slow() noexcept;
    [[nodiscard]] bool refill() noexcept;
    void deallocate_slow(void* block) noexcept;
    [[nodiscard]] bool try_deallocate_slow(void* block) noexcept;
    [[nodiscard]] Place find_live(const void* block) const noexcept;
    void take_back(Place place, void* block) noexcept;
    void put_past_magazine(Place place, void* block) noexcept;
    void slab_nearly_empty(detail::PoolSlab* slab) noexcept;
    void empty_magazine_of(const detail::PoolSlab* slab) noexcept;
    [[nodiscard]] std::size_t live_blocks() const noexcept { return store_.outstanding_blocks() - in_magazine_; }

    std::size_t in_magazine_ = 0;
    detail::SlabStore store_;
    // The magazine: blocks, and where the state of each is, so that giving one needs no arithmetic. Two arrays, because the
    // processor scales an index by 8 at most.
    std::array<std::byte*, kMagazine> blocks_;
    std::array<detail::SlotState*, kMagazine> states_;
    // Written once per magazine or less.
    std::size_t peak_blocks_ = 0;
    std::size_t refusals_ = 0;
    PoolOptions options_;
    Errc why_refused_ = Errc::out_of_memory;
};

static_assert(BlockSource<Pool>);

}  // namespace heapwright

#include <heapwright/alloc/pool/detail/pool_impl.hpp>
