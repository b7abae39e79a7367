// A heap's beginning and end, and objects that are too large for slots.
#include <heapwright/own/handle/detail/store.hpp>

#include <algorithm>
#include <new>
#include <span>

#include <heapwright/base/check.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::movable {

constinit std::atomic<Store*> g_directory[kSegments] = {};

namespace {

constexpr std::size_t kMostAddresses = std::size_t{16} << 30;  // what the entry of a name can count
static_assert(kMostAddresses / kEntryUnit - 1 <= UINT32_MAX);
// Addresses for as many names as there are objects of 64 bytes; as many again, as packed pages of the name table give none.
constexpr std::size_t kBytesPerName = 32;
constexpr std::size_t kStoreBytes = os::round_to_pages(sizeof(Store));
constexpr std::size_t kLanesBytes = os::round_to_pages(Gate::kLanesMost * sizeof(Gate::Lane));
constexpr std::size_t kClassesBytes = os::round_to_pages(kClassCount * sizeof(SizeClass));
constexpr std::size_t kAllBytes = kStoreBytes + kLanesBytes + kClassesBytes + ManyPins::kOwnBytes;
constexpr std::size_t kLargeOffset = kLargestAlignment;  // of a large object in its run

}  // namespace

Store::Store(const MovableHeapOptions& given, std::byte* addresses, std::size_t chunk_count, std::size_t name_count,
             std::size_t address_bytes) noexcept
    : options(given),
      gate(reinterpret_cast<Gate::Lane*>(reinterpret_cast<std::byte*>(this) + kStoreBytes)),
      names(addresses + Chunks::address_bytes(chunk_count), name_count),
      chunks(addresses, chunk_count, given.limit_bytes),
      many_pins(reinterpret_cast<std::byte*>(this) + kAllBytes - ManyPins::kOwnBytes),
      address_bytes_(address_bytes),
      classes_(reinterpret_cast<SizeClass*>(reinterpret_cast<std::byte*>(this) + kStoreBytes + kLanesBytes)) {}

Store* Store::make(const MovableHeapOptions& options) noexcept {
    const std::size_t objects = std::clamp(align_up(options.address_bytes, kSegmentBytes), kSegmentBytes, kMostAddresses);
    const std::size_t chunk_count = objects >> kChunkShift;
    const std::size_t name_count = objects / kBytesPerName;
    const std::size_t bytes = align_up(Chunks::address_bytes(chunk_count) + Names::address_bytes(name_count), kSegmentBytes);
    void* const pages = os::map_pages(kAllBytes, "heapwright movable heap");
    if (pages == nullptr) {
        return nullptr;
    }
    auto* const addresses = static_cast<std::byte*>(os::reserve(bytes, kSegmentBytes, "heapwright movable objects"));
    if (addresses == nullptr) {
        os::release(pages, kAllBytes);
        return nullptr;
    }
    auto* const store = ::new (pages) Store(options, addresses, chunk_count, name_count, bytes);
    for (std::size_t segment = 0; segment < bytes / kSegmentBytes; ++segment) {
        // Release pairs with the acquire in of().
        g_directory[(reinterpret_cast<std::uintptr_t>(addresses) >> kSegmentShift) + segment].store(store, std::memory_order_release);
    }
    return store;
}

void Store::destroy(Store* store) noexcept {
    const MovableHeapStats stats = store->stats();
    HEAPWRIGHT_CHECK(stats.live_objects == 0, "a heap of movable objects ends before its objects; let the handles and boxes go first");
    std::byte* const addresses = store->chunks.base();
    const std::size_t bytes = store->address_bytes_;
    unpoison(addresses, std::size_t{store->chunks.used_end()} << kChunkShift);
    for (std::size_t segment = 0; segment < bytes / kSegmentBytes; ++segment) {
        // Relaxed: nobody has an address of it any more.
        g_directory[(reinterpret_cast<std::uintptr_t>(addresses) >> kSegmentShift) + segment].store(nullptr, std::memory_order_relaxed);
    }
    store->~Store();
    os::release(addresses, bytes);
    os::release(store, kAllBytes);
}

std::size_t Store::own_bytes() noexcept { return kAllBytes; }

std::byte* Store::allocate_large(std::size_t bytes, std::uint32_t type) noexcept {
    const std::size_t pages = os::round_to_pages(bytes + kLargeOffset) / os::kPageBytes;
    const std::size_t run = (pages * os::kPageBytes + kChunkBytes - 1) >> kChunkShift;
    if (!chunks.grant(pages)) {
        return nullptr;
    }
    const std::uint32_t index = chunks.take(run);
    if (index == kNoChunk) {
        chunks.revoke(pages);
        return nullptr;
    }
    Chunk& chunk = chunks[index];
    chunks.revoke(chunk.granted_pages);  // a single chunk may come with memory, which is counted among `pages` now
    chunk.granted_pages = static_cast<std::uint32_t>(pages);
    chunk.run = static_cast<std::uint32_t>(run);
    chunk.set_state(ChunkState::large);
    large_objects_.fetch_add(1, std::memory_order_relaxed);  // figures
    large_bytes_.fetch_add(pages * os::kPageBytes - kLargeOffset, std::memory_order_relaxed);
    std::byte* const payload = chunks.start_of(chunk) + kLargeOffset;
    header_of(payload).store(std::uint64_t{type} << Header::kTypeShift | Header::kOnePin, std::memory_order_relaxed);  // nobody knows it
    return payload;
}

void Store::deallocate_large(Chunk& chunk) noexcept {
    const std::size_t run = chunk.run;
    std::byte* const start = chunks.start_of(chunk);
    large_objects_.fetch_sub(1, std::memory_order_relaxed);  // figures
    large_bytes_.fetch_sub(chunk.granted_pages * os::kPageBytes - kLargeOffset, std::memory_order_relaxed);
    if (os::discard(start, chunk.granted_pages * os::kPageBytes)) {
        chunks.revoke(chunk.granted_pages);
        chunk.granted_pages = 0;
    }
    poison(start, run * kChunkBytes);
    chunks.give(chunks.index_of(chunk), run);
}

MovableHeapStats Store::stats() const noexcept {
    MovableHeapStats stats;
    {
        const os::LockGuard guard(totals_lock_);
        stats = totals_;
    }
    for (std::size_t index = 0; index < kClassCount; ++index) {
        if (classes_[index].chunks() == 0) {
            continue;
        }
        const os::LockGuard guard(classes_[index].lock);
        stats.live_objects += classes_[index].live;
        stats.live_bytes += classes_[index].live * (slot_bytes_of(index) - header_bytes_of(index));
    }
    stats.live_objects += large_objects_.load(std::memory_order_relaxed);  // figures, as what follows
    stats.live_bytes += large_bytes_.load(std::memory_order_relaxed);
    stats.free_bytes = chunks.dirty_bytes();
    stats.address_bytes = std::size_t{chunks.used_end()} << kChunkShift;
    // Records of names are objects, but a part of the name table to who asks.
    const Names::Counts named = names.counts();
    stats.resident_bytes = chunks.granted_bytes();
    stats.live_objects -= std::min<std::uint64_t>(stats.live_objects, named.records);
    stats.live_bytes -= std::min(stats.live_bytes, named.record_bytes - named.records * kHeaderBytes);
    stats.resident_bytes -= std::min(stats.resident_bytes, named.record_bytes);
    stats.name_bytes = named.page_bytes + named.record_bytes;
    stats.names = named.names;
    stats.refusals = refusals.load(std::memory_order_relaxed);
    return stats;
}

void Store::reset_after_fork() noexcept {
    gate.reset_after_fork();
    names.reset_after_fork();
    chunks.reset_after_fork();
    for (SizeClass& size_class : std::span(classes_, kClassCount)) {
        if (size_class.lock.is_held()) {  // the parent's pages are shared until they are written
            size_class.lock.reset_after_fork();
        }
    }
    compacting_.reset_after_fork();
    totals_lock_.reset_after_fork();
    many_pins.reset_after_fork();
    drop_new_records();
}

}  // namespace heapwright::movable
