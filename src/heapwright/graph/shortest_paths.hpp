// Shortest paths by weights: Dijkstra where none is negative, Bellman and Ford where some are, one pass where there is no cycle.
//
// A weight is a function: weight(from, to), or weight(from, to, edge) where the graph numbers its edges.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/graph/access.hpp>
#include <heapwright/graph/breadth_first.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/depth_first.hpp>
#include <heapwright/graph/detail/distance_heap.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

namespace detail {

template <class G, class Weight>
constexpr bool kWeighsNumberedEdges = NumbersEdges<G> && std::invocable<Weight&, NodeId, NodeId, std::size_t>;

template <class G, class Weight>
[[nodiscard]] consteval auto distance_of_nothing() {
    if constexpr (kWeighsNumberedEdges<G, Weight>) {
        using W = std::remove_cvref_t<std::invoke_result_t<Weight&, NodeId, NodeId, std::size_t>>;
        return std::conditional_t<std::floating_point<W>, double,
                                  std::conditional_t<std::signed_integral<W>, std::int64_t, std::uint64_t>>{};
    } else {
        static_assert(std::invocable<Weight&, NodeId, NodeId>,
                      "a weight is a function of (from, to), or of (from, to, edge) where the graph numbers its edges");
        using W = std::remove_cvref_t<std::invoke_result_t<Weight&, NodeId, NodeId>>;
        return std::conditional_t<std::floating_point<W>, double,
                                  std::conditional_t<std::signed_integral<W>, std::int64_t, std::uint64_t>>{};
    }
}

/// Calls `act(to, weight)` for each edge of `from`; stops at the first that it answers with false.
template <class G, class Weight, class Act>
bool for_each_weighed(const G& graph, NodeId from, Weight& weight, Act act) {
    if constexpr (kWeighsNumberedEdges<G, Weight>) {
        std::size_t edge = graph.first_edge(from);
        for (const auto target : out_neighbours(graph, from)) {
            if (!act(static_cast<NodeId>(target), weight(from, static_cast<NodeId>(target), edge++))) {
                return false;
            }
        }
    } else {
        for (const auto target : out_neighbours(graph, from)) {
            if (!act(static_cast<NodeId>(target), weight(from, static_cast<NodeId>(target)))) {
                return false;
            }
        }
    }
    return true;
}

template <class D>
[[nodiscard]] constexpr bool sum_overflows(D a, D b, D* sum) {
    if constexpr (std::integral<D>) {
        return add_overflows(a, b, sum) || *sum == std::numeric_limits<D>::max();
    } else {
        *sum = a + b;
        return false;
    }
}

}  // namespace detail

/// What distances are for such weights: 64 bits, signed where the weights are, or double.
template <class G, class Weight>
using DistanceOf = decltype(detail::distance_of_nothing<G, Weight>());

template <class D>
struct ShortestPaths {
    /// The distance of a node that no path leads to.
    static constexpr D kUnreachable =
        std::numeric_limits<D>::has_infinity ? std::numeric_limits<D>::infinity() : std::numeric_limits<D>::max();

    Column<D> distance;       // by node
    Column<NodeId> parent;    // by node: where its shortest path comes from; the start is its own parent, kNoNode: not reached
    bool has_negative_cycle;  // then distances mean nothing, and `cycle` is one such
    Column<NodeId> cycle;     // an edge leads from each to the next, and from the last to the first

    [[nodiscard]] bool reaches(NodeId node) const noexcept { return parent[node] != kNoNode; }
    /// From the start to `node`, both included; empty where no path leads there.
    [[nodiscard]] Result<Column<NodeId>> path_to(NodeId node, SourceRef memory) const { return path_by_parents(parent, node, memory); }

    [[nodiscard]] static Result<ShortestPaths> from(std::size_t bound, NodeId start, SourceRef memory) {
        if (start >= bound) {
            return fail_with(Errc::invalid_argument, start);
        }
        auto distance = Column<D>::filled(bound, kUnreachable, memory);
        auto parent = Column<NodeId>::filled(bound, kNoNode, memory);
        if (!distance || !parent) {
            return std::unexpected(distance ? parent.error() : distance.error());
        }
        (*distance)[start] = D{};
        (*parent)[start] = start;
        return ShortestPaths{.distance = std::move(*distance), .parent = std::move(*parent), .has_negative_cycle = false, .cycle = {}};
    }
};

/// Dijkstra's algorithm, from `start` to every node, or until `target` is reached.
///
/// Fails:    invalid_argument with the node whose edge has a negative weight (or one that is no number), or with a start that is
///           no node; overflow when a distance exceeds 64 bits; out_of_memory.
/// Cost:     O((nodes + edges) log nodes) time; 32 bytes a node of `memory`.
template <DirectedGraph G, class Weight>
[[nodiscard]] Result<ShortestPaths<DistanceOf<G, Weight>>> shortest_paths(const G& graph, NodeId start, Weight weight, SourceRef memory,
                                                                          NodeId target = kNoNode) {
    using D = DistanceOf<G, Weight>;
    const std::size_t bound = node_bound(graph);
    auto paths = ShortestPaths<D>::from(bound, start, memory);
    auto heap = detail::DistanceHeap<D>::make(bound, memory);
    if (!paths || !heap) {
        return std::unexpected(paths ? heap.error() : paths.error());
    }
    heap->put(start, D{});
    while (!heap->is_empty()) {
        const auto nearest = heap->take_nearest();
        if (nearest.node == target) {
            break;
        }
        Errc problem = Errc::invalid_argument;
        const bool fine = detail::for_each_weighed(graph, nearest.node, weight, [&](NodeId to, auto edge_weight) {
            if (!(edge_weight >= decltype(edge_weight){})) {
                return false;
            }
            D sum{};
            if (detail::sum_overflows(nearest.distance, static_cast<D>(edge_weight), &sum)) {
                problem = Errc::overflow;
                return false;
            }
            if (sum < paths->distance[to]) {
                paths->distance[to] = sum;
                paths->parent[to] = nearest.node;
                heap->put(to, sum);
            }
            return true;
        });
        if (!fine) {
            return fail_with(problem, nearest.node);
        }
    }
    return paths;
}

namespace detail {

/// The cycle that parents lead into from `node`.
[[nodiscard]] inline Result<Column<NodeId>> cycle_by_parents(const Column<NodeId>& parents, NodeId node, SourceRef memory) {
    for (std::size_t step = 0; step < parents.size(); ++step) {
        node = parents[node];  // after so many steps back it is on the cycle
    }
    std::size_t length = 1;
    for (NodeId at = parents[node]; at != node; at = parents[at]) {
        ++length;
    }
    auto cycle = Column<NodeId>::uninitialised(length, memory);
    for (NodeId at = node; cycle && length > 0; at = parents[at]) {
        (*cycle)[--length] = at;
    }
    return cycle;
}

/// Improves what edges of `from` lead to. Returns whether anything changed; `overflows` when a sum did not fit.
template <class G, class Weight, class D>
[[nodiscard]] bool relax(const G& graph, NodeId from, Weight& weight, ShortestPaths<D>& paths, NodeId& changed, bool& overflows) {
    bool improved = false;
    for_each_weighed(graph, from, weight, [&](NodeId to, auto edge_weight) {
        D sum{};
        if (sum_overflows(paths.distance[from], static_cast<D>(edge_weight), &sum)) {
            overflows = true;
            return false;
        }
        if (sum < paths.distance[to]) {
            paths.distance[to] = sum;
            paths.parent[to] = from;
            changed = to;
            improved = true;
        }
        return true;
    });
    return improved;
}

}  // namespace detail

/// Bellman's and Ford's algorithm: weights may be negative, and a cycle that is shorter each time around is found and told.
///
/// Fails:    as shortest_paths, but for negative weights.
/// Cost:     O(nodes * edges) at worst, O(edges) times the longest shortest path in general; 12 bytes a node of `memory`.
template <DirectedGraph G, class Weight>
[[nodiscard]] Result<ShortestPaths<DistanceOf<G, Weight>>> shortest_paths_any_weight(const G& graph, NodeId start, Weight weight,
                                                                                     SourceRef memory) {
    using D = DistanceOf<G, Weight>;
    const std::size_t bound = node_bound(graph);
    auto paths = ShortestPaths<D>::from(bound, start, memory);
    if (!paths) {
        return paths;
    }
    NodeId changed = start;
    bool overflows = false;
    for (std::size_t round = 0; round <= bound && changed != kNoNode; ++round) {
        // A start that has a parent other than itself is on a negative cycle; the walk back along parents finds it.
        if (round == bound) {
            auto cycle = detail::cycle_by_parents(paths->parent, changed, memory);
            if (!cycle) {
                return std::unexpected(cycle.error());
            }
            paths->has_negative_cycle = true;
            paths->cycle = std::move(*cycle);
            return paths;
        }
        changed = kNoNode;
        for (std::size_t number = 0; number < bound; ++number) {
            const auto node = static_cast<NodeId>(number);
            if (paths->parent[node] != kNoNode) {
                static_cast<void>(detail::relax(graph, node, weight, *paths, changed, overflows));
            }
            if (overflows) {
                return fail_with(Errc::overflow, node);
            }
        }
    }
    return paths;
}

/// Shortest paths where no cycle is: one pass in topological order, and weights may be negative.
///
/// Requires: the order is that of this graph (as topological_order gave it) and acyclic (checked).
/// Fails:    as shortest_paths_any_weight.
/// Cost:     O(nodes + edges).
template <DirectedGraph G, class Weight>
[[nodiscard]] Result<ShortestPaths<DistanceOf<G, Weight>>> shortest_paths_in_order(const G& graph, NodeId start, Weight weight,
                                                                                   const TopologicalOrder& order, SourceRef memory) {
    using D = DistanceOf<G, Weight>;
    HEAPWRIGHT_CHECK(order.is_acyclic(), "there is no order to follow where there is a cycle");
    auto paths = ShortestPaths<D>::from(node_bound(graph), start, memory);
    if (!paths) {
        return paths;
    }
    for (const NodeId node : order.order) {
        NodeId changed = kNoNode;
        bool overflows = false;
        if (paths->parent[node] != kNoNode) {
            static_cast<void>(detail::relax(graph, node, weight, *paths, changed, overflows));
        }
        if (overflows) {
            return fail_with(Errc::overflow, node);
        }
    }
    return paths;
}

}  // namespace heapwright::graph
