#include <heapwright/study/doctor/glibc_walk.hpp>

#include <algorithm>
#include <array>

namespace heapwright::study::doctor::glibc {

namespace {

/// Pages without a block that are looked at in one mapping.
constexpr std::uint64_t kMostMisses = 1024;

/// What smaps counts in a stretch of addresses; mappings that reach beyond it count by their share of it.
std::uint64_t counted_in(std::span<const ProcessMapping> mappings, std::uint64_t start, std::uint64_t end) {
    std::uint64_t bytes = 0;
    for (const ProcessMapping& mapping : mappings) {
        if (mapping.start < end && start < mapping.end) {
            const std::uint64_t inside = std::min(mapping.end, end) - std::max(mapping.start, start);
            bytes += inside == mapping.size_bytes() ? mapping.resident_bytes : std::min(inside, mapping.resident_bytes);
        }
    }
    return bytes;
}

/// Moves what threads' caches hold from the live bytes.
void take_cached(MemorySource& memory, const PageRun& pages, const std::vector<CacheCandidate>& candidates, std::vector<CachedChunk>& all,
                 HeapFigures& figures) {
    if (candidates.empty()) {
        return;
    }
    ScatteredReader reader(memory);
    for (const CacheCandidate& candidate : candidates) {
        const auto found = thread_cached_chunks(reader, memory, candidate.address, candidate.bytes);
        all.insert(all.end(), found.begin(), found.end());
        figures.caches += found.empty() ? 0U : 1U;
        const std::uint64_t record =
            std::min(pages.resident_bytes(candidate.address, candidate.address + candidate.bytes), candidate.bytes);
        if (!found.empty() && record > kHeaderBytes && figures.chunks.live_bytes >= record - kHeaderBytes) {
            figures.chunks.live_bytes -= record - kHeaderBytes;  // the cache's own record
            figures.record_bytes += record - kHeaderBytes;
            --figures.chunks.used_chunks;
        }
    }
}

/// Bytes of the block whose header lies on this page; 0 when there is none. An aligned block's header lies 16 bytes before a
/// multiple of its alignment, and says how far behind its mapping's start.
std::uint64_t mapped_block_at(MemorySource& memory, const ProcessMapping& mapping, std::uint64_t page) {
    const auto words = memory.object<std::array<std::uint64_t, kPageBytes / sizeof(std::uint64_t)>>(page);
    if (!words) {
        return 0;
    }
    for (std::uint64_t alignment = kAlignment; alignment <= kPageBytes; alignment *= 2) {
        const std::uint64_t offset = alignment - kAlignment;
        const std::uint64_t before = (*words)[offset / 8];
        const std::uint64_t head = (*words)[offset / 8 + 1];
        const std::uint64_t bytes = head & ~kFlags;
        const bool is_block = (head & kFlags) == kMapped && before % kPageBytes == offset && before <= page + offset - mapping.start &&
                              (before == offset || alignment == kPageBytes) && (bytes + before) % kPageBytes == 0 &&
                              bytes >= kSmallestChunk && bytes <= mapping.end - page - offset;
        if (is_block) {
            return bytes + offset;
        }
    }
    return 0;
}

struct WalkedSegment {
    PageRun pages;
    Segment segment;
};

/// Cached chunks may lie in any arena: a thread keeps what it freed, whoever allocated it.
void count_cached(std::vector<WalkedSegment>& walked, const std::vector<CachedChunk>& cached, HeapFigures& figures) {
    std::sort(walked.begin(), walked.end(),
              [](const WalkedSegment& a, const WalkedSegment& b) { return a.segment.start < b.segment.start; });
    ChunkSet counted;
    for (const CachedChunk& chunk : cached) {
        auto found = std::upper_bound(walked.begin(), walked.end(), chunk.address,
                                      [](std::uint64_t address, const WalkedSegment& each) { return address < each.segment.start; });
        if (found == walked.begin()) {
            continue;
        }
        --found;
        if (!found->segment.contains(chunk.address) || !counted.insert(chunk.address)) {
            continue;
        }
        const std::uint64_t resident = found->pages.resident_bytes(chunk.address + kHeaderBytes, chunk.address + chunk.bytes);
        const std::uint64_t moved = std::min(resident, figures.chunks.live_bytes);
        figures.chunks.live_bytes -= moved;
        figures.cached_bytes += moved;
        ++figures.cached_blocks;
        figures.chunks.used_chunks -= figures.chunks.used_chunks > 0 ? 1 : 0;
    }
}

}  // namespace

HeapFigures examine_arenas(MemorySource& memory, std::span<const ProcessMapping> mappings, std::span<const ArenaPlace> places) {
    HeapFigures figures;
    std::vector<WalkedSegment> walked;
    std::vector<CachedChunk> cached;
    for (const ArenaPlace& place : places) {
        const ChunkSet fast = fast_chunks(memory, place);
        ArenaFigures arena{
            .address = place.address, .is_main = place.is_main, .heaps = place.segments.size(), .threads = place.arena.attached_threads};
        for (const Segment& segment : place.segments) {
            const std::uint64_t end = page_up(segment.end);
            PageRun pages = memory.residency(segment.start, end, counted_in(mappings, segment.start, end));
            ChunkWalk walk(memory, pages, segment, fast);
            walk.run();
            figures.chunks.add(walk.figures());
            figures.record_bytes += pages.resident_bytes(segment.start, segment.begin) + pages.resident_bytes(segment.end, end);
            figures.covered.push_back({.start = segment.start, .end = end, .resident_bytes = pages.resident_bytes()});
            take_cached(memory, pages, walk.candidates(), cached, figures);
            arena.live += walk.figures().live_bytes;
            arena.free_whole += walk.figures().trimmable_bytes + walk.figures().kept_bytes;
            arena.pinned_free += walk.figures().pinned_bytes;
            arena.largest_free = std::max(arena.largest_free, walk.figures().largest_free_bytes);
            walked.push_back({.pages = std::move(pages), .segment = segment});
        }
        figures.arenas.push_back(arena);
    }
    count_cached(walked, cached, figures);
    return figures;
}

MappedBlocks MappedBlockSearch::find(const ProcessMapping& mapping) {
    MappedBlocks found;
    PageRun pages;
    std::uint64_t left = std::max<std::uint64_t>(std::min(kMostMisses, patience_), 1);
    for (std::uint64_t at = mapping.start; at < mapping.end && left > 0;) {
        const std::uint64_t bytes = mapped_block_at(memory_, mapping, at);
        if (bytes == 0) {
            --left;
            patience_ -= patience_ > 0 ? 1U : 0U;
            at += kPageBytes;
            continue;
        }
        if (pages.pages() == 0) {
            pages = memory_.residency(mapping.start, mapping.end, mapping.resident_bytes);
        }
        const std::uint64_t resident = pages.resident_bytes(at, at + bytes);
        found.header_bytes += std::min<std::uint64_t>(resident, 2 * kHeaderBytes);
        found.live_bytes += resident - std::min<std::uint64_t>(resident, 2 * kHeaderBytes);
        ++found.blocks;
        at += bytes;
    }
    return found;
}

}  // namespace heapwright::study::doctor::glibc
