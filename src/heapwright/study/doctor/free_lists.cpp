#include <heapwright/study/doctor/free_lists.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace heapwright::study::doctor::glibc {

namespace {

struct Lists {
    std::array<std::uint32_t, kThreadBins> counts{};
    std::array<std::uint64_t, kThreadBins> entries{};
};

template <class Cache>
bool read_lists(MemorySource& memory, std::uint64_t candidate, Lists& lists) {
    const auto cache = memory.object<Cache>(candidate + kBlockOffset);
    if (!cache) {
        return false;
    }
    std::copy(cache->counts.begin(), cache->counts.end(), lists.counts.begin());
    lists.entries = cache->entries;
    return true;
}

/// Whether each list is empty in both records or in none, and at least one is not.
bool agree(const Lists& lists) {
    bool holds_some = false;
    for (std::size_t bin = 0; bin < kThreadBins; ++bin) {
        if ((lists.counts[bin] == 0) != (lists.entries[bin] == 0) || (lists.entries[bin] != 0 && !is_chunk_address(lists.entries[bin]))) {
            return false;
        }
        holds_some = holds_some || lists.counts[bin] != 0;
    }
    return holds_some;
}

/// Follows one list of a thread; stops where it makes no sense.
void follow(ScatteredReader& reader, std::uint64_t block, std::uint32_t count, std::uint64_t bytes, bool is_mixed,
            std::vector<CachedChunk>& found) {
    for (std::uint32_t step = 0; step < count && is_chunk_address(block); ++step) {
        if ((reader.word(block - kHeaderBytes) & ~kFlags) != bytes) {
            return;
        }
        found.push_back({.address = block - kBlockOffset, .bytes = bytes});
        block = unmixed(block, reader.word(block), is_mixed);
    }
}

std::vector<CachedChunk> follow_all(ScatteredReader& reader, const Lists& lists, bool is_mixed) {
    std::vector<CachedChunk> found;
    for (std::size_t bin = 0; bin < kThreadBins; ++bin) {
        follow(reader, lists.entries[bin], lists.counts[bin], thread_bin_bytes(bin), is_mixed, found);
    }
    return found;
}

bool is_in(const ArenaPlace& place, std::uint64_t address) {
    return std::any_of(place.segments.begin(), place.segments.end(),
                       [address](const Segment& segment) { return segment.contains(address); });
}

/// Follows a fast bin; returns how many chunks were new.
std::uint64_t follow_fast(ScatteredReader& reader, const ArenaPlace& place, std::size_t bin, bool is_mixed, std::uint64_t most,
                          ChunkSet& chunks) {
    std::uint64_t chunk = place.arena.fast[bin];
    std::uint64_t followed = 0;
    while (followed < most && is_chunk_address(chunk) && is_in(place, chunk) && (reader.word(chunk + 8) & ~kFlags) == fast_bin_bytes(bin) &&
           chunks.insert(chunk)) {
        ++followed;
        chunk = unmixed(chunk + kBlockOffset, reader.word(chunk + kBlockOffset), is_mixed);
    }
    return followed;
}

}  // namespace

std::uint64_t ScatteredReader::word(std::uint64_t address) {
    const std::uint64_t number = address >> kLineLog2;
    Line& line = lines_[number % kLines];
    if (line.number != number) {
        if (line.bytes == nullptr) {
            line.bytes = std::make_unique_for_overwrite<std::byte[]>(std::size_t{1} << kLineLog2);
        }
        memory_.read(number << kLineLog2, std::span{line.bytes.get(), std::size_t{1} << kLineLog2});
        line.number = number;
    }
    std::uint64_t word = 0;
    std::memcpy(&word, line.bytes.get() + (address & ((std::uint64_t{1} << kLineLog2) - 1) & ~std::uint64_t{7}), sizeof(word));
    return word;
}

bool ChunkSet::insert(std::uint64_t chunk) {
    std::vector<std::uint64_t>& piece = pieces_[chunk >> kPieceLog2];
    if (piece.empty()) {
        piece.resize(kPlaces / 64);
        last_number_ = ~std::uint64_t{0};
    }
    std::uint64_t& word = piece[place_of(chunk) / 64];
    const std::uint64_t bit = std::uint64_t{1} << (place_of(chunk) % 64);
    const bool is_new = (word & bit) == 0;
    word |= bit;
    size_ += is_new ? 1 : 0;
    return is_new;
}

ChunkSet fast_chunks(MemorySource& memory, const ArenaPlace& place) {
    ScatteredReader reader(memory);
    // Which links lead further tells whether this libc mixes them with their address.
    constexpr std::uint64_t kTrial = 16;
    std::uint64_t mixed = 0;
    std::uint64_t plain = 0;
    for (std::size_t bin = 0; bin < kFastBins; ++bin) {
        ChunkSet trial;
        mixed += follow_fast(reader, place, bin, true, kTrial, trial);
        ChunkSet other;
        plain += follow_fast(reader, place, bin, false, kTrial, other);
    }
    ChunkSet chunks;
    for (std::size_t bin = 0; bin < kFastBins; ++bin) {
        follow_fast(reader, place, bin, mixed >= plain, ~std::uint64_t{0}, chunks);
    }
    return chunks;
}

std::vector<CachedChunk> thread_cached_chunks(ScatteredReader& reader, MemorySource& memory, std::uint64_t candidate,
                                              std::uint64_t chunk_bytes) {
    Lists lists;
    const bool was_read = chunk_bytes == kOldThreadCacheChunk ? read_lists<OldThreadCache>(memory, candidate, lists)
                                                              : read_lists<ThreadCache>(memory, candidate, lists);
    if (!was_read || !agree(lists)) {
        return {};
    }
    const std::vector<CachedChunk> mixed = follow_all(reader, lists, true);
    const std::vector<CachedChunk> plain = follow_all(reader, lists, false);
    const std::vector<CachedChunk>& found = mixed.size() >= plain.size() ? mixed : plain;
    std::uint64_t promised = 0;
    for (const std::uint32_t count : lists.counts) {
        promised += count;
    }
    // A thread that runs changes its lists while they are followed; other blocks of this size have no lists at all.
    return found.size() * 2 >= promised ? found : std::vector<CachedChunk>{};
}

}  // namespace heapwright::study::doctor::glibc
