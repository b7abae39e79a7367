// A directed graph that does not change: all rows in one block, 4 bytes an edge and 2.25 bytes a node.
//
//   block │ row index │ targets of node 0 │ targets of node 1 │ ... │ the same for edges that come in, if asked for │
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/graph/access.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/detail/row_index.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

struct FreezeOptions {
    bool sort_rows = true;         // targets ascend: has_edge in O(log degree), and walks meet memory in order
    bool drop_duplicates = false;  // of equal edges the first stays; sorts the rows as well
    bool drop_loops = false;       // edges from a node to itself
    bool in_edges = false;         // rows of sources too, for in_neighbours: as many bytes again
};

/// Rows of targets, compact.
///
///   F1  each row begins where the one before it ends, and the last ends at edge_count()
///   F2  every target and every source is a node
///   F3  rows ascend where they were sorted
///   F4  as many edges come in as go out, and each that comes in goes out of its source
///
/// Example:  `auto graph = FrozenGraph::from_edges(3, edges, os::kPages);`
/// Thread safety: any number of readers.
class FrozenGraph {
public:
    /// No nodes.
    FrozenGraph() noexcept = default;
    FrozenGraph(FrozenGraph&& other) noexcept { swap(other); }
    FrozenGraph& operator=(FrozenGraph&& other) noexcept {
        swap(other);
        return *this;
    }
    FrozenGraph(const FrozenGraph&) = delete;
    FrozenGraph& operator=(const FrozenGraph&) = delete;
    ~FrozenGraph();

    /// Fails:    invalid_argument with the first node that is not below `node_count`; out_of_memory; overflow.
    /// Cost:     O(nodes + edges), by counting; 4 bytes a node meanwhile, and 6.25 a node and 4 an edge more while it sorts.
    [[nodiscard]] static Result<FrozenGraph> from_edges(std::size_t node_count, std::span<const Edge> edges, SourceRef memory,
                                                        FreezeOptions options = {}) noexcept;

    /// The same from edges that need not be in memory: `for_each_edge(take)` calls `take(from, to)` for each.
    ///
    /// Requires: for_each_edge gives the same edges in the same order each time it is called: twice.
    template <class ForEachEdge>
    [[nodiscard]] static Result<FrozenGraph> from_each_edge(std::size_t node_count, ForEachEdge for_each_edge, SourceRef memory,
                                                            FreezeOptions options = {});

    /// A copy of any graph's edges. Places keep their numbers; those without a node become nodes without edges.
    template <DirectedGraph G>
    [[nodiscard]] static Result<FrozenGraph> from_graph(const G& graph, SourceRef memory, FreezeOptions options = {});

    template <class T>
    struct WithValues;
    /// Carries a value with each edge: values[i] belongs to edges[i], and to edge first_edge(v) + k of the graph made.
    ///
    /// Requires: as many values as edges (checked).
    template <class T>
    [[nodiscard]] static Result<WithValues<T>> from_edges(std::size_t node_count, std::span<const Edge> edges, std::span<const T> values,
                                                          SourceRef memory, FreezeOptions options = {});

    /// Every edge turned around.
    [[nodiscard]] Result<FrozenGraph> reversed(SourceRef memory) const noexcept;

    [[nodiscard]] std::size_t node_count() const noexcept { return nodes_; }
    [[nodiscard]] std::size_t edge_count() const noexcept { return edges_; }

    /// The nodes that edges of `node` lead to.
    ///
    /// Requires: node < node_count().
    /// Cost:     about ten instructions, one or two cache lines.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::span<const NodeId> out_neighbours(NodeId node) const noexcept {
        HEAPWRIGHT_ASSERT(node < nodes_, "a graph has no such node");
        const detail::RowBounds row = out_.row(node);
        return {targets_ + row.begin, static_cast<std::size_t>(row.end - row.begin)};
    }
    [[nodiscard]] std::size_t out_degree(NodeId node) const noexcept { return out_neighbours(node).size(); }
    /// The number of the first edge of `node`: edges are numbered row by row.
    [[nodiscard]] std::size_t first_edge(NodeId node) const noexcept {
        HEAPWRIGHT_ASSERT(node < nodes_, "a graph has no such node");
        return out_.row(node).begin;
    }

    [[nodiscard]] bool has_in_edges() const noexcept { return sources_ != nullptr; }
    /// The nodes whose edges lead to `node`, ascending.
    ///
    /// Requires: FreezeOptions::in_edges (checked).
    [[nodiscard]] std::span<const NodeId> in_neighbours(NodeId node) const noexcept {
        HEAPWRIGHT_CHECK(has_in_edges(), "this graph was frozen without the edges that come in; set FreezeOptions::in_edges");
        HEAPWRIGHT_ASSERT(node < nodes_, "a graph has no such node");
        const detail::RowBounds row = in_.row(node);
        return {sources_ + row.begin, static_cast<std::size_t>(row.end - row.begin)};
    }

    /// Cost:     O(log degree) where rows are sorted, else O(degree).
    [[nodiscard]] bool has_edge(NodeId from, NodeId to) const noexcept;

    /// Calls `visit(from, to, edge)` for each edge, in the order of their numbers.
    template <class Visit>
    void for_each_edge(Visit visit) const {
        std::size_t edge = 0;
        for (std::size_t node = 0; node < nodes_; ++node) {
            for (const NodeId target : out_neighbours(static_cast<NodeId>(node))) {
                visit(static_cast<NodeId>(node), target, edge++);
            }
        }
    }

    /// All it holds in its one block; exact.
    [[nodiscard]] std::size_t size_bytes() const noexcept { return block_bytes_; }

    // For walks that know which nodes come next.
    HEAPWRIGHT_ALWAYS_INLINE void prefetch_row(NodeId node) const noexcept { out_.prefetch(node); }
    HEAPWRIGHT_ALWAYS_INLINE void prefetch_targets(NodeId node) const noexcept { __builtin_prefetch(targets_ + out_.row(node).begin); }

    /// The name of the first invariant that does not hold, or nullptr.
    ///
    /// Cost:     O(nodes + edges * log degree).
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Counts;

    void swap(FrozenGraph& other) noexcept;
    [[nodiscard]] static Result<Counts> room_for_counts(std::size_t node_count, bool with_in, SourceRef memory) noexcept;
    [[nodiscard]] static Result<FrozenGraph> with_room(const Counts& counts, bool with_in, bool sorted, SourceRef memory) noexcept;
    [[nodiscard]] static Result<FrozenGraph> without_duplicates(FrozenGraph sorted, Column<std::uint64_t>* origins, bool with_in,
                                                                SourceRef memory) noexcept;
    void fill_in_rows(const Counts& counts) noexcept;
    [[nodiscard]] const char* broken_rows() const noexcept;
    [[nodiscard]] const char* broken_row(NodeId node) const noexcept;
    template <class ForEachEdge>
    [[nodiscard]] static Result<FrozenGraph> build(std::size_t node_count, ForEachEdge& for_each_edge, SourceRef memory,
                                                   FreezeOptions options, Column<std::uint64_t>* origins);
    template <class ForEachEdge>
    [[nodiscard]] static Result<void> count_edges(std::size_t node_count, ForEachEdge& for_each_edge, bool drop_loops, Counts& counts);
    template <class ForEachEdge>
    void fill_in_order(ForEachEdge& for_each_edge, const Counts& counts, bool drop_loops, Column<std::uint64_t>* origins);
    template <class ForEachEdge>
    [[nodiscard]] Result<void> fill_sorted(ForEachEdge& for_each_edge, const Counts& counts, bool drop_loops, SourceRef memory,
                                           Column<std::uint64_t>* origins);

    SourceRef memory_;
    std::byte* block_ = nullptr;
    std::size_t block_bytes_ = 0;
    detail::RowIndex out_;
    NodeId* targets_ = nullptr;
    std::size_t nodes_ = 0;
    std::size_t edges_ = 0;
    detail::RowIndex in_;
    NodeId* sources_ = nullptr;
    bool sorted_ = false;
};

/// A graph and a value for each of its edges, by the edge's number.
template <class T>
struct FrozenGraph::WithValues {
    FrozenGraph graph;
    Column<T> values;
};

}  // namespace heapwright::graph

#include <heapwright/graph/detail/frozen_graph_impl.hpp>
