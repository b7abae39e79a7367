// The library's objects, made as a memory.toml wants them: arenas, pools, collected heaps, the heap behind malloc, the monitor.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/config/memory_config.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/handle/heap.hpp>
#include <heapwright/own/handle/options.hpp>
#include <heapwright/own/rc/rc.hpp>
#include <heapwright/runtime/monitor.hpp>

namespace heapwright {

/// What an arena is told.
[[nodiscard]] ArenaOptions arena_options(const AllocatorConfig& config) noexcept;

/// What a collected heap is told. One that is not enabled collects when it is asked to, and when memory is exhausted.
/// Example:  gc::Heap heap(collector_config(config.gc));
[[nodiscard]] gc::GcConfig collector_config(const CollectorConfig& config) noexcept;

/// What a heap of movable objects is told: when tick() acts, how much of a core it takes, how long its steps are.
/// Example:  MovableHeap heap(movable_heap_options(config.fragmentation));
[[nodiscard]] MovableHeapOptions movable_heap_options(const FragmentationConfig& config) noexcept;

/// Gives the settings of [heap] to the heap behind malloc of this program, and starts the monitor where the configuration
/// wants one. Call it first in main: the purge delay is for blocks that are freed later.
///
/// Fails:    as Monitor::start.
[[nodiscard]] Result<void> apply(const MemoryConfig& config, Monitor& monitor) noexcept;

/// For Monitor::add_duty: the heap collects after its interval, and when fragmentation is too high.
///
/// Requires: remove_duty(&heap) before the heap ends.
[[nodiscard]] MonitorDuty duty_of(gc::Heap& heap) noexcept;
/// The same for movable objects: the heap ticks after each measurement, and compacts for 20 ms when malloc's heap is too
/// fragmented. Between two measurements its credit grows: analysis_interval is how even the work is, defragmentation_cpu how much.
[[nodiscard]] MonitorDuty duty_of(MovableHeap& heap) noexcept;

/// Pools of the sizes that [pools] names; larger blocks come from a heap of its own, and all of them where pools are disabled.
///
/// Thread safety: one thread at a time.
/// Example:
///   ConfiguredPools pools(config.pools);
///   auto block = pools.allocate(Layout::of<Node>());   // limit_reached once blocks_per_size are live
class ConfiguredPools {
public:
    explicit ConfiguredPools(const PoolsConfig& config, SourceRef source = os::kPages) noexcept;
    ConfiguredPools(const ConfiguredPools&) = delete;
    ConfiguredPools& operator=(const ConfiguredPools&) = delete;

    /// Fails:    limit_reached when as many blocks of the size are live as the configuration allows (number: how many);
    ///           out_of_memory when the source refuses (number: bytes asked).
    [[nodiscard]] Result<void*> allocate(Layout layout) noexcept;
    /// The same as a BlockSource.
    [[nodiscard]] void* try_allocate(Layout layout) noexcept;
    /// Requires: a live block of this object, with the layout it was asked for.
    void deallocate(void* block, Layout layout) noexcept;
    /// As deallocate, for a block of doubtful origin.
    ///
    /// Fails:    invalid_argument (number: the address) when no block of this object lies there; then nothing happened.
    [[nodiscard]] Result<void> release(void* block, Layout layout) noexcept;

    /// An object in a pool that lives as long as it has owners.
    ///
    /// Requires: every owner ends before this object.
    /// Fails:    unsupported where enable_reference_counting is false; else as allocate.
    template <class T, class... Args>
    [[nodiscard]] Result<Rc<T>> share(Args&&... args) {
        if (!config_.enable_reference_counting) {
            return fail_with(Errc::unsupported);
        }
        Rc<T> made = try_make_counted_in<T, SingleThread>(*this, std::forward<Args>(args)...);
        if (!made) {
            return std::unexpected(why_refused(Layout::of<T>()));
        }
        return made;
    }

    [[nodiscard]] MultiPoolStats stats() const noexcept { return pools_.stats(); }
    /// Of the heap that serves what no pool does.
    [[nodiscard]] HeapStatistics heap_statistics() const noexcept { return heap_.statistics(); }

private:
    [[nodiscard]] bool is_pooled(Layout layout) const noexcept { return layout.size <= largest_bytes_; }
    [[nodiscard]] Error why_refused(Layout layout) const noexcept;

    PoolsConfig config_;
    std::size_t largest_bytes_;  // 0: no pools
    Heap heap_;
    MultiPool pools_;
};

/// Makes arenas as [allocator] wants them, and no more at one time than it allows.
///
///   CM1  live arenas never exceed max_arenas, if that is not 0
///
/// Thread safety: any thread makes arenas; each arena is for one thread at a time.
/// Example:
///   ConfiguredMemory memory(config);
///   auto arena = memory.make_arena();
///   if (arena) { (*arena)->create<Node>(); }
class ConfiguredMemory {
public:
    explicit ConfiguredMemory(const MemoryConfig& config, SourceRef source = os::kPages) noexcept : config_(config), source_(source) {}
    ConfiguredMemory(const ConfiguredMemory&) = delete;
    ConfiguredMemory& operator=(const ConfiguredMemory&) = delete;
    /// Requires: every arena has ended (checked).
    ~ConfiguredMemory();

    /// Owns an arena; lets it go at its end.
    class ArenaOwner {
    public:
        ArenaOwner(ArenaOwner&& other) noexcept : memory_(other.memory_), arena_(std::exchange(other.arena_, nullptr)) {}
        ArenaOwner& operator=(ArenaOwner&&) = delete;
        ArenaOwner(const ArenaOwner&) = delete;
        ArenaOwner& operator=(const ArenaOwner&) = delete;
        ~ArenaOwner();
        [[nodiscard]] Arena& operator*() const noexcept { return *arena_; }
        [[nodiscard]] Arena* operator->() const noexcept { return arena_; }

    private:
        friend class ConfiguredMemory;
        ArenaOwner(ConfiguredMemory& memory, Arena& arena) noexcept : memory_(&memory), arena_(&arena) {}
        ConfiguredMemory* memory_;
        Arena* arena_;
    };

    /// Fails:    limit_reached when max_arenas are live (number: how many); out_of_memory.
    [[nodiscard]] Result<ArenaOwner> make_arena() noexcept;
    [[nodiscard]] std::uint64_t live_arenas() const noexcept {
        return live_arenas_.load(std::memory_order_relaxed);  // a number, nothing is read through it
    }

    [[nodiscard]] const MemoryConfig& config() const noexcept { return config_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    MemoryConfig config_;
    SourceRef source_;
    std::atomic<std::uint64_t> live_arenas_{0};
};

}  // namespace heapwright
