// All that glibc's malloc holds: its arenas walked, its threads' caches, and its blocks with mappings of their own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <heapwright/study/doctor/chunk_walk.hpp>
#include <heapwright/study/doctor/examination.hpp>
#include <heapwright/study/doctor/glibc_heap.hpp>
#include <heapwright/study/doctor/mappings.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor::glibc {

/// Addresses that were accounted for.
struct Covered {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::uint64_t resident_bytes = 0;
};

struct HeapFigures {
    ChunkFigures chunks;             ///< of all arenas; what threads' caches hold is taken out of live_bytes
    std::uint64_t cached_bytes = 0;  ///< in threads' caches
    std::uint64_t cached_blocks = 0;
    std::uint64_t caches = 0;
    std::uint64_t record_bytes = 0;  ///< arenas' and heaps' own records
    std::vector<Covered> covered;    ///< the segments, in no order
    std::vector<ArenaFigures> arenas;
};

/// Walks all arenas. `mappings` are the process's.
[[nodiscard]] HeapFigures examine_arenas(MemorySource& memory, std::span<const ProcessMapping> mappings,
                                         std::span<const ArenaPlace> places);

/// What blocks with a mapping of their own take of an anonymous mapping: the kernel joins neighbours to one.
struct MappedBlocks {
    std::uint64_t live_bytes = 0;
    std::uint64_t header_bytes = 0;
    std::uint64_t blocks = 0;
};

/// Looks for blocks with mappings of their own. Memory of other owners is large and has none: no more than `patience` pages
/// without a block are looked at, in all mappings together; then the first page of each.
class MappedBlockSearch {
public:
    explicit MappedBlockSearch(MemorySource& memory, std::uint64_t patience = 32768) : memory_(memory), patience_(patience) {}

    [[nodiscard]] MappedBlocks find(const ProcessMapping& mapping);

private:
    MemorySource& memory_;
    std::uint64_t patience_;
};

}  // namespace heapwright::study::doctor::glibc
