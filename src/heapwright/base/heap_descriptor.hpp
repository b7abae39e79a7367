// What heapwright's heap tells of itself to who reads the process from outside: where its tables are, and in which form.
#pragma once

#include <array>
#include <cstdint>

namespace heapwright {

inline constexpr std::array<char, 24> kHeapDescriptorMagic{'\x7f', 'h', 'e', 'a', 'p', 'w', 'r', 'i', 'g', 'h', 't',  ' ',
                                                           'd',    'e', 's', 'c', 'r', 'i', 'p', 't', 'o', 'r', '\n', '\0'};
inline constexpr std::uint32_t kHeapDescriptorVersion = 5;

/// Lies in the data of libheapwright.so, and of each program that links the heap. It is found by its magic, so that no symbols
/// are needed. Offsets count from the start of the record that is named.
struct HeapDescriptor {
    std::array<char, 24> magic;
    std::uint32_t version;  ///< of this record and of what it leads to; who does not know it looks no further
    std::uint32_t slice_log2;
    std::uint32_t record_bytes;  ///< of a slice's record: they lie at the region's base, one after the other
    std::uint32_t region_bytes;  ///< of a region's record
    const void* region;          ///< the first region's record

    /// In a region's record.
    struct RegionOffsets {
        std::uint32_t base, bytes, first_slice, used_slices, next;
    } in_region;

    /// In a slice's record.
    struct SliceOffsets {
        std::uint32_t owner, local_free_list, remote_list, countdown, floor, carved, capacity, block_bytes, slices, is_dirty, start;
        std::uint32_t
            pages;  ///< of a large block; of a span of blocks: a bit for each unit that was given back, whose blocks are in no list
        std::uint32_t state;  ///< one byte; 0: blocks are taken from the span
        std::uint32_t cache;  ///< of a span of blocks: the record of the cache of the thread that owns it; null: nobody does
    } in_slice;

    /// In a cache's record, from `lists` on: `count` times so many bytes, in which three lists begin, of free blocks that the thread's next
    /// mallocs take; and from `hands` on the same, with one list. They lie in whatever spans, and in no list of those.
    struct CacheOffsets {
        std::uint32_t lists, list_bytes, first, old, rest;
        std::uint32_t hands, hand_bytes, kept;
        std::uint32_t count;
    } in_cache;
    std::uint32_t units;  ///< of a span, at most; each is of whole OS pages and a power of two

    /// What `owner` says of a slice; anything else is a span of blocks. A chunk of a bump place has all bits of `bump` set.
    struct Owners {
        std::uint32_t free, interior, large, metadata, bump;
    } owners;

    /// In a chunk: before each block two words of 32 bits, its tag and its units in the lower half; the first block begins one
    /// unit behind the chunk's start, the next ones a block's units further. Any other tag: nothing was given from there on.
    struct Bump {
        std::uint32_t unit_bytes, live_tag, freed_tag;
    } bump;

    /// A span of one slice that shares its memory with others has `bit` in its `pages`, and a record of its own: so many bytes, and
    /// behind them a bit for each of its blocks that is free and in no list.
    struct Mesh {
        std::uint32_t bit, record_bytes;
    } mesh;
    const void* mesh_table;  ///< where the address of a table of those records' addresses lies, by slice of the first region

    /// Of a span whose state is `state`, in which blocks of any size lie. The table has a pointer for each slice of the first region,
    /// which leads to the record of the span that begins there: two bits for each granule, whether a block has it, and whether it is
    /// the last of its block.
    struct Mixed {
        const void* table;  ///< where the pointer to the table is; that may be null
        std::uint32_t state, granule_bytes, used, last;
    } mixed;
};

}  // namespace heapwright
