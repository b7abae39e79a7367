// glibc's lists of chunks that are free although their neighbours count them as used: fast bins and the threads' caches.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include <heapwright/study/doctor/glibc_heap.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor::glibc {

/// Reads single words at scattered addresses through lines of 64 KiB. Cost: at most 64 MiB.
class ScatteredReader {
public:
    explicit ScatteredReader(MemorySource& memory) : memory_(memory), lines_(kLines) {}

    /// The word at `address`, 0 where none is. Requires: a multiple of 8.
    [[nodiscard]] std::uint64_t word(std::uint64_t address);

private:
    static constexpr unsigned kLineLog2 = 16;
    static constexpr std::size_t kLines = 1024;
    struct Line {
        std::uint64_t number = ~std::uint64_t{0};
        std::unique_ptr<std::byte[]> bytes;
    };

    MemorySource& memory_;
    std::vector<Line> lines_;
};

/// A set of chunks: a bit for each place where a chunk may begin, made where some are.
class ChunkSet {
public:
    /// Returns whether it was not there before. Requires: `chunk` is a multiple of 16.
    bool insert(std::uint64_t chunk);
    [[nodiscard]] bool contains(std::uint64_t chunk) const {
        const std::uint64_t number = chunk >> kPieceLog2;
        if (number != last_number_) {
            last_number_ = number;
            const auto found = pieces_.find(number);
            last_ = found == pieces_.end() ? nullptr : found->second.data();
        }
        return last_ != nullptr && ((last_[place_of(chunk) / 64] >> (place_of(chunk) % 64)) & 1) != 0;
    }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    static constexpr unsigned kPieceLog2 = 20;
    static constexpr std::size_t kPlaces = (std::size_t{1} << kPieceLog2) / kAlignment;
    [[nodiscard]] static std::size_t place_of(std::uint64_t chunk) {
        return static_cast<std::size_t>((chunk & ((std::uint64_t{1} << kPieceLog2) - 1)) / kAlignment);
    }

    std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> pieces_;
    std::uint64_t size_ = 0;
    mutable std::uint64_t last_number_ = ~std::uint64_t{0};  // walks ask in the order of addresses
    mutable const std::uint64_t* last_ = nullptr;
};

/// The chunks in the arena's fast bins. A list that changes while it is followed is followed as far as it makes sense.
[[nodiscard]] ChunkSet fast_chunks(MemorySource& memory, const ArenaPlace& place);

/// A chunk in a thread's cache.
struct CachedChunk {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
};

/// The chunks of a thread's cache, if the chunk at `candidate` is one; else none.
[[nodiscard]] std::vector<CachedChunk> thread_cached_chunks(ScatteredReader& reader, MemorySource& memory, std::uint64_t candidate,
                                                            std::uint64_t chunk_bytes);

}  // namespace heapwright::study::doctor::glibc
