// What is known of a span whose pages are shared with other spans: which blocks are free, because no list may lead through them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mesh_bytes.hpp>
#include <heapwright/alloc/heap/detail/span.hpp>

namespace heapwright::heap {

/// Pages of spans that share the pages of one file: it exists until the last of them leaves it.
struct MeshGroup {
    std::uint32_t members = 0;   ///< pages of spans, and its maker
    std::uint32_t pages = 0;     ///< of the file that hold a block
    std::uint32_t granules = 0;  ///< of 16 bytes in them when it was made
    std::uint32_t tally = 0;     ///< of those that a pass found live
    std::uint32_t tallied = 0;   ///< the number of that pass
    MeshGroup* next = nullptr;
    /// Whether half of what it was made of died, as that pass found.
    [[nodiscard]] bool has_shrunk(std::uint32_t pass) const noexcept { return tallied == pass && tally * 2 <= granules; }
};

/// A bit for each page of a span.
using MeshPages = std::uint16_t;
[[nodiscard]] constexpr MeshPages mesh_pages(std::uint32_t first, std::uint32_t count) noexcept {
    return static_cast<MeshPages>(((std::uint32_t{1} << count) - 1) << first);
}

/// Of a meshed span. A block of it is handed out or in a list, or its bit is set here. Span::absent() tells of its own pages without memory.
///
/// Thread safety: the locks of its span.
struct MeshRecord {
    std::array<MeshGroup*, kPagesOfSlice> groups{};    ///< of each page; nullptr: it is the span's own
    std::array<std::uint8_t, kPagesOfSlice> places{};  ///< of each page in its group's file
    MeshRecord* next = nullptr;
    std::uint16_t words = 0;
    MeshPages shared = 0;     ///< those of a group
    MeshPages held = 0;       ///< of those: they held a block when they joined
    MeshPages begins = 1;     ///< where a mapping begins
    MeshPages written = 0;    ///< of the shared ones: they are the mapping's own copies by now
    std::uint32_t freed = 0;  ///< blocks, since the clock was told
    [[nodiscard]] std::uint64_t* bits() noexcept { return reinterpret_cast<std::uint64_t*>(this + 1); }
    [[nodiscard]] const std::uint64_t* bits() const noexcept { return reinterpret_cast<const std::uint64_t*>(this + 1); }
    /// How many mappings it needs at most; none while nothing of it is shared.
    [[nodiscard]] std::uint32_t mappings() const noexcept;
};

/// Words for a bit a block, of spans with so many.
[[nodiscard]] constexpr std::uint32_t mesh_words(std::uint32_t capacity) noexcept { return (capacity + 63) / 64; }
/// A span is one slice of blocks of at least 16 bytes.
inline constexpr std::uint32_t kLeastMeshedBytes = 16;
inline constexpr std::uint32_t kMostMeshWords = mesh_words(kSliceBytes / kLeastMeshedBytes);

/// Room for a span's record, and a group; nullptr when memory is exhausted.
[[nodiscard]] MeshRecord* make_mesh_record(std::uint32_t capacity) noexcept;
[[nodiscard]] MeshGroup* make_mesh_group() noexcept;
/// Its maker leaves it: from now on its members keep it.
void finish_mesh_group(MeshGroup* group, const MeshBytes& bytes) noexcept;
/// Pages of a span.
struct MeshRun {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t at = 0;  ///< where the first is in a file
};
/// Pages of a span belong to the group from now on, and to no other. `held`: those in which blocks live.
void join_mesh_group(MeshRecord* record, MeshGroup* group, const MeshRun& run, MeshPages held) noexcept;
/// The records by slice of the first region; written before the first span is meshed. tools/gdb and the doctor read it.
extern constinit MeshRecord** g_mesh_table;
/// Makes the table of records reach so many slices of the first region. Returns false when memory is exhausted.
[[nodiscard]] bool extend_mesh_table(std::uint32_t slices) noexcept;
/// Its free blocks are bits from now on. Requires: extend_mesh_table() reached it.
void set_mesh_record(Span* span, MeshRecord* record) noexcept;
/// Requires: span->is_meshed().
[[nodiscard]] MeshRecord* mesh_record_of(const Span* span) noexcept;

/// Spans of which something is shared now, the mappings that they need, and bytes of memory that they did without when that began.
[[nodiscard]] std::uint32_t meshed_spans() noexcept;
[[nodiscard]] std::uint32_t mesh_mappings() noexcept;
[[nodiscard]] std::size_t mesh_saved_bytes() noexcept;

// What follows requires a meshed span that the caller owns, or holds alone.

/// The owner frees a list of blocks of a span that is not active. Not by writing to them: that would end the sharing of their pages.
/// Returns: how many of them lie in the span's own pages only.
std::uint32_t put_home_meshed(Span* span, FreeBlock* first, std::uint32_t count) noexcept;
/// Brings the free blocks of one of the span's own pages to local_free. Returns false when there are none.
bool take_meshed_back(Span* span) noexcept;
/// Brings all free blocks to local_free, those in shared pages, too: a page for each of these is copied when it is written to.
void take_all_meshed_back(Span* span) noexcept;
/// Of meshed_free_blocks(), those that reach into shared pages. They rest: a new page has more room for the same memory, and costs no copy.
[[nodiscard]] std::uint32_t meshed_resting_blocks(const Span* span) noexcept;
/// Blocks that are free in it and in no list. Cost: O(capacity / 64).
[[nodiscard]] std::uint32_t meshed_free_blocks(const Span* span) noexcept;
/// Gives pages of free blocks back, and leaves the groups of those that are shared. Returns: bytes of memory given back at once.
std::size_t return_meshed_pages(Span* span) noexcept;
/// The span has memory of its own again, and is as any other. Returns false where the kernel refuses.
[[nodiscard]] bool unmesh(Span* span) noexcept;

void reset_mesh_records_after_fork() noexcept;

}  // namespace heapwright::heap
