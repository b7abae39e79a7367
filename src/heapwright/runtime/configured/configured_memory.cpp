#include <heapwright/runtime/configured/configured_memory.hpp>

#include <algorithm>
#include <new>
#include <span>

#include <heapwright/base/check.hpp>

namespace heapwright {

namespace {

constexpr std::size_t unlimited_if_none(std::uint64_t number) noexcept { return number == 0 ? SIZE_MAX : static_cast<std::size_t>(number); }

/// The classes of a MultiPool, which copies them.
class Classes {
public:
    explicit Classes(const PoolsConfig& config) noexcept {
        if (!config.enabled) {
            return;
        }
        for (const std::uint64_t size : config.block_sizes.view()) {
            classes_[count_++] = {.block_bytes = static_cast<std::size_t>(size), .limit_blocks = unlimited_if_none(config.blocks_per_size)};
        }
    }
    [[nodiscard]] std::span<const SizeClassOptions> view() const noexcept { return {classes_, count_}; }

private:
    static_assert(SizeList::kMost <= kMostClasses);
    SizeClassOptions classes_[SizeList::kMost];
    std::size_t count_ = 0;
};

std::size_t largest_of(const PoolsConfig& config) noexcept {
    const auto sizes = config.block_sizes.view();
    return config.enabled && !sizes.empty() ? static_cast<std::size_t>(sizes.back()) : 0;
}

}  // namespace

ArenaOptions arena_options(const AllocatorConfig& config) noexcept {
    ArenaOptions options;
    options.first_chunk_bytes = static_cast<std::size_t>(config.arena_size_bytes);
    options.largest_chunk_bytes = static_cast<std::size_t>(config.largest_chunk_bytes);
    options.limit_bytes = unlimited_if_none(config.arena_limit_bytes);
    options.limit_chunks = unlimited_if_none(config.max_chunks);
    return options;
}

gc::GcConfig collector_config(const CollectorConfig& config) noexcept {
    gc::GcConfig made;
    made.compaction = config.enable_compaction;
    made.limit_bytes = config.limit_bytes == 0 ? gc::GcConfig::kUnlimited : static_cast<std::size_t>(config.limit_bytes);
    made.growth = 1.0 + static_cast<double>(config.growth.millionths) / Share::kWhole;
    made.pause_budget_ns = config.pause_ns;
    if (config.pause_ns < gc::GcConfig{}.pause_budget_ns / 2) {
        // Steps alone do not keep pauses short: what is looked at in one go has to be small as well.
        constexpr gc::GcConfig kShort = gc::GcConfig::short_pauses();
        made.nursery_bytes = kShort.nursery_bytes;
        made.nursery_most_bytes = kShort.nursery_most_bytes;
        made.step_bytes = kShort.step_bytes;
    }
    if (!config.enabled) {
        made.nursery_bytes = gc::GcConfig::kUnlimited;
        made.threshold_bytes = gc::GcConfig::kUnlimited;
        return made;
    }
    made.threshold_bytes = static_cast<std::size_t>(config.threshold_bytes);
    made.nursery_bytes = std::min(made.nursery_bytes, made.threshold_bytes);
    made.interval_ns = config.interval_ns;
    return made;
}

MovableHeapOptions movable_heap_options(const FragmentationConfig& config) noexcept {
    MovableHeapOptions made;
    made.threshold_millionths = config.defragmentation_threshold.millionths;
    made.cpu_millionths = config.defragmentation_cpu.millionths;
    made.step_ns = config.defragmentation_step_ns;
    made.auto_compaction = config.enable_auto_defragmentation;
    return made;
}

Result<void> apply(const MemoryConfig& config, Monitor& monitor) noexcept {
    default_heap::set_clock(config.heap.purge_delay_ns, config.heap.background, config.heap.give_back);
    default_heap::set_limit(static_cast<std::size_t>(config.heap.limit_bytes));
    default_heap::set_mixing(config.heap.mixed_spans);
    if (config.heap.compaction == HeapCompaction::mesh) {
        static_cast<void>(default_heap::begin_meshing());  // it says itself what is missing
    }
    return wants_monitor(config) ? monitor.start(monitor_options(config)) : Result<void>();
}

MonitorDuty duty_of(gc::Heap& heap) noexcept {
    return {.context = &heap,
            .tick = [](void* context) noexcept { static_cast<gc::Heap*>(context)->tick(); },
            .compact = [](void* context) noexcept -> std::uint64_t {
                static_cast<gc::Heap*>(context)->request_collection();
                return 0;  // it happens later, on a thread of the heap
            }};
}

MonitorDuty duty_of(MovableHeap& heap) noexcept {
    return {.context = &heap,
            .tick = [](void* context) noexcept { static_cast<MovableHeap*>(context)->tick(); },
            .compact = [](void* context) noexcept -> std::uint64_t {
                constexpr std::uint64_t kBudgetNs = 20'000'000;
                const auto result = static_cast<MovableHeap*>(context)->compact(kBudgetNs);
                return result ? result->returned_bytes : 0;  // refused: somebody else compacts, or Borrows are held; next time
            }};
}

ConfiguredPools::ConfiguredPools(const PoolsConfig& config, SourceRef source) noexcept
    : config_(config), largest_bytes_(largest_of(config)), pools_(Classes(config).view(), source, {.borrow_classes = 0}) {}

void* ConfiguredPools::try_allocate(Layout layout) noexcept {
    return is_pooled(layout) ? pools_.try_allocate(layout) : heap_.try_allocate(layout);
}

Result<void*> ConfiguredPools::allocate(Layout layout) noexcept {
    void* const block = try_allocate(layout);
    if (block == nullptr) {
        return std::unexpected(why_refused(layout));
    }
    return block;
}

void ConfiguredPools::deallocate(void* block, Layout layout) noexcept {
    if (is_pooled(layout)) {
        pools_.deallocate(block, layout);
    } else {
        heap_.deallocate(block, layout);
    }
}

Result<void> ConfiguredPools::release(void* block, Layout layout) noexcept {
    if (!(is_pooled(layout) ? pools_.owns(block) : heap_.owns(block))) {
        return fail_with(Errc::invalid_argument, reinterpret_cast<std::uintptr_t>(block));
    }
    deallocate(block, layout);
    return {};
}

/// A pool that is not at its limit was refused memory.
Error ConfiguredPools::why_refused(Layout layout) const noexcept {
    const std::uint64_t limit = config_.blocks_per_size;
    if (is_pooled(layout) && limit != 0) {
        for (std::size_t i = 0; i < pools_.classes(); ++i) {
            const SizeClassStats size_class = pools_.class_stats(i);
            if (size_class.block_bytes >= layout.size) {
                return {.kind = size_class.live_blocks >= limit ? Errc::limit_reached : Errc::out_of_memory,
                        .number = size_class.live_blocks >= limit ? limit : layout.size};
            }
        }
    }
    return {.kind = Errc::out_of_memory, .number = layout.size};
}

ConfiguredMemory::~ConfiguredMemory() {
    HEAPWRIGHT_CHECK(live_arenas() == 0, "an arena outlives the ConfiguredMemory that made it; let the owners go first");
}

Result<ConfiguredMemory::ArenaOwner> ConfiguredMemory::make_arena() noexcept {
    const std::uint64_t most = config_.allocator.max_arenas;
    // Relaxed: the count itself is all that threads share.
    if (live_arenas_.fetch_add(1, std::memory_order_relaxed) >= most && most != 0) {
        live_arenas_.fetch_sub(1, std::memory_order_relaxed);  // as above
        return fail_with(Errc::limit_reached, most);
    }
    void* const place = source_.try_allocate(Layout::of<Arena>());
    if (place == nullptr) {
        live_arenas_.fetch_sub(1, std::memory_order_relaxed);  // as above
        return fail_with(Errc::out_of_memory, sizeof(Arena));
    }
    return ArenaOwner(*this, *new (place) Arena(source_, arena_options(config_.allocator)));
}

ConfiguredMemory::ArenaOwner::~ArenaOwner() {
    if (arena_ != nullptr) {
        arena_->~Arena();
        memory_->source_.deallocate(arena_, Layout::of<Arena>());
        memory_->live_arenas_.fetch_sub(1, std::memory_order_relaxed);  // a number, nothing is read through it
    }
}

const char* ConfiguredMemory::broken_invariant() const noexcept {
    const std::uint64_t most = config_.allocator.max_arenas;
    // A thread that is being refused counts for a moment.
    return most != 0 && live_arenas() > most ? "CM1: more arenas are live than the configuration allows" : nullptr;
}

}  // namespace heapwright
