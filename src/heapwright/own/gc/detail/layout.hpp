// How collected memory is laid out: chunks of 4 MiB, their blocks of 32 KiB, and the lines of 128 bytes that are freed.
//
//   chunk, aligned to its size
//   ├─ 256 KiB  a mark byte for each 16 bytes of the chunk; the part for these tables is never needed: the Chunk lives there
//   ├─  32 KiB  a line byte for each 128 bytes
//   └─ 119 blocks of 32 KiB; an object larger than a quarter of a block begins a block and may span several
//
// An object is a header of 8 bytes and what the program sees, at multiples of 8 and at least 16 bytes long: so no two objects
// begin in the same 16 bytes, and one mark byte is enough for each.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright::gc::detail {

struct Collector;
struct TypeInfo;

inline constexpr unsigned kChunkShift = 22;
inline constexpr unsigned kBlockShift = 15;
inline constexpr unsigned kLineShift = 7;
inline constexpr unsigned kGranuleShift = 4;
inline constexpr std::size_t kChunkBytes = std::size_t{1} << kChunkShift;
inline constexpr std::size_t kBlockBytes = std::size_t{1} << kBlockShift;
inline constexpr std::size_t kLineBytes = std::size_t{1} << kLineShift;
inline constexpr std::size_t kUnitBytes = 8;
inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kSmallestObject = 16;
inline constexpr std::size_t kLinesOffset = kChunkBytes >> kGranuleShift;
inline constexpr std::size_t kLinesPerBlock = kBlockBytes / kLineBytes;
inline constexpr std::size_t kBlocksPerChunk = kChunkBytes / kBlockBytes;
inline constexpr std::size_t kFirstBlock = (kLinesOffset + (kChunkBytes >> kLineShift)) / kBlockBytes;
inline constexpr std::size_t kUsableBlocks = kBlocksPerChunk - kFirstBlock;
inline constexpr std::size_t kFirstByte = kFirstBlock * kBlockBytes;
/// Larger objects begin a block of their own; what is left of their last block serves others.
inline constexpr std::size_t kLargestSmall = kBlockBytes / 4;
/// Larger ones are a mapping of their own.
inline constexpr std::size_t kLargestInChunk = kUsableBlocks * kBlockBytes;

/// What a line byte says. Bits of their own, so that a scan can ask for several at once.
inline constexpr std::uint8_t kLineFree = 0;
inline constexpr std::uint8_t kLineOld = 1;        // holds objects that survived
inline constexpr std::uint8_t kLinePrevious = 4;   // held objects at the last cycle; not yet known in this one
inline constexpr std::uint8_t kLineYoung = 8;      // given to a thread since the last collection
inline constexpr std::uint8_t kLineDoomed = 16;    // only objects whose destructor has not run yet
inline constexpr std::uint8_t kLineReleased = 32;  // the same, and it has run: the next pause frees it
// While everything is marked, a buffer may be known later than what it holds.
inline constexpr std::uint8_t kLineNotYoung = kLineOld | kLinePrevious;
inline constexpr std::uint8_t kLineSurvived = kLineOld | kLineYoung;  // during a pause: young until it is over, with a survivor

/// What a mark byte says, besides 0 for "no object begins here".
inline constexpr std::uint8_t kMarkEpochs = 3;   // two bits: 1 or 2, whichever is current, for a live object
inline constexpr std::uint8_t kMarkHalf = 4;     // it begins at the second half of the granule
inline constexpr std::uint8_t kMarkIndexed = 8;  // a young object, not marked; written when an address has to be looked up
inline constexpr std::uint8_t kMarkPinned = 16;  // an ambiguous root points here: it must not move in this cycle
// Says nothing of an object that begins here: in these 16 bytes, an old one was made to refer to a young one.
inline constexpr std::uint8_t kMarkLogged = 32;
inline constexpr std::uint8_t kMarkObject = kMarkEpochs | kMarkIndexed;  // one of these: an object begins here
inline constexpr std::uint8_t kMarkStays = kMarkPinned | kMarkLogged;    // what marking leaves as it is

/// What the table of chunks says of 4 MiB of addresses.
enum ChunkKind : std::uint8_t {
    kNoChunk = 0,
    kChunk = 1,
    kContinuation = 2,  // inside an object larger than a chunk
};

/// The 8 bytes before each object: its type in 48 bits, flags in the lowest four, its size in units of 8 bytes above.
struct Header {
    std::uint64_t word;

    static constexpr std::uint64_t kTypeMask = 0x0000'FFFF'FFFF'FFF0;
    static constexpr std::uint64_t kForwarded = 1;  // where the type was stands where the object went
    static constexpr std::uint64_t kAddressMask = 0x0000'FFFF'FFFF'FFF8;
    static constexpr std::uint64_t kConstructing = 2;  // its constructor runs: scanned word by word
    static constexpr std::uint64_t kFinalised = 4;
    static constexpr std::uint64_t kNoted = 8;  // its constructor ran in a pause: the next minor collection looks at it again
    static constexpr unsigned kSizeShift = 48;
    static constexpr std::size_t kLargestSize = 0xFFFF * kUnitBytes;  // larger ones say 0 here, and the block knows

    [[nodiscard]] const TypeInfo* type() const noexcept { return reinterpret_cast<const TypeInfo*>(word & kTypeMask); }
    [[nodiscard]] bool is_forwarded() const noexcept { return (word & kForwarded) != 0; }
    /// The object's new place.
    [[nodiscard]] void* forwarded() const noexcept { return reinterpret_cast<void*>(word & kAddressMask); }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return (word >> kSizeShift) * kUnitBytes; }
};
static_assert(sizeof(Header) == kHeaderBytes);

enum class BlockState : std::uint8_t {
    fresh,   // no memory behind it, or zeros
    free,    // memory without objects
    used,    // objects, perhaps holes
    inside,  // a later block of a large object that covers it whole
};

struct BlockInfo {
    BlockState state = BlockState::fresh;
    bool is_queued = false;   // waits to be searched for holes
    bool is_indexed = false;  // its young objects have mark bytes
    bool overflowed = false;  // marked objects in it wait to be traced
    bool evacuate = false;    // its objects move, where they can
    bool has_index = false;   // some have, perhaps not all; cleared with the young lines
    std::uint16_t free_lines = 0;
    std::uint32_t back_blocks = 0;  // inside: how many blocks back the object begins
    std::uint64_t large_bytes = 0;  // of the object at its start, where the header cannot say
};

/// The head of a chunk, in the part of the mark bytes that no object can have.
struct Chunk {
    Collector* owner;
    Chunk* next;
    Chunk* previous;
    std::size_t mapped_bytes;    // kChunkBytes, or more where a huge object is the only one
    std::uint32_t empty_blocks;  // fresh or free
    bool is_huge;
    // Of a huge object, a byte for each line, a bit for each 16 bytes of it: what kMarkLogged says. Only what lies behind the
    // first 4 MiB needs them, where a chunk has its mark bytes.
    std::uint8_t* cards;
    std::size_t committed_bytes;  // of a huge one
    BlockInfo blocks[kBlocksPerChunk];

    [[nodiscard]] std::uint8_t* card_of(const void* slot) const noexcept {
        return cards + ((reinterpret_cast<std::uintptr_t>(slot) - reinterpret_cast<std::uintptr_t>(this)) >> kLineShift);
    }
    [[nodiscard]] static std::uint8_t card_bit(const void* slot) noexcept {
        static_assert(kLineBytes >> kGranuleShift == 8, "a card has a bit for each 16 bytes of a line");
        return static_cast<std::uint8_t>(1U << ((reinterpret_cast<std::uintptr_t>(slot) >> kGranuleShift) & 7U));
    }
};
static_assert(sizeof(Chunk) <= (kFirstByte >> kGranuleShift), "the chunk's head must fit where no mark byte is needed");

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t number_of(const void* address) noexcept {
    return reinterpret_cast<std::uintptr_t>(address);
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::byte* chunk_base(const void* address) noexcept {
    return reinterpret_cast<std::byte*>(number_of(address) & ~(kChunkBytes - 1));
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Chunk* chunk_of(const void* address) noexcept {
    return reinterpret_cast<Chunk*>(chunk_base(address));
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t offset_in_chunk(const void* address) noexcept {
    return number_of(address) & (kChunkBytes - 1);
}
/// Of the object that begins (with its header) at or within the 16 bytes around `address`.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint8_t* mark_of(const void* address) noexcept {
    return reinterpret_cast<std::uint8_t*>(chunk_base(address)) + (offset_in_chunk(address) >> kGranuleShift);
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint8_t* line_of(const void* address) noexcept {
    return reinterpret_cast<std::uint8_t*>(chunk_base(address)) + kLinesOffset + (offset_in_chunk(address) >> kLineShift);
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t block_index(const void* address) noexcept {
    return offset_in_chunk(address) >> kBlockShift;
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE BlockInfo& block_of(const void* address) noexcept {
    return chunk_of(address)->blocks[block_index(address)];
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Header* header_of(const void* object) noexcept {
    return reinterpret_cast<Header*>(number_of(object) - kHeaderBytes);
}
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* object_of(const Header* header) noexcept {
    return reinterpret_cast<void*>(number_of(header) + kHeaderBytes);
}
/// The half bit of an object's mark byte.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint8_t half_of(const Header* header) noexcept {
    static_assert(kMarkHalf == kUnitBytes / 2, "the bit of the address is shifted to where the mark has it");
    return static_cast<std::uint8_t>((number_of(header) & kUnitBytes) / 2);
}
/// Header and payload, whatever the size.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t size_of(const Header* header) noexcept {
    const std::size_t size_bytes = header->size_bytes();
    return HEAPWRIGHT_LIKELY(size_bytes != 0) ? size_bytes : block_of(header).large_bytes;
}

// Mark and line bytes are read and written by several markers and by mutators. Relaxed: whoever needs an order has stopped
// the world or holds a lock, and two markers that mark one object do the same work twice.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint8_t load_byte(const std::uint8_t* byte) noexcept {
    return __atomic_load_n(byte, __ATOMIC_RELAXED);
}
HEAPWRIGHT_ALWAYS_INLINE void store_byte(std::uint8_t* byte, std::uint8_t value) noexcept {
    __atomic_store_n(byte, value, __ATOMIC_RELAXED);
}

/// `count` bytes of the tables, while other threads may look at their neighbours, or at these by a word that is no reference.
HEAPWRIGHT_ALWAYS_INLINE void fill_bytes(std::uint8_t* first, std::uint8_t value, std::size_t count) noexcept {
    using Word [[gnu::may_alias]] = std::uint64_t;
    for (; count != 0 && number_of(first) % sizeof(Word) != 0; --count) {
        store_byte(first++, value);
    }
    const std::uint64_t eight = value * std::uint64_t{0x0101'0101'0101'0101};
    for (; count >= sizeof(Word); count -= sizeof(Word), first += sizeof(Word)) {
        __atomic_store_n(reinterpret_cast<Word*>(first), eight, __ATOMIC_RELAXED);
    }
    for (; count != 0; --count) {
        store_byte(first++, value);
    }
}

/// One byte (a ChunkKind) for each 4 MiB of the 47 bits of addresses; nullptr before the first heap.
extern constinit std::uint8_t* chunk_kinds;
/// How many heaps are marking step by step: then what is overwritten must be told to them.
extern constinit std::uint32_t marking_heaps;

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint8_t chunk_kind(const void* address) noexcept {
    // Addresses above 47 bits are none of a program's: an ambiguous word may be one.
    const std::uintptr_t index = number_of(address) >> kChunkShift;
    return HEAPWRIGHT_LIKELY(index < (std::uintptr_t{1} << (47 - kChunkShift))) ? load_byte(chunk_kinds + index) : std::uint8_t{kNoChunk};
}

/// The chunk at whose start the object around `address` begins, or in which it lies.
///
/// Requires: some heap's chunk is there.
[[nodiscard]] inline Chunk* first_chunk_of(const void* address) noexcept {
    while (chunk_kind(address) == kContinuation) {
        address = chunk_base(address) - kChunkBytes;
    }
    return chunk_of(address);
}

}  // namespace heapwright::gc::detail
