// Slots are taken from the fullest chunk of their size, as low as possible, and given back.
#include <algorithm>
#include <cstring>

#include <heapwright/base/check.hpp>
#include <heapwright/base/fill.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/handle/detail/store.hpp>
#include <heapwright/own/handle/detail/types.hpp>

namespace heapwright::movable {

namespace {

constexpr std::uint64_t kAllTaken = ~std::uint64_t{0};
/// Memory of free chunks that is kept for the next: a program that makes and ends one object must not ask the kernel each time.
constexpr std::size_t kKeptFreeBytes = std::size_t{2} << 20;
constexpr std::uint64_t kRoomBudgetNs = 20'000'000;
constexpr unsigned kAttempts = 3;

/// Returns: kClassCount for what is too large for any.
std::size_t class_to_use(std::size_t bytes, std::size_t alignment, std::uint32_t type, bool may_be_short) noexcept {
    if (may_be_short && type == kBytesType && alignment <= kShortAlignment && bytes <= kLargestShort) {
        return short_class_for(bytes);
    }
    return bytes + kHeaderBytes + kLargestAlignment > kLargestSlot ? kClassCount : class_for(bytes, alignment);
}

}  // namespace

// ---- lists

void Store::unlist(SizeClass& size_class, Chunk& chunk) noexcept {
    if (chunk.list == Chunk::kUnlisted) {
        return;
    }
    ChunkNumber& first = size_class.lists[chunk.list];
    const std::uint32_t index = chunks.index_of(chunk);
    if (chunk.next == index) {
        first = kNoChunk;
    } else {
        chunks[chunk.previous].next = chunk.next;
        chunks[chunk.next].previous = chunk.previous;
        first = first == index ? chunk.next : std::uint32_t{first};
    }
    chunk.list = Chunk::kUnlisted;
}

/// To the list for its fullness, or to none when it is full. What a compaction is done with stays behind what it is not.
void Store::relist(SizeClass& size_class, Chunk& chunk) noexcept {
    const bool at_end = chunk.pass == pass_.load(std::memory_order_relaxed);  // changes between compactions only
    const auto list =
        chunk.live == chunk.slots ? Chunk::kUnlisted : static_cast<std::uint8_t>(std::size_t{chunk.live} * SizeClass::kLists / chunk.slots);
    if (list == chunk.list) {
        return;
    }
    unlist(size_class, chunk);
    chunk.list = list;
    if (list == Chunk::kUnlisted) {
        return;
    }
    ChunkNumber& first = size_class.lists[list];
    const std::uint32_t index = chunks.index_of(chunk);
    if (first == kNoChunk) {
        chunk.next = chunk.previous = index;
        first = index;
        return;
    }
    chunk.next = first;
    chunk.previous = chunks[first].previous;
    chunks[chunk.previous].next = index;
    chunks[first].previous = index;
    first = at_end ? std::uint32_t{first} : index;
}

Chunk* Store::fullest(SizeClass& size_class) noexcept {
    for (std::size_t list = SizeClass::kLists; list-- > 0;) {
        if (size_class.lists[list] != kNoChunk) {
            return &chunks[size_class.lists[list]];
        }
    }
    return nullptr;
}

// ---- chunks of slots

Chunk* Store::new_chunk(std::size_t size_class) noexcept {
    const std::uint32_t index = chunks.take(1);
    if (index == kNoChunk) {
        return nullptr;
    }
    Chunk& chunk = chunks[index];
    const std::size_t slot_bytes = slot_bytes_of(size_class);
    // Chunks begin at multiples of their size: without a shift the bits of all of them would fight for the same cache lines.
    const std::size_t bits = std::size_t{index} % 16 * 64;
    const std::size_t bit_bytes = (kChunkBytes / slot_bytes + kBitsPerWord - 1) / kBitsPerWord * 8;
    chunk.class_now.store(static_cast<std::uint16_t>(size_class), std::memory_order_relaxed);  // see size_class()
    chunk.slot_bytes = static_cast<std::uint16_t>(slot_bytes);
    chunk.reciprocal = static_cast<std::uint32_t>(((std::uint64_t{1} << 35) + slot_bytes - 1) / slot_bytes);
    chunk.bits = static_cast<std::uint16_t>(bits);
    chunk.header_bytes = static_cast<std::uint8_t>(header_bytes_of(size_class));
    chunk.first = static_cast<std::uint16_t>(align_up(bits + bit_bytes + chunk.header_bytes, kLargestAlignment) - chunk.header_bytes);
    chunk.slots = static_cast<std::uint32_t>((kChunkBytes - chunk.first) / slot_bytes);
    chunk.live = chunk.touched = chunk.hint = chunk.hole_pages = chunk.pass = 0;
    const std::uint32_t pages = chunk.pages_for(0);
    if (chunk.granted_pages < pages) {
        if (!chunks.grant(pages - chunk.granted_pages)) {
            chunks.give(index, 1);
            return nullptr;
        }
        chunk.granted_pages = pages;
    }
    std::memset(chunks.bits_of(chunk), 0, bit_bytes);
    poison(chunks.start_of(chunk) + chunk.first, kChunkBytes - chunk.first);
    chunk.set_state(ChunkState::slots);
    classes_[size_class].add_chunks(1);
    relist(classes_[size_class], chunk);
    return &chunk;
}

/// Pages between live slots had been given back; slots on them are about to be used again.
bool Store::fill_holes(Chunk& chunk) noexcept {
    if (chunk.hole_pages != 0) {
        if (!chunks.grant(chunk.hole_pages)) {
            return false;
        }
        chunk.hole_pages = 0;
    }
    return true;
}

std::uint32_t Store::take_slot(Chunk& chunk) noexcept {
    std::uint64_t* const bits = chunks.bits_of(chunk);
    const std::uint32_t words = chunk.words();
    while (chunk.hint < words && bits[chunk.hint] == kAllTaken) {
        ++chunk.hint;
    }
    if (chunk.hint == words) {
        return kNoSlot;
    }
    const auto slot = static_cast<std::uint32_t>(chunk.hint * kBitsPerWord + static_cast<unsigned>(__builtin_ctzll(~bits[chunk.hint])));
    if (slot >= chunk.slots || !fill_holes(chunk)) {
        return kNoSlot;
    }
    if (slot >= chunk.touched) {
        const std::uint32_t pages = chunk.pages_for(slot + 1);
        if (pages > chunk.granted_pages) {
            if (!chunks.grant(pages - chunk.granted_pages)) {
                return kNoSlot;
            }
            chunk.granted_pages = pages;
        }
        chunk.touched = slot + 1;
    }
    std::byte* const start = chunks.start_of(chunk) + chunk.offset_of(slot);
    unpoison(start, chunk.slot_bytes);
    // Relaxed: the caller has the lock. A child of fork that finds the thread here has a place that nobody moves; the page's first touch,
    // where forks catch threads, comes before the bit.
    if (chunk.header_bytes == kShortHeaderBytes) {
        upper_of(start + kShortHeaderBytes).store(ShortHeader::kShort | ShortHeader::kOnePin, std::memory_order_relaxed);  // as above
    } else {
        header_of(start + kHeaderBytes).store(Header::kOnePin, std::memory_order_relaxed);  // as above
    }
    std::atomic_signal_fence(std::memory_order_release);
    bits[chunk.hint] |= std::uint64_t{1} << slot % kBitsPerWord;
    ++chunk.live;
    return slot;
}

void Store::give_slot(Chunk& chunk, std::uint32_t slot) noexcept {
    std::uint64_t& word = chunks.bits_of(chunk)[slot / kBitsPerWord];
    const std::uint64_t bit = std::uint64_t{1} << slot % kBitsPerWord;
    HEAPWRIGHT_CHECK((word & bit) != 0, "a movable object is freed twice; a handle or box was overwritten");
    word &= ~bit;
    --chunk.live;
    chunk.hint = std::min(chunk.hint, static_cast<std::uint32_t>(slot / kBitsPerWord));
    std::byte* const start = chunks.start_of(chunk) + chunk.offset_of(slot);
#ifndef NDEBUG
    fill(start + chunk.header_bytes, std::min<std::size_t>(chunk.object_bytes(), 64), FillByte::freed);
#endif
    poison(start, chunk.slot_bytes);
}

// ---- objects

std::byte* Store::allocate_slot(std::size_t class_index, std::uint32_t type) noexcept {
    SizeClass& size_class = classes_[class_index];
    const os::LockGuard guard(size_class.lock);
    Chunk* chunk = size_class.current == kNoChunk ? nullptr : &chunks[size_class.current];
    std::uint32_t slot = kNoSlot;
    if (chunk == nullptr || chunk->list == Chunk::kUnlisted) {
        chunk = fullest(size_class);
        chunk = chunk == nullptr ? new_chunk(class_index) : chunk;
        if (chunk == nullptr) {
            return nullptr;
        }
        size_class.current = chunks.index_of(*chunk);
    }
    slot = take_slot(*chunk);
    if (slot == kNoSlot) {
        return nullptr;
    }
    relist(size_class, *chunk);
    ++size_class.live;
    std::byte* const payload = chunks.start_of(*chunk) + chunk->offset_of(slot) + chunk->header_bytes;
    if (!is_short_class(class_index)) {
        // Relaxed: whoever looks for objects to move takes the lock first.
        header_of(payload).store(std::uint64_t{type} << Header::kTypeShift | Header::kOnePin, std::memory_order_relaxed);
    }
    return payload;
}

Result<std::byte*> Store::allocate(std::size_t bytes, std::size_t alignment, std::uint32_t type, bool may_be_short) noexcept {
    HEAPWRIGHT_CHECK(!gate.is_mover(), "a move constructor allocates from the heap that moves its object; make what it needs before");
    if (bytes > Layout::kLargestSize - 2 * kChunkBytes) {
        refusals.fetch_add(1, std::memory_order_relaxed);  // a figure
        return fail_with(Errc::overflow, bytes);
    }
    if (options.stress != 0 && allocations_.fetch_add(1, std::memory_order_relaxed) % options.stress == 0) {  // a count
        static_cast<void>(move_everything());                                                                 // as much as may be moved now
    }
    const std::size_t size_class = class_to_use(bytes, alignment, type, may_be_short);
    for (unsigned attempt = 0;; ++attempt) {
        std::byte* const payload = size_class == kClassCount ? allocate_large(bytes, type) : allocate_slot(size_class, type);
        if (payload != nullptr) {
            return payload;
        }
        if (attempt == kAttempts || !make_room(attempt)) {
            break;
        }
    }
    refusals.fetch_add(1, std::memory_order_relaxed);  // a figure
    const std::size_t wanted_pages = bytes / os::kPageBytes + 1;
    const bool at_limit = chunks.granted_bytes() / os::kPageBytes + wanted_pages > chunks.limit_bytes() / os::kPageBytes;
    return at_limit ? fail_with(Errc::limit_reached, options.limit_bytes) : fail_with(Errc::out_of_memory, bytes);
}

bool Store::make_room(unsigned attempt) noexcept {
    if (attempt == 0) {
        static_cast<void>(chunks.trim(0));  // another thread may have made room meanwhile, too
        return true;
    }
    const auto result = compact(kRoomBudgetNs);
    return result && result->returned_bytes + result->moved_bytes != 0;
}

void Store::deallocate(std::byte* payload) noexcept {
    HEAPWRIGHT_CHECK(!gate.is_mover(), "a move constructor frees to the heap that moves its object; end what it owns later");
    const std::uint32_t index = chunks.index_of(payload);
    Chunk& chunk = chunks[index];
    if (chunk.state() == ChunkState::large) {
        deallocate_large(chunk);
        return;
    }
    SizeClass& size_class = classes_[chunk.size_class()];
    bool is_empty = false;
    {
        const os::LockGuard guard(size_class.lock);
        const auto offset = static_cast<std::size_t>(payload - chunk.header_bytes - chunks.start_of(chunk));
        give_slot(chunk, chunk.slot_at(offset));
        --size_class.live;
        is_empty = chunk.live == 0;
        if (is_empty) {
            unlist(size_class, chunk);
            size_class.add_chunks(-1);
            size_class.current = size_class.current == index ? kNoChunk : std::uint32_t{size_class.current};
            chunk.empty();
        } else {
            relist(size_class, chunk);
        }
    }
    if (is_empty) {
        chunks.give(index, 1);
        if (chunks.dirty_bytes() > kKeptFreeBytes) {
            static_cast<void>(chunks.trim(kKeptFreeBytes / 2));
        }
    }
}

std::size_t Store::capacity_of(const std::byte* payload) const noexcept {
    const Chunk& chunk = chunks[chunks.index_of(payload)];
    if (chunk.state() == ChunkState::large) {
        return chunk.granted_pages * os::kPageBytes - static_cast<std::size_t>(payload - chunks.start_of(chunk));
    }
    return chunk.object_bytes();
}

}  // namespace heapwright::movable
