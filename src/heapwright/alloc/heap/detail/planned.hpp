// Threads under a placement plan: which place a block goes to, and each thread's part of the places.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <heapwright/alloc/heap/detail/bump.hpp>
#include <heapwright/alloc/heap/detail/context.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/route_table.hpp>
#include <heapwright/alloc/heap/placement.hpp>

namespace heapwright::heap {

/// A destination of the plan. Never destroyed.
struct Place {
    Place(SitePlace its_kind, std::string_view its_name, std::uint32_t its_number) noexcept
        : kind(its_kind), name(its_name), bump(its_number) {}

    SitePlace kind;
    std::string_view name;
    std::uint32_t sites = 0;
    std::uint32_t sites_found = 0;      // under the plan's lock
    BumpPlace bump;                     // of kind bump
    HeapCore core{0, &g_default_core};  // of the other kinds
};

/// Blocks that a thread got. Others read it for statistics only.
struct Given {
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;

    HEAPWRIGHT_ALWAYS_INLINE void count(std::size_t asked_bytes) noexcept {
        ++blocks;
        bytes += asked_bytes;
    }
};

/// A thread's part of a place.
struct PlacePart {
    BumpHome bump;
    ThreadCache* cache = nullptr;
    Given given;  // by number; what entries of the plan gave is counted with them
    SitePlace kind = SitePlace::by_default;
};

/// What a thread has under a plan, beside its ThreadState. Never unmapped: a thread that comes takes over what one that went
/// left behind.
struct PlannedThread {
    ThreadCache* cache = nullptr;  ///< of the default heap: in ThreadState, malloc would find it without asking the plan
    PlannedThread* next = nullptr;
    PlannedThread* parked_next = nullptr;
    std::uintptr_t thread = 0;  ///< 0: parked
    Given* sites = nullptr;     ///< by the entries' numbers, from 1; behind the parts

    [[nodiscard]] PlacePart& part(std::uint32_t place) noexcept { return reinterpret_cast<PlacePart*>(this + 1)[place - 1]; }
};
static_assert(sizeof(PlannedThread) % alignof(PlacePart) == 0);

/// The routes of the plan in force; nullptr: none is.
extern constinit std::atomic<RouteTable*> g_routes;
/// Of entries with several return addresses, by RouteTable::Slot::context - 1.
extern constinit std::atomic<Context* const*> g_contexts;
/// Places by number, from 1.
extern constinit std::array<Place*, placement::kMostPlaces + 1> g_places;
extern constinit std::atomic<std::uint32_t> g_place_count;
/// Entries of the plan; fixed when it begins.
extern constinit std::uint32_t g_site_count;

/// A block for who called, whose return address stands below `frame`: of a place, or else of the default heap.
///
/// Requires: bytes <= kSmallBytes, and the thread is under a plan.
/// Returns:  nullptr when memory is exhausted. `is_zero`: but for its first word, the block reads as zero.
[[nodiscard]] void* allocate_by_plan(std::size_t bytes, const std::uintptr_t* frame) noexcept;
[[nodiscard]] void* allocate_by_plan(std::size_t bytes, const std::uintptr_t* frame, bool& is_zero) noexcept;
/// Where a block goes: a place, and the entry of the plan that says so; 0: the default heap, nobody.
struct Destination {
    std::uint32_t place = 0;
    std::uint32_t site = 0;
};
/// Where this call of this size is to go. Cost: as a lookup; callers whose frames are left by rbp are not told apart.
[[nodiscard]] Destination destination_of(std::size_t bytes, const std::uintptr_t* frame) noexcept;
/// A block of a place; nullptr where the place cannot hold it, or this thread is under no plan, or memory is exhausted.
[[nodiscard]] void* allocate_in(Destination to, std::size_t bytes, std::size_t alignment, bool& is_zero) noexcept;

/// The default heap's cache of this thread under a plan. nullptr: when the thread has ended, or memory is exhausted.
[[nodiscard]] ThreadCache* cache_under_plan() noexcept;
/// The thread ends. Before its caches are parked.
void leave_plan() noexcept;

/// realloc of a block in a bump chunk, where it lies.
[[nodiscard]] bool resize_bump(Span* chunk, void* block, std::size_t bytes) noexcept;

/// Gives back what the places hold for this thread, and for threads that are gone.
void shed_places() noexcept;
/// HeapCore::sweep_abandoned() of all places.
void sweep_places() noexcept;
/// Room for what placement::look_at_sites() sees. Returns: false when there is no memory.
[[nodiscard]] bool make_site_figures(std::uint32_t sites) noexcept;
/// Adds the blocks and chunks of all places up.
void add_places(HeapStatistics& sum) noexcept;
void add_place(placement::PlaceStatistics& statistics, std::uint32_t number) noexcept;

/// Around fork; before the heaps' locks.
void lock_plan() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void unlock_plan() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void reset_plan_locks_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
/// In the child, before the caches of the threads that are gone are parked.
void leave_plan_after_fork() noexcept;

/// Of the list of threads and of the plan's entries.
extern constinit os::SpinLock g_plan_lock;
/// All of them, by PlannedThread::next, the parked ones too; under the lock.
extern constinit PlannedThread* g_planned_threads;
/// Looks at the module that unknown code is in; a thread at a time.
void look_at(std::uintptr_t code) noexcept;

}  // namespace heapwright::heap
