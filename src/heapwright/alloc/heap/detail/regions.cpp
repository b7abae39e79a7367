// The first region as large as the machine allows; more where that was little.
#include <heapwright/alloc/heap/detail/regions.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/bump.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/settings.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::heap {

// These records are no standard layout; both compilers give them plain offsets all the same.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
consteval HeapDescriptor::CacheOffsets ThreadCache::describe() noexcept {
    return {.lists = offsetof(ThreadCache, lists_),
            .list_bytes = sizeof(ClassList),
            .first = offsetof(ClassList, first),
            .old = offsetof(ClassList, old),
            .rest = offsetof(ClassList, rest),
            .hands = offsetof(ThreadCache, hands_),
            .hand_bytes = sizeof(Hand),
            .kept = offsetof(Hand, first),
            .count = kClassCount};
}

consteval HeapDescriptor Region::describe(const Region& first) noexcept {
    return {.magic = kHeapDescriptorMagic,
            .version = kHeapDescriptorVersion,
            .slice_log2 = kSliceLog2,
            .record_bytes = sizeof(Span),
            .region_bytes = sizeof(Region),
            .region = &first,
            .in_region = {.base = offsetof(Region, base_),
                          .bytes = offsetof(Region, bytes_),
                          .first_slice = offsetof(Region, first_),
                          .used_slices = offsetof(Region, used_),
                          .next = offsetof(Region, next)},
            .in_slice = {.owner = offsetof(Span, owner),
                         .local_free_list = offsetof(Span, local_free),
                         .remote_list = offsetof(Span, remote),
                         .countdown = offsetof(Span, countdown),
                         .floor = offsetof(Span, floor),
                         .carved = offsetof(Span, carved),
                         .capacity = offsetof(Span, capacity),
                         .block_bytes = offsetof(Span, block_bytes),
                         .slices = offsetof(Span, slices),
                         .is_dirty = offsetof(Span, is_dirty),
                         .start = offsetof(Span, start),
                         .pages = offsetof(Span, pages),
                         .state = offsetof(Span, state),
                         .cache = offsetof(Span, cache)},
            .in_cache = ThreadCache::describe(),
            .units = kUnitsOfSpan,
            .owners = {.free = owner::kFree,
                       .interior = owner::kInterior,
                       .large = owner::kLarge,
                       .metadata = owner::kMetadata,
                       .bump = owner::kBump},
            .bump = {.unit_bytes = kBumpUnit, .live_tag = BumpHeader::kLive, .freed_tag = BumpHeader::kFreed},
            .mesh = {.bit = Span::kMeshedBit, .record_bytes = sizeof(MeshRecord)},
            .mesh_table = &g_mesh_table,
            .mixed = {.table = &g_mixed_table,
                      .state = static_cast<std::uint32_t>(SpanState::mixed),
                      .granule_bytes = kGranuleBytes,
                      .used = MixedRecord::offsets().used,
                      .last = MixedRecord::offsets().last}};
}
#pragma GCC diagnostic pop

// Nothing in the process reads it: it must be kept all the same.
__attribute__((used, retain)) constinit const HeapDescriptor g_heap_descriptor = Region::describe(g_region);

namespace {

constexpr std::size_t kMost = std::size_t{1} << 40;
constexpr std::size_t kLeast = std::size_t{64} << 30;
/// Where addresses are limited, regions are small and follow one another: the program wants addresses, too.
constexpr std::size_t kLeastRegion = std::size_t{32} << 20;
constexpr std::size_t kShareOfLimit = 64;
constexpr std::size_t kMoreRegions = 255;

constinit os::SpinLock g_lock;  // of making regions, and of the metadata's cursor
constinit std::atomic<bool> g_is_ready{false};
constinit std::array<Region, kMoreRegions> g_more{};
constinit std::size_t g_more_count = 0;
constinit char* g_metadata = nullptr;
constinit std::size_t g_metadata_left = 0;

constinit std::atomic<std::size_t> g_ceiling{0};
/// Less free memory than this is not worth a system call under the ceiling.
constexpr std::size_t kWorthPurging = std::size_t{1} << 20;

/// Bytes of addresses that the process may still have.
std::size_t address_limit() noexcept {
    struct rlimit limit{};
    const long result = os::raw_syscall(SYS_prlimit64, 0, RLIMIT_AS, nullptr, &limit);
    return os::is_failure(result) || limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur;
}

/// Reserves the first region: of four times the machine's memory, so that it never has to be a second.
bool reserve_first() noexcept {
    const os::LockGuard guard(g_lock);
    if (g_is_ready.load(std::memory_order_relaxed)) {  // under the lock
        return true;
    }
    const HeapSettings settings = heap_settings_of_process();
    const std::size_t limit = address_limit();
    std::size_t bytes = settings.reserve_gib != 0 ? std::size_t{settings.reserve_gib} << 30
                        : limit == SIZE_MAX       ? std::clamp<std::size_t>(4 * os::machine_memory_bytes(), kLeast, kMost)
                                                  : std::max(limit / kShareOfLimit, kLeastRegion);
    while (!g_region.reserve(bytes)) {
        bytes /= 2;
        if (bytes < (std::size_t{1} << 20)) {
            return false;
        }
    }
    if (settings.huge_pages != HugePages::by_default) {
        // Where the kernel has no huge pages it refuses, and nothing is lost.
        os::raw_syscall(SYS_madvise, g_region.records(), g_region.reserved_bytes(),
                        settings.huge_pages == HugePages::always ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    }
    g_first_records = g_region.records();
    g_first_base = reinterpret_cast<const char*>(g_region.records());
    g_first_bytes = g_region.reserved_bytes();
    g_is_ready.store(true, std::memory_order_release);  // pairs with the acquire in take_slices()
    return true;
}

/// Another region, for at least `slices`.
Region* reserve_next(std::uint32_t slices) noexcept {
    if (g_more_count == g_more.size()) {
        return nullptr;
    }
    // The records of 512 slices fill one.
    const std::size_t wanted = (std::size_t{slices} + 1 + slices / 256) * kSliceBytes;
    const std::size_t limit = address_limit();
    const std::size_t usual = limit == SIZE_MAX ? kMost / 16 : std::max(limit / kShareOfLimit, kLeastRegion);
    Region& made = g_more[g_more_count];
    if (!made.reserve(std::max(wanted, usual)) && !made.reserve(wanted)) {
        return nullptr;
    }
    ++g_more_count;
    return &made;
}

Region* region_of(const void* address) noexcept {
    for (Region* region = &g_region; region != nullptr;
         region = region->next.load(std::memory_order_acquire)) {  // pairs with take_slices()
        if (region->contains(address)) {
            return region;
        }
    }
    return nullptr;
}

/// Whether another region helps: not where one has addresses left, for which the kernel refused memory (RLIMIT_DATA,
/// vm.overcommit_memory=2). A program that asks again and again would reserve another one each time.
bool lacks_addresses(std::uint32_t slices) noexcept {
    bool has_some = false;
    for_each_region([&](Region& region) { has_some = has_some || region.has_addresses(slices); });
    return !has_some;
}

/// A run from a region that came after `last`, or from another one.
HEAPWRIGHT_NOINLINE Span* take_from_another(Region* last, std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept {
    const os::LockGuard guard(g_lock);
    if (Region* const newer = last->next.load(std::memory_order_relaxed); newer != nullptr) {  // under the lock
        if (Span* const span = newer->take(slices, alignment, is_zero); span != nullptr) {
            return span;
        }
        while (last->next.load(std::memory_order_relaxed) != nullptr) {  // under the lock
            last = last->next.load(std::memory_order_relaxed);
        }
    }
    Region* const made = lacks_addresses(slices + alignment) ? reserve_next(slices + alignment) : nullptr;
    if (made == nullptr) {
        return nullptr;
    }
    last->next.store(made, std::memory_order_release);  // pairs with the acquires of those who walk the regions
    return made->take(slices, alignment, is_zero);
}

/// A run from the regions there are, or from another one.
Span* take_anywhere(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept {
    if (!g_is_ready.load(std::memory_order_acquire) && !reserve_first()) {  // pairs with the release in reserve_first()
        return nullptr;
    }
    Region* last = &g_region;
    for (Region* region = last; region != nullptr; region = region->next.load(std::memory_order_acquire)) {  // pairs with the release above
        if (Span* const span = region->take(slices, alignment, is_zero); span != nullptr) {
            return span;
        }
        last = region;
    }
    return take_from_another(last, slices, alignment, is_zero);
}

}  // namespace

Span* take_slices(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept {
    Span* const span = take_anywhere(slices, alignment, is_zero);
    // Clean slices are about to become memory: what is free and still memory goes first.
    if (span != nullptr && is_zero && is_above_ceiling(0)) {
        static_cast<void>(purge_regions(0, true));
    }
    return span;
}

void give_slices(Span* head) noexcept { region_of(head)->give(head, head->slices); }

bool extend_slices(Span* head, std::uint32_t wanted, bool& is_zero) noexcept {
    return region_of(head)->extend(head, head->slices, wanted, is_zero);
}

void shorten_slices(Span* head, std::uint32_t wanted) noexcept { region_of(head)->shorten(head, wanted); }

Span* find_span(const void* address) noexcept {
    const Region* const region = region_of(address);
    return region == nullptr ? nullptr : region->span_at(address);
}

void* allocate_metadata(std::size_t bytes) noexcept {
    bytes = (bytes + kCacheLineBytes - 1) & ~(kCacheLineBytes - 1);
    {
        const os::LockGuard guard(g_lock);
        if (bytes <= g_metadata_left) {
            g_metadata_left -= bytes;
            g_metadata += bytes;
            return g_metadata - bytes;
        }
    }
    bool is_zero = false;
    Span* const span = take_slices(static_cast<std::uint32_t>((bytes + kSliceBytes - 1) >> kSliceLog2), 1, is_zero);
    if (span == nullptr) {
        return nullptr;
    }
    const std::size_t room = std::size_t{span->slices} * kSliceBytes;
    if (!is_zero) {
        __builtin_memset(span->start, 0, room);
    }
    const os::LockGuard guard(g_lock);
    if (room - bytes > g_metadata_left) {
        g_metadata = span->start + bytes;
        g_metadata_left = room - bytes;
    }
    return span->start;
}

std::size_t purge_regions(std::uint32_t before, bool all) noexcept {
    std::size_t given = 0;
    for_each_region([&](Region& region) { given += region.purge(before, all); });
    return given;
}

void set_ceiling(std::size_t bytes) noexcept { g_ceiling.store(bytes, std::memory_order_relaxed); }  // a figure

bool is_above_ceiling(std::size_t more) noexcept {
    const std::size_t ceiling = g_ceiling.load(std::memory_order_relaxed);  // a figure
    if (ceiling == 0 || dirty_bytes() < kWorthPurging) {
        return false;
    }
    std::size_t sum = more;
    for_each_region([&](Region& region) {
        const os::LockGuard guard(region.lock());
        sum += region.used_bytes() - region.free_bytes() + region.dirty_bytes();
    });
    return sum > ceiling;
}

std::size_t dirty_bytes() noexcept {
    std::size_t sum = 0;
    for_each_region([&](const Region& region) { sum += region.dirty_bytes(); });
    return sum;
}

void lock_regions() noexcept {
    g_lock.lock();
    for_each_region([](Region& region) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { region.lock().lock(); });
}

void unlock_regions() noexcept {
    for_each_region([](Region& region) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { region.lock().unlock(); });
    g_lock.unlock();
}

void reset_region_locks_after_fork() noexcept {
    for_each_region([](Region& region) { region.lock().reset_after_fork(); });
    g_lock.reset_after_fork();
}

}  // namespace heapwright::heap
