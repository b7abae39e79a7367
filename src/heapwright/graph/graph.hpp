// A directed graph that changes: rows with little slack, nodes named by handles that never come alive again.
//
//   node: 16 bytes │ where its row is │ out-degree │ in-degree │ generation, capacity of the row │
//   row:  4 bytes for its owner, 4 for each edge, an eighth of slack        (detail/row_store.hpp)
//
// Eight edges a node make about seven bytes an edge. Removing a node costs its own row only: edges that led to it stay in other
// rows, unseen, until enough of them are swept out together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/graph/access.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/detail/node_table.hpp>
#include <heapwright/graph/detail/row_store.hpp>
#include <heapwright/graph/frozen_graph.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

/// The name of one node: its place, and which of all the nodes that were ever there. A plain value that may outlive its node.
struct NodeHandle {
    NodeId id = kNoNode;
    std::uint32_t generation = 0;

    /// Whether it was ever the handle of a node. Only its graph knows whether that is still there.
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return generation != 0; }
    friend constexpr bool operator==(const NodeHandle&, const NodeHandle&) noexcept = default;
};
static_assert(sizeof(NodeHandle) == 8);

struct GraphStats {
    std::size_t nodes;
    std::size_t places;  // nodes there are, and were
    std::size_t edges;
    std::size_t stale_edges;  // that led to nodes since removed, and wait to be swept out
    std::size_t owned_bytes;  // from the source; exact
    std::size_t dead_bytes;   // of these, left behind by rows that grew
    std::size_t retired;      // places that were used 2^24 times and never will be again
};

/// What compact() did: old numbers to new ones.
struct Renumbering {
    Column<NodeHandle> now;        // by old number; its id is kNoNode where no node was
    Column<std::uint32_t> before;  // the generation that the old place had
    std::size_t freed_bytes = 0;

    /// The handle of the same node now. The empty handle when `old` named none when compact() was called.
    [[nodiscard]] NodeHandle renewed(NodeHandle old) const noexcept {
        return old.id < now.size() && before[old.id] == old.generation ? now[old.id] : NodeHandle{};
    }
};

/// Rows that grow, shrink and move.
///
///   G1  edge_count() is the sum of the out-degrees, and of the in-degrees
///   G2  stale edges are the targets in rows that are no nodes
///   G3  every place is a node, free, pending or retired, and counted as such
///   G4  a place without a node has no row
///
/// The invariants take O(places + edges) to check, so audit builds do it where that much is spent anyway.
/// Parallel edges and loops are allowed; add_edge_once refuses the former.
/// Thread safety: one thread at a time; any number of readers while nobody changes it.
/// Example:  `Graph graph{os::kPages}; auto a = graph.add_node(); auto b = graph.add_node(); graph.add_edge(*a, *b);`
class Graph {
public:
    class Neighbours;

    explicit Graph(SourceRef memory) noexcept : memory_(memory), nodes_(memory), rows_(memory) {}
    Graph(Graph&& other) noexcept;
    Graph& operator=(Graph&& other) noexcept;
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    ~Graph() = default;

    /// Any graph's nodes and edges; places keep their numbers.
    ///
    /// Fails:    out_of_memory, limit_reached.
    template <DirectedGraph G>
    [[nodiscard]] static Result<Graph> from_graph(const G& graph, SourceRef memory);

    // ---- change

    /// Fails:    out_of_memory; limit_reached at 2^32 - 1 places. Nothing changed then.
    [[nodiscard]] Result<NodeHandle> add_node() noexcept;
    /// Removes the node and all its edges, those that lead to it as well.
    ///
    /// Returns:  false when the handle names no node.
    /// Cost:     O(out-degree); now and then a sweep of all rows, at most one for every quarter of the edges that lost their end.
    bool remove_node(NodeHandle handle) noexcept;

    /// Fails:    not_found with the id of the handle that names no node; out_of_memory, limit_reached. Nothing changed then.
    /// Cost:     O(1); rows that grow move, and now and then 64 KiB of them together.
    [[nodiscard]] Result<void> add_edge(NodeHandle from, NodeHandle to) noexcept;
    /// The same unless there is such an edge.
    ///
    /// Returns:  whether it was added.
    /// Cost:     O(out-degree of `from`).
    [[nodiscard]] Result<bool> add_edge_once(NodeHandle from, NodeHandle to) noexcept;
    /// Removes one such edge. The order of the others may change.
    ///
    /// Returns:  whether there was one.
    /// Cost:     O(out-degree of `from`).
    bool remove_edge(NodeHandle from, NodeHandle to) noexcept;

    // ---- look

    [[nodiscard]] bool contains(NodeHandle node) const noexcept {
        return node.id < nodes_.count() && node.generation % 2 == 1 && nodes_[node.id].generation() == node.generation;
    }
    /// Whether there is a node at this place.
    [[nodiscard]] bool is_node(NodeId id) const noexcept { return id < nodes_.count() && nodes_[id].is_live(); }
    /// The empty handle where there is none.
    [[nodiscard]] NodeHandle handle_of(NodeId id) const noexcept {
        return is_node(id) ? NodeHandle{.id = id, .generation = nodes_[id].generation()} : NodeHandle{};
    }
    [[nodiscard]] std::size_t node_count() const noexcept { return live_nodes_; }
    /// Every id is below this.
    [[nodiscard]] std::size_t node_bound() const noexcept { return nodes_.count(); }
    [[nodiscard]] std::size_t edge_count() const noexcept { return edges_; }

    /// Requires: there is a node at this place (checked in debug builds).
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Neighbours out_neighbours(NodeId id) const noexcept;
    /// Cost:     O(1); O(edges of the row) while stale edges wait.
    [[nodiscard]] std::size_t out_degree(NodeId id) const noexcept;
    [[nodiscard]] std::size_t in_degree(NodeId id) const noexcept { return is_node(id) ? nodes_[id].in_degree : 0; }
    [[nodiscard]] bool has_edge(NodeHandle from, NodeHandle to) const noexcept;

    /// Calls `visit(NodeHandle)` for each node, in the order of ids. It may not change the graph.
    template <class Visit>
    void for_each_node(Visit visit) const {
        for (NodeId id = 0; id < nodes_.count(); ++id) {
            if (nodes_[id].is_live()) {
                visit(NodeHandle{.id = id, .generation = nodes_[id].generation()});
            }
        }
    }

    // ---- memory

    /// Takes stale edges out of all rows, so that the places they led to can be used again.
    ///
    /// Cost:     O(places + edges).
    void sweep() noexcept;
    /// Rewrites all rows without slack and dead words. Ids and handles stay.
    ///
    /// Returns:  bytes given back.
    /// Fails:    out_of_memory: it needs room for the new rows beside the old ones. Nothing changed then.
    [[nodiscard]] Result<std::size_t> shrink_to_fit() noexcept;
    /// The same, and numbers the nodes anew without empty places, in the order of their ids. Every handle dies.
    ///
    /// Returns:  the new handles, in a block of `memory`.
    /// Fails:    out_of_memory; limit_reached when generations run out. Nothing changed then.
    [[nodiscard]] Result<Renumbering> compact(SourceRef memory) noexcept;
    /// A copy that cannot change and takes little more than half the room. Places keep their numbers; compact() first to lose
    /// the empty ones.
    [[nodiscard]] Result<FrozenGraph> freeze(SourceRef memory, FreezeOptions options = {}) const noexcept;

    [[nodiscard]] GraphStats stats() const noexcept;
    [[nodiscard]] std::size_t size_bytes() const noexcept { return nodes_.owned_bytes() + rows_.owned_bytes(); }
    /// The name of the first invariant that does not hold, or nullptr.
    ///
    /// Cost:     O(places + edges).
    [[nodiscard]] const char* broken_invariant() const noexcept;

    // For walks that know which nodes come next.
    HEAPWRIGHT_ALWAYS_INLINE void prefetch_row(NodeId id) const noexcept { __builtin_prefetch(&nodes_[id]); }
    HEAPWRIGHT_ALWAYS_INLINE void prefetch_targets(NodeId id) const noexcept {
        if (nodes_[id].row_class() != 0) {
            rows_.prefetch(nodes_[id].row);
        }
    }

    /// The first nodes get this generation, which must be odd: for tests of what happens when generations run out.
    void start_generations_at(std::uint32_t generation) noexcept { first_generation_ = generation; }

private:
    using Record = detail::NodeRecord;

    void swap(Graph& other) noexcept;
    [[nodiscard]] static std::uint32_t capacity_of(const void* graph, NodeId node) noexcept;
    static void row_moved(void* graph, NodeId node, detail::RowPlace place) noexcept;
    [[nodiscard]] detail::RowStore::Owner owner() const noexcept {
        return {.graph = const_cast<Graph*>(this), .capacity_of = &Graph::capacity_of, .moved = &Graph::row_moved};
    }
    [[nodiscard]] Result<void> append(NodeId from, NodeId to) noexcept;
    [[nodiscard]] Result<void> grow_row(NodeId from) noexcept;
    void shrink_row(NodeId from) noexcept;
    void purge_row(Record& node) noexcept;
    void forget_row(Record& node) noexcept;
    void release_pending() noexcept;
    [[nodiscard]] const char* broken_places() const noexcept;
    [[nodiscard]] Result<void> copy_places(Graph& into, std::uint32_t generation, bool renumbers) const noexcept;
    [[nodiscard]] Result<void> copy_live(Graph& into, std::uint32_t generation, NodeHandle* renamed) const noexcept;

    SourceRef memory_;
    detail::NodeTable nodes_;
    detail::RowStore rows_;
    std::size_t live_nodes_ = 0;
    std::size_t edges_ = 0;
    std::size_t stale_ = 0;
    std::size_t retired_ = 0;
    NodeId free_ = kNoNode;     // places to use again, linked by their `row`
    NodeId pending_ = kNoNode;  // places that stale edges may still lead to, linked likewise
    std::uint32_t first_generation_ = 1;
};

/// The targets of one node, those that are still nodes.
class Graph::Neighbours {
public:
    class Iterator {
    public:
        using value_type = NodeId;
        using difference_type = std::ptrdiff_t;
        using reference = NodeId;
        using pointer = const NodeId*;
        using iterator_category = std::forward_iterator_tag;

        constexpr Iterator() noexcept = default;
        [[nodiscard]] NodeId operator*() const noexcept { return *next_; }
        HEAPWRIGHT_ALWAYS_INLINE Iterator& operator++() noexcept {
            ++next_;
            skip();
            return *this;
        }
        Iterator operator++(int) noexcept {
            const Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.next_ == b.next_; }

    private:
        friend class Neighbours;
        Iterator(const NodeId* next, const NodeId* end, const Graph* stale) noexcept : next_(next), end_(end), stale_(stale) { skip(); }
        HEAPWRIGHT_ALWAYS_INLINE void skip() noexcept {
            if (HEAPWRIGHT_UNLIKELY(stale_ != nullptr)) {
                while (next_ != end_ && !stale_->is_node(*next_)) {
                    ++next_;
                }
            }
        }

        const NodeId* next_ = nullptr;
        const NodeId* end_ = nullptr;
        const Graph* stale_ = nullptr;  // asked about each target; nullptr while no edge is stale
    };

    [[nodiscard]] Iterator begin() const noexcept { return {first_, last_, stale_}; }
    [[nodiscard]] Iterator end() const noexcept { return {last_, last_, nullptr}; }
    [[nodiscard]] bool empty() const noexcept { return begin() == end(); }

private:
    friend class Graph;
    Neighbours(const NodeId* first, const NodeId* last, const Graph* stale) noexcept : first_(first), last_(last), stale_(stale) {}

    const NodeId* first_;
    const NodeId* last_;
    const Graph* stale_;
};

inline Graph::Neighbours Graph::out_neighbours(NodeId id) const noexcept {
    const Record& node = nodes_[id];
    HEAPWRIGHT_ASSERT(node.is_live() || node.degree == 0, "a graph has no such node");
    if (node.row_class() == 0) {
        return {nullptr, nullptr, nullptr};
    }
    const NodeId* const first = rows_.targets(node.row);
    return {first, first + node.degree, stale_ == 0 ? nullptr : this};
}

template <DirectedGraph G>
Result<Graph> Graph::from_graph(const G& graph, SourceRef memory) {
    Graph made(memory);
    const std::size_t bound = detail::bound_of(graph);
    for (std::size_t id = 0; id < bound; ++id) {
        if (const auto node = made.add_node(); !node) {
            return std::unexpected(node.error());
        }
    }
    for (std::size_t id = 0; id < bound; ++id) {
        for (const auto target : detail::row_of(graph, static_cast<NodeId>(id))) {
            if (const auto added = made.append(static_cast<NodeId>(id), static_cast<NodeId>(target)); !added) {
                return std::unexpected(added.error());
            }
        }
    }
    for (std::size_t id = 0; id < bound; ++id) {
        if (!detail::is_taken(graph, static_cast<NodeId>(id))) {
            made.remove_node(made.handle_of(static_cast<NodeId>(id)));
        }
    }
    return made;
}

}  // namespace heapwright::graph
