// Edge lists from files: lines of numbers as graph collections publish them, or pairs of 32-bit numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

/// Edges that grow at their end, in one block of a source that must outlive it.
class EdgeList {
public:
    explicit EdgeList(SourceRef memory) noexcept : memory_(memory) {}
    EdgeList(EdgeList&& other) noexcept
        : memory_(other.memory_),
          edges_(std::exchange(other.edges_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          room_(std::exchange(other.room_, 0)),
          node_bound_(std::exchange(other.node_bound_, 0)) {}
    EdgeList& operator=(EdgeList&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(edges_, other.edges_);
        std::swap(size_, other.size_);
        std::swap(room_, other.room_);
        std::swap(node_bound_, other.node_bound_);
        return *this;
    }
    EdgeList(const EdgeList&) = delete;
    EdgeList& operator=(const EdgeList&) = delete;
    ~EdgeList();

    /// Fails:    out_of_memory. Nothing changed then.
    [[nodiscard]] Result<void> add(Edge edge) noexcept {
        if (size_ == room_) {
            if (auto grown = grow(size_ + 1); !grown) {
                return grown;
            }
        }
        edges_[size_++] = edge;
        const NodeId larger = edge.from < edge.to ? edge.to : edge.from;
        node_bound_ = larger < node_bound_ ? node_bound_ : std::size_t{larger} + 1;
        return {};
    }
    /// Room for so many edges in all.
    [[nodiscard]] Result<void> reserve(std::size_t edges) noexcept { return edges <= room_ ? Result<void>{} : grow(edges); }

    [[nodiscard]] std::span<const Edge> edges() const noexcept { return {edges_, size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// One more than the largest node.
    [[nodiscard]] std::size_t node_bound() const noexcept { return node_bound_; }

private:
    friend Result<EdgeList> read_binary_edges(const char* path, SourceRef memory) noexcept;
    [[nodiscard]] Result<void> grow(std::size_t edges) noexcept;

    SourceRef memory_;
    Edge* edges_ = nullptr;
    std::size_t size_ = 0;
    std::size_t room_ = 0;
    std::size_t node_bound_ = 0;
};

/// Reads lines of two numbers with anything but digits between them; more numbers in a line (weights, times) are passed over. Empty
/// lines and lines that begin with '#' or '%' are comments, as SNAP and Matrix Market write them.
///
/// Fails:    damaged_data with the number of the first line that holds no edge; what opening and reading fail with; out_of_memory.
[[nodiscard]] Result<EdgeList> read_text_edges(const char* path, SourceRef memory) noexcept;

/// Reads pairs of 32-bit little-endian numbers to the end of the file.
///
/// Fails:    damaged_data with the file's length when that is no multiple of 8; else as read_text_edges.
[[nodiscard]] Result<EdgeList> read_binary_edges(const char* path, SourceRef memory) noexcept;

/// Writes what read_binary_edges reads.
///
/// Fails:    disk_full, permission_denied, not_found, io_failed.
[[nodiscard]] Result<void> write_binary_edges(const char* path, std::span<const Edge> edges) noexcept;

}  // namespace heapwright::graph
