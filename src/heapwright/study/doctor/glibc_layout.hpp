// The records of glibc's malloc as they lie in memory, 64-bit, versions 2.27 to 2.41.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace heapwright::study::doctor::glibc {

/// Flags in the lowest bits of a chunk's size. A chunk's size counts its header: 8 bytes, and 8 more of the chunk before
/// that are its last where it is in use.
inline constexpr std::uint64_t kPreviousInUse = 1;
inline constexpr std::uint64_t kMapped = 2;  ///< a chunk of its own mapping
inline constexpr std::uint64_t kOtherArena = 4;
inline constexpr std::uint64_t kFlags = 7;
inline constexpr std::uint64_t kAlignment = 16;
inline constexpr std::uint64_t kSmallestChunk = 32;
inline constexpr std::uint64_t kFencePost = 16;        ///< what closes a piece of a heap
inline constexpr std::uint64_t kHeaderBytes = 8;       ///< that a live block costs beyond its own bytes
inline constexpr std::uint64_t kFreeRecordBytes = 48;  ///< struct malloc_chunk: what a trim leaves at the start of a free chunk
inline constexpr std::uint64_t kBlockOffset = 16;      ///< from the chunk to the block that the program has

/// Heaps of arenas other than the first begin at multiples of this.
inline constexpr std::uint64_t kHeapBytes = std::uint64_t{64} << 20;

/// With the tunable glibc.malloc.hugetlb=1 the main arena grows and shrinks by huge pages.
inline constexpr std::uint64_t kHugeBytes = std::uint64_t{2} << 20;

inline constexpr std::size_t kFastBins = 10;
inline constexpr std::size_t kBins = 127;  ///< rings of free chunks: unsorted, small, large

/// struct malloc_state: an arena.
struct Arena {
    std::int32_t lock;
    std::int32_t flags;
    std::int32_t has_fast_chunks;
    std::int32_t gap;
    std::array<std::uint64_t, kFastBins> fast;
    std::uint64_t top;
    std::uint64_t last_remainder;
    std::array<std::uint64_t, kBins * 2> bins;  // of each ring its first chunk and its last; itself when empty
    std::array<std::uint32_t, 4> bin_map;
    std::uint64_t next;
    std::uint64_t next_free;
    std::uint64_t attached_threads;
    std::uint64_t system_bytes;
    std::uint64_t most_system_bytes;
};
static_assert(offsetof(Arena, fast) == 16 && offsetof(Arena, top) == 96 && offsetof(Arena, bins) == 112);
static_assert(offsetof(Arena, next) == 2160 && sizeof(Arena) == 2200);

/// struct heap_info, the fields that all versions share.
struct HeapHead {
    std::uint64_t arena;
    std::uint64_t previous;
    std::uint64_t bytes;
    std::uint64_t writable_bytes;
};
inline constexpr std::uint64_t kOldHeapHeadBytes = 32;  // up to 2.34
inline constexpr std::uint64_t kHeapHeadBytes = 48;

/// tcache_perthread_struct: the blocks that a thread keeps for itself. Lists lead from block to block, not chunk to chunk.
inline constexpr std::size_t kThreadBins = 64;
struct ThreadCache {
    std::array<std::uint16_t, kThreadBins> counts;
    std::array<std::uint64_t, kThreadBins> entries;
};
inline constexpr std::uint64_t kThreadCacheChunk = 0x290;
static_assert(sizeof(ThreadCache) == 640);
/// Up to 2.29 the counts were bytes.
struct OldThreadCache {
    std::array<std::uint8_t, kThreadBins> counts;
    std::array<std::uint64_t, kThreadBins> entries;
};
inline constexpr std::uint64_t kOldThreadCacheChunk = 0x250;
static_assert(sizeof(OldThreadCache) == 576);

/// Size of the chunks in a thread's list, and in a fast bin.
[[nodiscard]] constexpr std::uint64_t thread_bin_bytes(std::size_t bin) { return kSmallestChunk + bin * kAlignment; }
[[nodiscard]] constexpr std::uint64_t fast_bin_bytes(std::size_t bin) { return kSmallestChunk + bin * kAlignment; }

/// A list's link as memory has it: since 2.32 mixed with the address that it lies at.
[[nodiscard]] constexpr std::uint64_t unmixed(std::uint64_t place, std::uint64_t word, bool is_mixed) {
    return is_mixed ? word ^ (place >> 12) : word;
}

[[nodiscard]] constexpr bool is_user_address(std::uint64_t address) { return address >= 4096 && address < (std::uint64_t{1} << 47); }
[[nodiscard]] constexpr bool is_chunk_address(std::uint64_t address) { return is_user_address(address) && address % kAlignment == 0; }

}  // namespace heapwright::study::doctor::glibc
