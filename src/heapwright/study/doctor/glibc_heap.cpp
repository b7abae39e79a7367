#include <heapwright/study/doctor/glibc_heap.hpp>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace heapwright::study::doctor::glibc {

namespace {

/// A heap is never so fragmented that fewer rings are empty: there is one for each size.
constexpr std::size_t kEmptyRings = 4;
/// Of the data of one file no more is looked at: the arena is in the first pages of libc's.
constexpr std::uint64_t kMostData = std::uint64_t{32} << 20;
constexpr std::size_t kMostArenas = 100'000;

bool is_libc(std::string_view name) { return name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so")); }

std::optional<std::uint64_t> search(MemorySource& memory, const ProcessMapping& mapping) {
    std::vector<std::byte> data(std::min(mapping.size_bytes(), kMostData));
    if (data.size() < sizeof(Arena) || memory.read(mapping.start, data) == 0) {
        return std::nullopt;
    }
    for (std::uint64_t offset = 0; offset + sizeof(Arena) <= data.size(); offset += kAlignment) {
        // The first ring alone refuses nearly every place.
        std::uint64_t first = 0;
        std::memcpy(&first, data.data() + offset + offsetof(Arena, bins), sizeof(first));
        if (!is_chunk_address(first)) {
            continue;
        }
        Arena arena{};
        std::memcpy(&arena, data.data() + offset, sizeof(arena));
        if (is_arena(arena, mapping.start + offset)) {
            return mapping.start + offset;
        }
    }
    return std::nullopt;
}

/// What brk made: one piece, or several where their attributes differ.
Segment brk_segment(std::span<const ProcessMapping> mappings) {
    Segment segment;
    segment.is_main = true;
    for (const ProcessMapping& mapping : mappings) {
        const bool goes_on = segment.end == 0 || segment.end == mapping.start;
        if (mapping.path == "[heap]" && goes_on) {
            segment.start = segment.end == 0 ? mapping.start : segment.start;
            segment.end = mapping.end;
            segment.trim_step = mapping.wants_huge_pages ? kHugeBytes : segment.trim_step;
        }
    }
    segment.begin = segment.start;
    return segment;
}

/// Mappings whose pages the main heap may be in: the brk's, or one that holds the top where brk could not grow.
void add_main_segments(std::span<const ProcessMapping> mappings, ArenaPlace& place) {
    const std::uint64_t top = place.arena.top;
    Segment segment = brk_segment(mappings);
    if (segment.end != 0) {
        segment.top = segment.contains(top) ? top : 0;
        place.segments.push_back(segment);
    }
    if (segment.top != 0) {
        return;
    }
    const auto holder = std::find_if(mappings.begin(), mappings.end(), [top](const ProcessMapping& mapping) {
        return mapping.contains(top) && mapping.writable && mapping.is_private_anonymous();
    });
    if (holder != mappings.end()) {  // a trim finds that brk does not end there, and keeps it
        place.segments.push_back({.start = holder->start, .begin = holder->start, .end = holder->end, .top = top, .is_main = false});
    }
}

/// Heaps begin at multiples of 64 MiB; full ones may share a mapping with the next.
template <class Visitor>
void for_each_heap_place(std::span<const ProcessMapping> mappings, Visitor visit) {
    for (const ProcessMapping& mapping : mappings) {
        if (!mapping.writable || !mapping.is_private_anonymous() || mapping.resident_bytes == 0) {
            continue;
        }
        for (std::uint64_t at = (mapping.start + kHeapBytes - 1) & ~(kHeapBytes - 1); at < mapping.end; at += kHeapBytes) {
            visit(at, mapping);
        }
    }
}

/// The kernel splits a heap into several mappings where their attributes differ.
std::uint64_t writable_end(std::span<const ProcessMapping> mappings, std::uint64_t address) {
    std::uint64_t end = address;
    for (const ProcessMapping& mapping : mappings) {
        if (mapping.contains(end) && mapping.writable) {
            end = mapping.end;
        }
    }
    return end;
}

void add_heap(MemorySource& memory, std::span<const ProcessMapping> mappings, std::uint64_t at, std::uint64_t head_bytes,
              ArenaPlace& place) {
    const auto head = memory.object<HeapHead>(at);
    if (!head || head->bytes > kHeapBytes || head->bytes < head_bytes) {
        return;
    }
    Segment segment;
    segment.start = at;
    segment.begin = at + head_bytes;
    if (place.address == segment.begin) {  // the first heap also holds the arena
        segment.begin = (segment.begin + sizeof(Arena) + kAlignment - 1) & ~(kAlignment - 1);
    }
    segment.end = std::min(at + head->bytes, writable_end(mappings, at));
    segment.top = segment.contains(place.arena.top) ? place.arena.top : 0;
    if (segment.begin < segment.end) {
        place.segments.push_back(segment);
    }
}

}  // namespace

bool is_arena(const Arena& arena, std::uint64_t address) {
    constexpr std::uint64_t kRingOffset = offsetof(Arena, bins) - 16;  // a ring poses as a chunk, of which only the links are there
    std::size_t empty = 0;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
        const std::uint64_t ring = address + kRingOffset + bin * 16;
        const std::uint64_t first = arena.bins[2 * bin];
        const std::uint64_t last = arena.bins[2 * bin + 1];
        if (first == ring && last == ring) {
            ++empty;
        } else if (!is_chunk_address(first) || !is_chunk_address(last)) {
            return false;
        }
    }
    return empty >= kEmptyRings && is_chunk_address(arena.top) && is_chunk_address(arena.next) &&
           arena.system_bytes <= arena.most_system_bytes;
}

std::optional<std::uint64_t> find_main_arena(MemorySource& memory, std::span<const ProcessMapping> mappings, bool is_static) {
    const ProcessMapping* before = nullptr;
    for (const ProcessMapping& mapping : mappings) {
        const bool is_its_file = mapping.is_file() && (is_libc(mapping.file_name()) || is_static);
        // What follows the data of a file without a file of its own is its bss.
        const bool is_its_bss = before != nullptr && before->end == mapping.start && mapping.is_private_anonymous() && mapping.path.empty();
        if (mapping.writable && mapping.resident_bytes != 0 && (is_its_file || is_its_bss)) {
            if (const auto found = search(memory, mapping)) {
                return found;
            }
        }
        before = is_its_file ? &mapping : nullptr;
    }
    return std::nullopt;
}

std::vector<ArenaPlace> find_arenas(MemorySource& memory, std::span<const ProcessMapping> mappings, std::uint64_t main_arena) {
    std::vector<ArenaPlace> places;
    std::unordered_map<std::uint64_t, std::size_t> index_of;
    for (std::uint64_t address = main_arena; places.size() < kMostArenas;) {
        const auto arena = memory.object<Arena>(address);
        if (!arena || !is_arena(*arena, address) || !index_of.emplace(address, places.size()).second) {
            break;
        }
        places.push_back({.address = address, .arena = *arena, .is_main = address == main_arena, .segments = {}});
        address = arena->next;
    }
    if (places.empty()) {
        return places;
    }
    add_main_segments(mappings, places.front());
    std::uint64_t head_bytes = kHeapHeadBytes;
    for_each_heap_place(mappings, [&](std::uint64_t at, const ProcessMapping&) {
        const auto head = memory.object<HeapHead>(at);
        if (head && (head->arena == at + kOldHeapHeadBytes || head->arena == at + kHeapHeadBytes) && index_of.contains(head->arena)) {
            head_bytes = head->arena - at;
        }
    });
    for_each_heap_place(mappings, [&](std::uint64_t at, const ProcessMapping&) {
        const auto head = memory.object<HeapHead>(at);
        if (!head) {
            return;
        }
        if (const auto found = index_of.find(head->arena); found != index_of.end() && !places[found->second].is_main) {
            add_heap(memory, mappings, at, head_bytes, places[found->second]);
        }
    });
    return places;
}

}  // namespace heapwright::study::doctor::glibc
