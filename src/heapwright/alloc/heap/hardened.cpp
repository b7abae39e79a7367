// Checks around each call of the default heap. The bit of a block decides; everything else is read only while it is set.
#include <heapwright/alloc/heap/hardened.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <heapwright/alloc/heap/detail/fault.hpp>
#include <heapwright/alloc/heap/detail/guard.hpp>
#include <heapwright/alloc/heap/detail/live_bits.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/quarantine.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::hardened_heap {

using heap::kGuardBytes;
using heap::Span;

namespace {

constexpr std::size_t kMostBytes = PTRDIFF_MAX - kGuardBytes;
constexpr std::size_t kAnySize = SIZE_MAX;

/// What the heap below knows of a block.
struct Place {
    Span* span = nullptr;
    std::size_t capacity = 0;
    bool is_large = false;
};

/// Requires: a block begins there; else the place may be none.
HEAPWRIGHT_ALWAYS_INLINE Place place_of(const void* block) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - heap::g_first_base);
    Span* span =
        HEAPWRIGHT_LIKELY(offset < heap::g_first_bytes) ? heap::g_first_records + (offset >> heap::kSliceLog2) : heap::find_span(block);
    if (HEAPWRIGHT_UNLIKELY(span == nullptr)) {
        return {};
    }
    const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // of what it says, nothing changes while the block lives
    if (owner == heap::owner::kLarge) {
        return {.span = span, .capacity = std::size_t{span->pages} * os::kPageBytes, .is_large = true};
    }
    if (owner == heap::owner::kInterior) {
        span -= span->head_distance;
    }
    return {.span = span, .capacity = span->block_bytes, .is_large = false};
}

/// Whether the heap below may have handed this out for so many bytes: not if a writer changed what leads to its free blocks.
HEAPWRIGHT_ALWAYS_INLINE bool is_sound(const Place& place, const void* block, std::size_t bytes) noexcept {
    if (place.capacity < bytes + kGuardBytes) {
        return false;
    }
    // A division of half a register; offsets in a span of small blocks fit.
    return place.is_large || static_cast<std::uint32_t>(static_cast<const char*>(block) - place.span->start) % place.span->block_bytes == 0;
}

/// Makes a block of what the heap below gave.
HEAPWRIGHT_ALWAYS_INLINE void* guarded(void* block, std::size_t bytes) noexcept {
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        return nullptr;
    }
    const Place place = place_of(block);
    if (HEAPWRIGHT_UNLIKELY(!is_sound(place, block, bytes))) {
        heap::stop_damaged(block, bytes);
    }
    const heap::Marked marked = heap::mark_live(block);
    if (HEAPWRIGHT_UNLIKELY(marked != heap::Marked::now)) {
        if (marked == heap::Marked::before) {
            heap::stop_damaged(block, bytes);
        }
        default_heap::release(block);
        return nullptr;
    }
    static_cast<heap::FreeBlock*>(block)->next = nullptr;  // where other blocks lie is nobody's business
    heap::write_guard(block, place.capacity, bytes);
    return block;
}

/// Names what is wrong with a pointer at which no block lives.
[[noreturn]] HEAPWRIGHT_COLD void explain(const char* what, const void* pointer) noexcept {
    heap::Region* home = nullptr;
    heap::for_each_region([&](heap::Region& region) { home = region.is_reserved() && region.contains(pointer) ? &region : home; });
    if (home == nullptr) {
        heap::stop_foreign(what, pointer);
    }
    if (const void* const live = heap::live_block_before(pointer); live != nullptr) {
        const Place place = place_of(live);
        const auto distance = static_cast<std::size_t>(static_cast<const char*>(pointer) - static_cast<const char*>(live));
        if (distance < place.capacity) {
            std::size_t bytes = place.capacity - kGuardBytes;
            static_cast<void>(heap::read_guard(live, place.capacity, bytes));  // as well as it can be told
            heap::stop_inside(what, pointer, distance, bytes);
        }
    }
    const auto slice =
        static_cast<std::size_t>(static_cast<const char*>(pointer) - reinterpret_cast<const char*>(home->records())) >> heap::kSliceLog2;
    if (slice < home->first_slice() || slice >= home->used_slices()) {
        heap::stop_not_a_block(what, pointer);
    }
    const Span* span = home->records() + slice;
    std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // a last look; nothing depends on it
    if (owner == heap::owner::kInterior && span->head_distance < heap::kMostSpanSlices) {
        span -= span->head_distance;
        owner = span->owner.load(std::memory_order_relaxed);  // as above
    }
    const bool has_blocks = owner != heap::owner::kFree && owner != heap::owner::kMetadata && owner != heap::owner::kLarge &&
                            owner != heap::owner::kInterior && span->block_bytes != 0;
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(pointer) - span->start);
    if (has_blocks && offset % span->block_bytes == 0 && offset / span->block_bytes < span->carved) {
        heap::stop_freed_before(what, pointer, span->block_bytes - kGuardBytes);
    }
    heap::stop_not_a_block(what, pointer);
}

/// The bytes that were asked for. Stops the program if this is no live block, or was written beyond its end.
std::size_t checked_bytes(const void* block, const char* what, Place& place) noexcept {
    if (HEAPWRIGHT_UNLIKELY(!heap::is_live(block))) {
        explain(what, block);
    }
    place = place_of(block);
    std::size_t bytes = 0;
    if (HEAPWRIGHT_UNLIKELY(!heap::read_guard(block, place.capacity, bytes))) {
        heap::stop_overrun(what, block, place.capacity - kGuardBytes);
    }
    return bytes;
}

HEAPWRIGHT_ALWAYS_INLINE void put_away(void* block, const char* what, std::size_t told) noexcept {
    heap::HeldBack* const held = heap::held_back();
    if (HEAPWRIGHT_UNLIKELY(!heap::unmark_live(block))) {
        explain(what, block);
    }
    const Place place = place_of(block);
    std::size_t bytes = 0;
    if (HEAPWRIGHT_UNLIKELY(!heap::read_guard(block, place.capacity, bytes))) {
        heap::stop_overrun(what, block, place.capacity - kGuardBytes);
    }
    if (HEAPWRIGHT_UNLIKELY(told != kAnySize && told != bytes)) {
        heap::stop_wrong_size(what, block, bytes, told);
    }
    if (HEAPWRIGHT_UNLIKELY(place.is_large)) {
        default_heap::release(block);
        return;
    }
    heap::fill_freed(block, place.capacity);
    if (HEAPWRIGHT_LIKELY(held != nullptr)) {
        held->quarantine.add(block, place.capacity);
    } else {
        default_heap::release(block);
    }
}

}  // namespace

void* allocate(std::size_t bytes) noexcept {
    if (HEAPWRIGHT_UNLIKELY(bytes > kMostBytes)) {
        return nullptr;
    }
    heap::HeldBack* const held = heap::held_back();
    const std::size_t total = bytes + kGuardBytes;
    const bool is_shuffled = held != nullptr && total <= heap::Shuffle::kMostBytes;
    return guarded(HEAPWRIGHT_LIKELY(is_shuffled) ? held->shuffle.take(total) : default_heap::allocate(total), bytes);
}

void* allocate_zeroed(std::size_t bytes) noexcept {
    if (bytes <= heap::Shuffle::kMostBytes) {
        void* const block = allocate(bytes);
        if (block != nullptr) {
            std::memset(block, 0, bytes);
        }
        return block;
    }
    static_cast<void>(heap::held_back());  // and the secret
    return HEAPWRIGHT_UNLIKELY(bytes > kMostBytes) ? nullptr : guarded(default_heap::allocate_zeroed(bytes + kGuardBytes), bytes);
}

void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
    if (alignment <= heap::kSmallestBytes || (alignment <= 16 && bytes != 0)) {
        return allocate(bytes);
    }
    static_cast<void>(heap::held_back());  // and the secret
    return HEAPWRIGHT_UNLIKELY(bytes > kMostBytes) ? nullptr
                                                   : guarded(default_heap::allocate_aligned(bytes + kGuardBytes, alignment), bytes);
}

void* reallocate(void* block, std::size_t bytes) noexcept {
    Place place;
    const std::size_t before = checked_bytes(block, "realloc", place);
    if (HEAPWRIGHT_UNLIKELY(bytes > kMostBytes)) {
        return nullptr;
    }
    if (default_heap::resize_in_place(block, bytes + kGuardBytes)) {
        if (bytes > before) {
            // What guarded the block becomes the program's: it must not learn of it.
            std::memset(static_cast<char*>(block) + before, 0, std::min(bytes, place.capacity) - before);
        }
        heap::write_guard(block, place_of(block).capacity, bytes);
        return block;
    }
    void* const moved = allocate(bytes);
    if (moved == nullptr) {
        return bytes <= before ? block : nullptr;
    }
    std::memcpy(moved, block, std::min(before, bytes));
    put_away(block, "realloc", kAnySize);
    return moved;
}

void release(void* block) noexcept {
    if (HEAPWRIGHT_LIKELY(block != nullptr)) {
        put_away(block, "free", kAnySize);
    }
}

void release_sized(void* block, std::size_t bytes) noexcept {
    if (HEAPWRIGHT_LIKELY(block != nullptr)) {
        put_away(block, "sized delete", bytes);
    }
}

std::size_t usable_bytes(const void* block) noexcept {
    Place place;
    return block == nullptr ? 0 : checked_bytes(block, "malloc_usable_size", place);
}

std::size_t trim() noexcept {
    if (heap::HeldBack* const held = heap::held_back(); held != nullptr) {
        held->quarantine.drain();
    }
    return default_heap::trim();
}

void before_fork() noexcept {
    heap::lock_held_back();
    heap::lock_live_bits();
    default_heap::before_fork();
}

void after_fork_in_parent() noexcept {
    default_heap::after_fork_in_parent();
    heap::unlock_live_bits();
    heap::unlock_held_back();
}

void after_fork_in_child() noexcept {
    default_heap::after_fork_in_child();
    heap::reset_live_bits_after_fork();
    heap::reset_held_back_after_fork();
}

}  // namespace heapwright::hardened_heap
