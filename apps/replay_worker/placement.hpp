// Arenas and pools of an experiment: the library's own, standing in for malloc at the sites that the plan names.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/study/replay/plan/format.hpp>

namespace heapwright::replay_worker {

/// An arena per lane and group, a pool per group.
///
/// An arena is emptied when as many of its blocks are dead as were made: the latest moment at which the program could
/// have emptied it. The count is a part of the replay, not of the arena, and costs an addition.
///
/// Thread safety: arena_allocate by the lane that owns the arena; everything else by any lane.
class Placement {
public:
    void prepare(const study::plan::PlanHeader& header) noexcept;

    [[nodiscard]] void* arena_allocate(std::uint32_t lane, std::uint32_t group, std::uint32_t bytes) noexcept {
        ArenaPlace& place = arena_of(lane, group);
        // Acquire: a block that another lane let go of was last written before its release below.
        if (place.made == place.dead_here + place.dead_elsewhere.load(std::memory_order_acquire) && place.made != place.emptied_at) {
            empty(place);
        }
        ++place.made;
        return place.arena.try_allocate({.size = bytes, .alignment = group_[group].alignment});
    }
    void arena_release(std::uint32_t caller, std::uint32_t owner, std::uint32_t group) noexcept {
        ArenaPlace& place = arena_of(owner, group);
        if (caller != owner) {
            place.dead_elsewhere.fetch_add(1, std::memory_order_release);  // pairs with the load in arena_allocate()
            return;
        }
        ++place.dead_here;
        if (place.made == place.dead_here + place.dead_elsewhere.load(std::memory_order_acquire)) {  // as in arena_allocate()
            empty(place);
        }
    }
    [[nodiscard]] void* pool_allocate(std::uint32_t group) noexcept {
        PoolPlace& place = *pools_[group];
        const Guard guard(place.lock, several_lanes_);
        return place.pool.try_allocate();
    }
    void pool_release(std::uint32_t group, void* block) noexcept {
        if (block != nullptr) {
            PoolPlace& place = *pools_[group];
            const Guard guard(place.lock, several_lanes_);
            place.pool.deallocate(block);
        }
    }

    /// From a place in the heap of the preloaded libheapwright.so. Any free takes the block.
    [[nodiscard]] void* planned_allocate(study::plan::Word group, std::uint32_t bytes) noexcept {
        const std::uint32_t place = places_[group & ~study::plan::kZeroed];
        return (group & study::plan::kZeroed) == 0 ? malloc_at_(place, bytes) : calloc_at_(place, 1, bytes);
    }

    /// Whether a pool handed this block out. All other lanes are idle.
    [[nodiscard]] bool owns(const void* block) const noexcept;
    /// Gives every chunk and slab back. All other lanes are idle.
    void release_everything() noexcept;
    /// Looks at how much arenas and pools hold now. All other lanes are idle.
    void note_use() noexcept;
    [[nodiscard]] std::uint64_t peak_bytes() const noexcept { return peak_bytes_; }

private:
    struct alignas(kCacheLineBytes) ArenaPlace {
        explicit ArenaPlace(ArenaOptions options) noexcept : arena(os::kPages, options) {}
        Arena arena;
        std::uint64_t made = 0;        // by the owner
        std::uint64_t dead_here = 0;   // let go by the owner
        std::uint64_t emptied_at = 0;  // value of `made` when the arena was emptied last
        alignas(kCacheLineBytes) std::atomic<std::uint64_t> dead_elsewhere{0};
    };
    struct PoolPlace {
        explicit PoolPlace(const study::plan::Group& group) noexcept
            : pool({.size = group.block_bytes, .alignment = group.alignment}, os::kPages, {.leaks = Leaks::forget}) {}
        os::SpinLock lock;
        Pool pool;
    };
    /// Locks only where there is anyone to keep out: a program of one thread would use a Pool without a lock.
    class Guard {
    public:
        Guard(os::SpinLock& lock, bool wanted) noexcept : lock_(wanted ? &lock : nullptr) {
            if (lock_ != nullptr) {
                lock_->lock();
            }
        }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        ~Guard() {
            if (lock_ != nullptr) {
                lock_->unlock();
            }
        }

    private:
        os::SpinLock* lock_;
    };

    void prepare_places() noexcept;
    [[nodiscard]] ArenaPlace& arena_of(std::uint32_t lane, std::uint32_t group) noexcept { return arenas_[lane * groups_ + group]; }
    static void empty(ArenaPlace& place) noexcept;

    study::plan::Group group_[study::plan::kMaxGroups] = {};
    ArenaPlace* arenas_ = nullptr;  // lanes x groups
    PoolPlace* pools_[study::plan::kMaxGroups] = {};
    void* (*malloc_at_)(unsigned place, std::size_t bytes) = nullptr;  // of libheapwright.so
    void* (*calloc_at_)(unsigned place, std::size_t count, std::size_t bytes) = nullptr;
    unsigned places_[study::plan::kMaxGroups] = {};
    std::uint32_t groups_ = 0;
    std::uint32_t lanes_ = 0;
    bool several_lanes_ = false;
    std::uint64_t peak_bytes_ = 0;
};

}  // namespace heapwright::replay_worker
