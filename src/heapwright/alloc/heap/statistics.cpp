// Adding up the spans of every thread.
#include <heapwright/alloc/heap/statistics.hpp>

#include <algorithm>
#include <atomic>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

namespace {

/// The blocks of a list that malloc takes from, also those of other spans. Their thread may take and write to them meanwhile, so each step is
/// checked; what is read is mapped in any case.
#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
std::uint64_t
unused_blocks(const FreeBlock* first, SizeClass size_class) noexcept {
    constexpr std::uint64_t kMoreThanAreKept = 2048;
    std::uint64_t count = 0;
    for (const FreeBlock* block = first; block != nullptr && count < capacity_of(size_class) + kMoreThanAreKept; block = block->next) {
        const Span* span = find_span(block);
        if (span != nullptr && span->owner.load(std::memory_order_relaxed) == owner::kInterior) {  // a hint, as all here
            span -= span->head_distance;
        }
        const bool is_mixed = span != nullptr && span->is_mixed();  // so blocks of the class may lie in it
        if (span == nullptr || (!is_mixed && span->size_class != size_class)) {
            break;
        }
        if (!is_mixed &&
            static_cast<std::size_t>(reinterpret_cast<const char*>(block) - span->start) >= std::size_t{span->carved} * span->block_bytes) {
            break;
        }
        ++count;
    }
    return count;
}

/// Looks at spans that their threads change meanwhile: the sums lag, nothing else depends on them.
#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
void add_span(HeapStatistics& sum, const Span& span) noexcept {
    ++sum.spans;
    sum.active_bytes += std::uint64_t{span.slices} * kSliceBytes;
    if (span.owner.load(std::memory_order_relaxed) == owner::kLarge) {  // listed only in a Heap object's heap
        ++sum.large_blocks;
        sum.large_bytes += std::uint64_t{span.pages} * os::kPageBytes;
        return;
    }
    sum.absent_bytes += absent_bytes(span.pages, span.slices);
    if (span.is_mixed()) {
        const std::uint32_t counted = span.live();
        const std::uint32_t owed = mixed_record_of(&span)->owed;
        sum.small_blocks += counted < owed ? 0 : counted - owed;
        sum.allocated_bytes += std::uint64_t{mixed_record_of(&span)->used_granules()} * kGranuleBytes;
        return;
    }
    const std::uint64_t live = std::min(span.live(), span.capacity);
    sum.small_blocks += live;
    sum.allocated_bytes += live * span.block_bytes;
}

}  // namespace

void add_heap(HeapStatistics& sum, HeapCore& core) noexcept {
    HeapStatistics kept;  // at hand, and counted as live, in whatever span
    core.for_each_cache([&](ThreadCache& cache) {
        const os::LockGuard guard(cache.lock());
        sum.threads += cache.is_attached() && !cache.serves_everybody() ? 1U : 0U;
        sum.metadata_bytes += sizeof(cache);
        cache.for_each_span([&](const Span& span) { add_span(sum, span); });
        for (unsigned number = 0; number < kClassCount; ++number) {
            const auto size_class = static_cast<SizeClass>(number);
            for (const FreeBlock* const first : cache.kept_lists(size_class)) {
                const std::uint64_t blocks = unused_blocks(first, size_class);
                kept.small_blocks += blocks;
                kept.allocated_bytes += blocks * bytes_of(size_class);
            }
        }
    });
    core.for_each_abandoned([&](const Span& span) { add_span(sum, span); });
    sum.small_blocks -= std::min(kept.small_blocks, sum.small_blocks);
    sum.allocated_bytes -= std::min(kept.allocated_bytes, sum.allocated_bytes);
}

}  // namespace heapwright::heap

namespace heapwright::default_heap {

namespace {

using heap::Span;

constinit std::atomic<std::uint64_t> g_peak_active{0};

void add_region(HeapStatistics& sum, heap::Region& region) noexcept {
    const os::LockGuard guard(region.lock());
    sum.committed_bytes += region.committed_bytes();
    sum.reserved_bytes += region.reserved_bytes();
    sum.metadata_bytes += region.metadata_bytes();
    sum.dirty_bytes += region.dirty_bytes();
    std::uint32_t index = region.first_slice();
    while (index < region.used_slices()) {
        const Span& span = region.records()[index];
        const std::uintptr_t owner = span.owner.load(std::memory_order_relaxed);  // under the lock it stays a head
        // Those of Heap objects have a cache that lists them.
        if (owner == heap::owner::kLarge && span.cache.load(std::memory_order_relaxed) == nullptr) {
            ++sum.large_blocks;
            ++sum.spans;
            sum.large_bytes += std::uint64_t{span.pages} * os::kPageBytes;
            sum.active_bytes += std::uint64_t{span.slices} * heap::kSliceBytes;
        }
        index += std::max(span.slices, 1U);
    }
}

}  // namespace

HeapStatistics statistics() noexcept {
    HeapStatistics sum;
    heap::for_each_region([&](heap::Region& region) { add_region(sum, region); });
    heap::add_heap(sum, heap::g_default_core);
    heap::add_places(sum);
    sum.allocated_bytes += sum.large_bytes;
    const std::uint64_t accounted = sum.active_bytes + sum.dirty_bytes;
    sum.retained_bytes = sum.committed_bytes > accounted ? sum.committed_bytes - accounted : 0;
    std::uint64_t peak = g_peak_active.load(std::memory_order_relaxed);  // a figure
    while (peak < sum.active_bytes && !g_peak_active.compare_exchange_weak(peak, sum.active_bytes, std::memory_order_relaxed)) {}
    sum.given_back_bytes = heap::g_given_back.load(std::memory_order_relaxed);  // a figure
    sum.peak_active_bytes = std::max(peak, sum.active_bytes);
    sum.meshed_spans = heap::meshed_spans();
    sum.shared_bytes = heap::mesh_saved_bytes();
    const heap::MeshUnmet unmet = heap::mesh_unmet();
    sum.unmet_bytes = unmet.bytes;
    sum.wanted_map_count = unmet.map_count;
    return sum;
}

}  // namespace heapwright::default_heap
