// Blocks of one size for any number of threads: a magazine for each, slabs for all, a lock only between magazines.
//
//   thread A: magazine (128) ─┐ 64 at a time, under the lock
//   thread B: magazine (128) ─┼──► depot (1024 blocks) ──► slabs
//   thread C: magazine (128) ─┘
//
// A block is in one place at a time and changes places only by its own thread or under the lock. No list is changed by
// compare-and-swap, so there is no ABA to guard against: not with tags, not with hazard pointers, not with luck.
//
// The hosted companion of pool.hpp: it needs os for locks and for the end of threads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include <heapwright/alloc/pool/detail/slab_store.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/base/thread_safety.hpp>
#include <heapwright/os/lanes.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright {

/// Blocks of one size and alignment that any thread may take and any thread may give back.
///
///   SP1  no block in a magazine or in the depot is live or free in its slab
///   SP2  live blocks, magazines and depot together are what the slabs have outstanding
///
/// A thread that only frees fills the depot and then the slabs, one that only allocates drains them: of what moves from
/// one to the other, at most a magazine each and the depot wait on the way. When a thread ends, its magazine goes back.
///
/// PoolOptions::limit_blocks counts blocks in magazines and in the depot as well, so a thread may be refused while
/// others hold back up to 128 blocks each.
/// Thread safety: any thread; release_all(), for_each_live() and the destructor want all others to be done with it.
class SharedPool : private os::LaneOwner {
public:
    static constexpr std::uint32_t kMagazine = 128;
    static constexpr std::uint32_t kBatch = 64;  // what moves between a magazine and the rest
    static constexpr std::size_t kDepot = 1024;

    /// Example: `SharedPool pool{Layout::of<Message>(), os::kPages};`
    SharedPool(Layout block, SourceRef source, PoolOptions options = {}) noexcept
        : LaneOwner(&thread_ended), store_(block, source, options.slab_bytes, options.spare_bytes), source_(source), options_(options) {}
    /// Requires: no block is live, or Leaks::forget (checked).
    ~SharedPool();

    /// Returns:  a block of block_bytes(); nullptr when the limit or the source refuses, and then nothing changed.
    /// Cost:     about 20 instructions, none of them locked; the lock every 64th time at most.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate() noexcept {
        auto* lane = static_cast<Lane*>(cached_lane());
        std::uint32_t count = HEAPWRIGHT_LIKELY(lane != nullptr) ? lane->count() : 0;
        if (HEAPWRIGHT_UNLIKELY(count == 0)) {
            lane = refill();
            if (lane == nullptr) {
                return nullptr;
            }
            count = lane->count();
        }
        std::byte* const block = lane->pop(count);
        const auto [slab, index] = store_.place_of(block);
        const State state{slab->states()[index]};
        // Relaxed, here and in deallocate: the block itself is handed over by the lock; its state says only who has it.
        if (HEAPWRIGHT_UNLIKELY(state.load(std::memory_order_relaxed) == detail::SlotState::live)) {
            store_.refuse(block);  // two threads freed it at the same moment, and it came out twice
        }
        state.store(detail::SlotState::live, std::memory_order_relaxed);
        unpoison(block, block_bytes());
        return block;
    }

    /// Requires: limit and source suffice (checked).
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate() noexcept {
        void* const block = try_allocate();
        HEAPWRIGHT_CHECK(block != nullptr, "out of memory: the pool's limit or source refused; call try_allocate to go on without");
        return block;
    }

    /// Takes a block back, from whichever thread.
    ///
    /// Requires: it is one of this pool's live blocks. A foreign address, one inside a block and a second free stop the
    ///           program here, in every build; two frees at the same moment stop it when the block is given the second
    ///           time.
    /// Cost:     about 32 instructions, none of them locked; the lock every 64th time at most.
    HEAPWRIGHT_ALWAYS_INLINE void deallocate(void* block) noexcept {
        if (HEAPWRIGHT_UNLIKELY(!try_deallocate_after(block, [] {}))) {
            detail::refuse_foreign_block(block, block_bytes());
        }
    }

    /// As deallocate, but a foreign address is told and not refused; and calls `act` when the block is known to be live and
    /// before it is taken back.
    template <class Act>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_deallocate_after(void* block, Act act) noexcept {
        const auto [slab, index] = store_.try_locate(block);
        if (HEAPWRIGHT_UNLIKELY(slab == nullptr)) {
            return false;
        }
        const State state{slab->states()[index]};
        if (HEAPWRIGHT_UNLIKELY(state.load(std::memory_order_relaxed) != detail::SlotState::live)) {
            store_.refuse(block);
        }
        act();
        state.store(detail::SlotState::freed, std::memory_order_relaxed);
        poison(block, block_bytes());
        auto* lane = static_cast<Lane*>(cached_lane());
        const std::uint32_t count = HEAPWRIGHT_LIKELY(lane != nullptr) ? lane->count() : kMagazine;
        if (HEAPWRIGHT_UNLIKELY(count == kMagazine)) {
            put_past_magazine(static_cast<std::byte*>(block));
        } else {
            lane->push(static_cast<std::byte*>(block), count);
        }
        return true;
    }

    // As a source for other allocators.

    /// Returns:  nullptr also when the layout is larger or stricter than the pool's blocks.
    [[nodiscard]] void* try_allocate(Layout layout) noexcept { return fits(layout) ? try_allocate() : nullptr; }
    void deallocate(void* block, Layout /*layout*/) noexcept { deallocate(block); }
    [[nodiscard]] bool fits(Layout layout) const noexcept { return layout.size <= block_bytes() && layout.alignment <= store_.alignment(); }

    [[nodiscard]] std::size_t block_bytes() const noexcept { return store_.block_bytes(); }
    [[nodiscard]] std::size_t block_alignment() const noexcept { return store_.alignment(); }

    /// Whether this is a live block of this pool. Never touches what the address points to.
    [[nodiscard]] bool owns(const void* block) const noexcept { return store_.is_live(block); }

    /// Calls `visit(void* block)` for each live block. See Pool.
    template <class Visit>
    void for_each_live(Visit visit) const {
        store_.for_each_live(visit);
    }
    /// Takes every live block back at once.
    void release_all() noexcept;

    /// Empties the depot and the calling thread's magazine, and returns every slab whose blocks are all back.
    ///
    /// Returns:  bytes returned.
    std::size_t trim() noexcept;

    /// Exact when no other thread is inside the pool, else a moment's blur of what moves.
    [[nodiscard]] PoolStats stats() noexcept;
    /// The name of the first invariant that does not hold, or nullptr. Requires: no other thread is inside the pool.
    [[nodiscard]] const char* broken_invariant() noexcept;

private:
    using State = std::atomic_ref<detail::SlotState>;

    /// A thread's magazine. Its blocks are its thread's; how many there are may be read by anyone.
    class alignas(kCacheLineBytes) Lane {
    public:
        [[nodiscard]] std::uint32_t count() const noexcept {
            return count_.load(std::memory_order_relaxed);  // the thread's own figure; others want it for statistics only
        }
        /// `now` is count(), which the caller has looked at already.
        [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::byte* pop(std::uint32_t now) noexcept {
            count_.store(now - 1, std::memory_order_relaxed);
            return blocks[now - 1];
        }
        HEAPWRIGHT_ALWAYS_INLINE void push(std::byte* block, std::uint32_t now) noexcept {
            blocks[now] = block;
            count_.store(now + 1, std::memory_order_relaxed);
        }
        void set_count(std::uint32_t count) noexcept { count_.store(count, std::memory_order_relaxed); }

    private:
        std::atomic<std::uint32_t> count_{0};

    public:
        os::ThreadToken thread = os::kNoThread;  // whose it is; guarded by the pool's lock, as next is
        Lane* next = nullptr;
        std::array<std::byte*, kMagazine> blocks;
    };

    static void thread_ended(os::LaneOwner& owner, os::ThreadToken thread) noexcept;
    [[nodiscard]] Lane* refill() noexcept;
    void put_past_magazine(std::byte* block) noexcept;
    [[nodiscard]] Lane* find_lane() noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] Lane* make_lane() noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] std::size_t take(std::byte** blocks, std::size_t count) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void put(std::byte* const* blocks, std::size_t count) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void put_into_slabs(std::byte* const* blocks, std::size_t count) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] std::size_t waiting_blocks() const noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] const char* broken_wait(std::byte* const* blocks, std::size_t count) const noexcept;

    detail::SlabStore store_;  // what every block reads is at its front; what changes, changes under the lock
    SourceRef source_;
    PoolOptions options_;
    alignas(kCacheLineBytes) os::SpinLock lock_;
    Lane* lanes_ HEAPWRIGHT_GUARDED_BY(lock_) = nullptr;
    std::size_t in_depot_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t peak_blocks_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::size_t refusals_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::array<std::byte*, kDepot> depot_ HEAPWRIGHT_GUARDED_BY(lock_);
};

static_assert(BlockSource<SharedPool>);

}  // namespace heapwright

#include <heapwright/alloc/pool/detail/shared_pool_impl.hpp>
