// What is known of a span whose pages are shared with other spans: which blocks are free, because no list may lead through them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/span.hpp>

namespace heapwright::heap {

/// Spans that share one slice of memory: it exists until the last of them leaves it.
struct MeshGroup {
    std::uint32_t members = 0;
    std::uint32_t pages = 0;  ///< that hold a block
    MeshGroup* next = nullptr;
};

/// Of a meshed span. A block of it is handed out or in a list, or its bit is set here.
///
/// Thread safety: the locks of its span.
struct MeshRecord {
    MeshGroup* group = nullptr;
    MeshRecord* next = nullptr;
    std::uint16_t words = 0;
    std::uint16_t pages = 0;     ///< that held a block when it joined the group
    std::uint32_t mappings = 0;  ///< at most so many
    std::uint32_t reserved = 0;
    [[nodiscard]] std::uint64_t* bits() noexcept { return reinterpret_cast<std::uint64_t*>(this + 1); }
};

/// Words for a bit a block, of spans with so many.
[[nodiscard]] constexpr std::uint32_t mesh_words(std::uint32_t capacity) noexcept { return (capacity + 63) / 64; }
/// A span is one slice of blocks of at least 16 bytes.
inline constexpr std::uint32_t kLeastMeshedBytes = 16;
inline constexpr std::uint32_t kMostMeshWords = mesh_words(kSliceBytes / kLeastMeshedBytes);

/// Room for a span's record, and a group; nullptr when memory is exhausted.
[[nodiscard]] MeshRecord* make_mesh_record(std::uint32_t capacity) noexcept;
void drop_mesh_record(MeshRecord* record) noexcept;
/// A group for who makes it; nullptr as above.
[[nodiscard]] MeshGroup* make_mesh_group() noexcept;
/// Its maker leaves it: from now on its members keep it.
void finish_mesh_group(MeshGroup* group, std::uint32_t pages) noexcept;
/// `pages` of the span go into the group's, by so many mappings.
void join_mesh_group(MeshRecord* record, MeshGroup* group, std::uint32_t pages, std::uint32_t mappings) noexcept;
/// Makes the table of records reach so many slices of the first region. Returns false when memory is exhausted.
[[nodiscard]] bool extend_mesh_table(std::uint32_t slices) noexcept;
void set_mesh_record(const Span* span, MeshRecord* record) noexcept;
/// Requires: span->is_meshed().
[[nodiscard]] MeshRecord* mesh_record_of(const Span* span) noexcept;

/// Spans that share memory now, and bytes of memory that they did without when they began to.
[[nodiscard]] std::uint32_t meshed_spans() noexcept;
[[nodiscard]] std::uint32_t mesh_mappings() noexcept;
[[nodiscard]] std::size_t mesh_saved_bytes() noexcept;

// What follows requires a meshed span that the caller owns, or holds alone.

/// The owner frees a list of blocks of a span that is not active. Not by writing to them: that would end the sharing of their pages.
void put_home_meshed(Span* span, FreeBlock* first, std::uint32_t count) noexcept;
/// Brings the free blocks of one page to local_free. Returns false when there are none.
bool take_meshed_back(Span* span) noexcept;
/// Blocks that are free in it and in no list. Cost: O(capacity / 64).
[[nodiscard]] std::uint32_t meshed_free_blocks(const Span* span) noexcept;
/// The span has memory of its own again, all zero, and is as any other. Returns false where the kernel refuses.
[[nodiscard]] bool unmesh(Span* span) noexcept;

void reset_mesh_records_after_fork() noexcept;

}  // namespace heapwright::heap
