// The plan file: a recording turned into what a replay has to do, with slots instead of addresses.
//
//   +------------+-------------------------------------------------+-------
//   | PlanHeader | EpochHeader | LaneBlock ... | words | words | ... | ...
//   +------------+-------------------------------------------------+-------
//
// A lane is one thread of the recorded program. Within an epoch each lane that takes part has one run of words; no lane
// enters an epoch before every lane has left the one before. A slot is a number for a live block. A slot that one lane
// emptied is given to another lane only in a later epoch, so a slot is never filled twice at once. A block may be freed
// by another lane in the epoch in which it is made, and a slot may be filled again within an epoch; so a slot counts its
// steps (an allocation, a resize and a touch are one each, modulo 65536), and who works on a block says after which step
// and waits for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::study::plan {

inline constexpr char kMagic[8] = {'H', 'W', 'P', 'L', 'A', 'N', '1', '\n'};
inline constexpr std::uint32_t kEpochMagic = 0x48435045;  // "EPCH"

/// One operation is one to four words. The first one says what and on which slot:
///
///   bit 63            32 31                     5 4        0
///      |     slot       |         size            |    op    |
using Word = std::uint64_t;

enum class Op : std::uint8_t {
    malloc = 0,          ///< slot, size: at most kWholeBytes
    calloc = 1,          ///< slot, size: at most kWholeBytes
    free = 2,            ///< slot, size field: step
    wide = 3,            ///< slot, size field: WideKind | alignment_log2 << 4; then size; then bytes to write
    resize = 4,          ///< slot, size field: step; then new size; then the first byte to write and the byte after the last one
    touch = 5,           ///< slot, size field: step; then the first byte to write and the byte after the last one
    arena_allocate = 6,  ///< slot field: group; size: from this lane's arena of the group
    arena_release = 7,   ///< slot field: the lane whose arena it is; size field: group
    pool_allocate = 8,   ///< slot, size; then group
    pool_release = 9,    ///< slot, size field: step; then group
    stack = 10,          ///< size: bytes that would have lived in the caller's frame
    trim = 11,           ///< asks the allocator to give its free memory back
    planned = 12,        ///< slot, size: at most kWholeBytes; then group, and kZeroed where calloc was asked: from a place of the heap's
};
inline constexpr std::uint8_t kOpCount = 13;
inline constexpr Word kZeroed = Word{1} << 32;

/// What a wide allocation calls.
enum class WideKind : std::uint8_t { malloc = 0, calloc = 1, aligned = 2 };

/// Blocks up to this size are written whole; larger ones as far as the recording knows that they were touched.
inline constexpr std::uint64_t kWholeBytes = 64 << 10;
inline constexpr std::uint64_t kMaxSizeField = (std::uint64_t{1} << 27) - 1;
static_assert(kWholeBytes <= kMaxSizeField);

constexpr Word make_word(Op op, std::uint32_t slot, std::uint64_t size_field) noexcept {
    return Word{slot} << 32 | size_field << 5 | static_cast<Word>(op);
}
constexpr Op op_of(Word word) noexcept { return static_cast<Op>(word & 31); }
constexpr std::uint32_t slot_of(Word word) noexcept { return static_cast<std::uint32_t>(word >> 32); }
constexpr std::uint32_t size_field_of(Word word) noexcept { return static_cast<std::uint32_t>(word & 0xffffffffU) >> 5; }

/// Words that an operation takes, the first one included.
constexpr unsigned words_of(Op op) noexcept {
    switch (op) {
        case Op::wide:
        case Op::touch: return 3;
        case Op::resize: return 4;
        case Op::pool_allocate:
        case Op::pool_release:
        case Op::planned: return 2;
        default: return 1;
    }
}

/// How the blocks of some sites are placed instead of being asked of the allocator.
enum class GroupKind : std::uint32_t { none = 0, arena = 1, pool = 2, planned = 3 };

struct Group {
    GroupKind kind;
    std::uint32_t block_bytes;  ///< pool: size of its slots; planned: the SitePlace
    std::uint32_t chunk_bytes;  ///< arena: what it takes from below at a time
    std::uint32_t alignment;    ///< of every block
};
inline constexpr std::size_t kMaxGroups = 16;

/// Stands at the start, and is written last: a plan whose `complete` is 0 was cut short.
struct PlanHeader {
    char magic[8];
    std::uint32_t header_bytes;
    std::uint32_t complete;
    std::uint32_t lanes;          ///< threads in all
    std::uint32_t lanes_at_once;  ///< most that exist at the same time
    std::uint32_t slots;
    std::uint32_t groups;
    std::uint64_t epochs;
    std::uint64_t events;               ///< of the recording that are replayed
    std::uint64_t largest_epoch_bytes;  ///< what follows the largest EpochHeader
    std::uint64_t recorded_ns;          ///< from the first event to the last
    Group group[kMaxGroups];
};
static_assert(sizeof(PlanHeader) == 64 + 16 * kMaxGroups);

struct EpochHeader {
    std::uint32_t magic;
    std::uint32_t blocks;         ///< LaneBlocks that follow
    std::uint64_t bytes;          ///< of the LaneBlocks and their words
    std::uint64_t events_before;  ///< events of all epochs before this one
    std::uint64_t recorded_ns;    ///< when it began in the recording, since the first event
};
static_assert(sizeof(EpochHeader) == 32);

struct LaneBlock {
    std::uint32_t lane;
    std::uint32_t flags;  ///< kStarts, kExits
    std::uint32_t words;
    std::uint32_t events;
};
static_assert(sizeof(LaneBlock) == 16);

inline constexpr std::uint32_t kStarts = 1;  ///< the lane's first block: its thread is made now
inline constexpr std::uint32_t kExits = 2;   ///< the thread ends after this block

}  // namespace heapwright::study::plan
