// The nodes of a graph that changes: 16 bytes each, in chunks, so that growing copies nothing and wastes at most one chunk.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/graph/detail/row_store.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph::detail {

inline constexpr unsigned kClassBits = 7;
/// A place is given up after this generation. Odd: a live one's.
inline constexpr std::uint32_t kGenerationMax = (1U << (32 - kClassBits)) - 1;
static_assert(kCapacityClasses <= 1U << kClassBits);

struct NodeRecord {
    RowPlace row;          // meaningful while row_class() > 0; in an empty place the next one of its list
    std::uint32_t degree;  // targets in the row, stale ones included
    std::uint32_t in_degree;
    std::uint32_t life;  // generation and class of the row

    [[nodiscard]] std::uint32_t generation() const noexcept { return life >> kClassBits; }
    [[nodiscard]] std::uint32_t row_class() const noexcept { return life & ((1U << kClassBits) - 1); }
    [[nodiscard]] bool is_live() const noexcept { return (life >> kClassBits & 1U) != 0; }
    void set(std::uint32_t generation, std::uint32_t row_class) noexcept { life = generation << kClassBits | row_class; }
    void set_class(std::uint32_t row_class) noexcept { set(generation(), row_class); }
};
static_assert(sizeof(NodeRecord) == 16);

/// Records by number.
///
/// Thread safety: one thread at a time.
class NodeTable {
public:
    static constexpr std::uint32_t kChunkBits = 12;
    static constexpr std::uint32_t kChunkNodes = 1U << kChunkBits;
    static constexpr std::uint32_t kFirstNodes = 16;  // the first chunk grows from here

    explicit NodeTable(SourceRef memory) noexcept : memory_(memory) {}
    NodeTable(const NodeTable&) = delete;
    NodeTable& operator=(const NodeTable&) = delete;
    ~NodeTable() { release(); }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE NodeRecord& operator[](NodeId id) noexcept {
        return chunks_[id >> kChunkBits][id & (kChunkNodes - 1)];
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const NodeRecord& operator[](NodeId id) const noexcept {
        return chunks_[id >> kChunkBits][id & (kChunkNodes - 1)];
    }
    [[nodiscard]] NodeId count() const noexcept { return count_; }

    /// One more record, all zero.
    ///
    /// Returns:  its number.
    /// Fails:    out_of_memory, limit_reached.
    [[nodiscard]] Result<NodeId> append() noexcept;

    void swap(NodeTable& other) noexcept;
    void release() noexcept;
    [[nodiscard]] std::size_t owned_bytes() const noexcept;

private:
    [[nodiscard]] Result<void> make_room() noexcept;
    [[nodiscard]] Result<void> grow_chunk(std::uint32_t room) noexcept;
    [[nodiscard]] Result<void> grow_directory() noexcept;
    /// Records in the last chunk; those before it are whole.
    [[nodiscard]] std::uint64_t capacity() const noexcept {
        return chunk_count_ == 0 ? 0 : std::uint64_t{chunk_count_ - 1} * kChunkNodes + last_room_;
    }

    SourceRef memory_;
    NodeRecord** chunks_ = nullptr;
    std::uint32_t chunk_count_ = 0;
    std::uint32_t directory_room_ = 0;
    std::uint32_t last_room_ = 0;  // records that the last chunk has room for
    NodeId count_ = 0;
};

}  // namespace heapwright::graph::detail
