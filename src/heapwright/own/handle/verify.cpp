// The invariants of a heap of movable objects, looked at one by one.
#include <heapwright/own/handle/detail/store.hpp>

namespace heapwright::movable {

/// H2 for one object. Objects that are being made belong to nobody yet.
const char* Store::broken_object(std::byte* payload, std::uint64_t& named) const noexcept {
    const std::uint32_t upper = upper_of(payload).load(std::memory_order_acquire);  // pairs with the store of the owner
    const std::uint64_t header = is_short(upper) ? 0 : header_of(payload).load(std::memory_order_acquire);  // as above
    const std::uint64_t owner = is_short(upper) ? ShortHeader::name(upper) : Header::owner(header);
    if (owner == 0) {
        return pins_in(upper) == 0 ? "H2: an object that may move belongs to nobody" : nullptr;
    }
    if (is_short(upper) && ShortHeader::pins(upper) == ShortHeader::kMany && !many_pins.counts(payload)) {
        return "MP1: an object has many pins that nobody counts";
    }
    if (Header::is_boxed(header)) {
        return *reinterpret_cast<std::byte* const*>(owner * 8) != payload ? "H2: a box does not point at what it owns" : nullptr;
    }
    ++named;
    const Entry entry = names.place_of(static_cast<std::uint32_t>(owner));
    return entry == kElsewhere || chunks.base() + entry * kEntryUnit != payload ? "H2: a name does not say where its object is" : nullptr;
}

const char* Store::broken_in(const Chunk& chunk) const noexcept {
    const std::uint64_t* const bits = chunks.bits_of(chunk);
    std::uint32_t live = 0;
    for (std::uint32_t slot = 0; slot < chunk.slots; ++slot) {
        const bool is_live = (bits[slot / kBitsPerWord] >> slot % kBitsPerWord & 1) != 0;
        live += is_live ? 1 : 0;
        if (is_live && slot >= chunk.touched) {
            return "MC2: a live slot lies behind those that were ever used";
        }
        if (!is_live && slot / kBitsPerWord < chunk.hint) {
            return "MC2: a free slot lies below the hint";
        }
    }
    if (live != chunk.live) {
        return "MC1: a chunk does not count its live slots";
    }
    if (chunk.granted_pages < chunk.pages_for(chunk.touched)) {
        return "MC3: a chunk uses memory that it was not granted";
    }
    const auto list =
        live == chunk.slots ? Chunk::kUnlisted : static_cast<std::uint8_t>(std::size_t{live} * SizeClass::kLists / chunk.slots);
    return list != chunk.list ? "H3: a chunk is not in the list for how full it is" : nullptr;
}

const char* Store::broken_list(std::size_t class_index, std::uint8_t list) const noexcept {
    const std::uint32_t first = classes_[class_index].lists[list];
    for (std::uint32_t at = first; at != kNoChunk;) {
        const Chunk& chunk = chunks[at];
        if (chunk.state() != ChunkState::slots || chunk.size_class() != class_index || chunk.list != list) {
            return "H3: a list holds a chunk that is not of its kind";
        }
        if (chunks[chunk.next].previous != at) {
            return "H3: a list is torn";
        }
        at = chunk.next == first ? kNoChunk : chunk.next;
    }
    return nullptr;
}

const char* Store::broken_lists() const noexcept {
    for (std::size_t index = 0; index < kClassCount; ++index) {
        for (std::uint8_t list = 0; list < SizeClass::kLists; ++list) {
            if (const char* broken = broken_list(index, list)) {
                return broken;
            }
        }
    }
    return nullptr;
}

/// The objects of a chunk that is cut, or of a large one.
const char* Store::broken_objects(const Chunk& chunk, std::uint64_t& live, std::uint64_t& named) const noexcept {
    if (chunk.state() == ChunkState::large) {
        ++live;
        return broken_object(chunks.start_of(chunk) + kLargestAlignment, named);
    }
    live += chunk.live;
    for (std::uint32_t slot = 0; slot < chunk.touched; ++slot) {
        if ((chunks.bits_of(chunk)[slot / kBitsPerWord] >> slot % kBitsPerWord & 1) == 0) {
            continue;
        }
        if (const char* broken = broken_object(chunks.start_of(chunk) + chunk.offset_of(slot) + chunk.header_bytes, named)) {
            return broken;
        }
    }
    return nullptr;
}

const char* Store::broken_chunks(std::uint64_t& live, std::uint64_t& named, std::size_t& pages) const noexcept {
    for (std::uint32_t index = 0; index < chunks.used_end(); ++index) {
        const Chunk& chunk = chunks[index];
        const ChunkState state = chunk.state();
        if (state == ChunkState::dirty || state == ChunkState::large) {
            pages += chunk.granted_pages;
        }
        if (state == ChunkState::slots) {
            pages += chunk.granted_pages - chunk.hole_pages;
            if (const char* broken = broken_in(chunk)) {
                return broken;
            }
        }
        if (state == ChunkState::slots || state == ChunkState::large) {
            if (const char* broken = broken_objects(chunk, live, named)) {
                return broken;
            }
        }
    }
    return nullptr;
}

const char* Store::broken_invariant() const noexcept {
    std::uint64_t named = 0;
    std::uint64_t live = 0;
    std::size_t pages = 0;
    if (const char* broken = broken_chunks(live, named, pages)) {
        return broken;
    }
    if (const char* broken = broken_lists()) {
        return broken;
    }
    if (const char* broken = names.broken_invariant()) {
        return broken;
    }
    const MovableHeapStats now = stats();
    if (live != now.live_objects + names.counts().records) {
        return "H1: the live objects are not as many as are counted";
    }
    if (named != now.names) {
        return "H4: there are names without an object";
    }
    if (pages * os::kPageBytes != now.resident_bytes + names.counts().record_bytes) {
        return "H5: the memory of the chunks is not as much as is counted";
    }
    return gate.broken_invariant();
}

}  // namespace heapwright::movable
