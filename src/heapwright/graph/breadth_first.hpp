// Breadth-first walks: nodes in the order of how many edges away they are, and the way back.
//
// A bit a node says who was seen, so that even large graphs are asked from the nearest cache, and a target is put behind the
// queue before it is known whether it is new: there is no branch for the processor to guess wrong, which is what walks
// through random graphs otherwise spend most of their time on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/graph/access.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

/// The level of a node that no path leads to.
inline constexpr std::uint32_t kUnreached = UINT32_MAX;

namespace detail {

/// Nodes from the queue's front are visited, their unseen targets go behind its end. With kParents, so do their parents.
template <bool kParents>
struct BreadthFirstQueue {
    Column<std::uint64_t> seen;
    Column<NodeId> nodes;    // one more than there are nodes: what is put there and found to be seen is overwritten
    Column<NodeId> parents;  // beside nodes
    std::size_t end = 0;

    [[nodiscard]] static Result<BreadthFirstQueue> make(std::size_t bound, std::span<const NodeId> starts, SourceRef memory) {
        auto seen = Column<std::uint64_t>::filled(bound / 64 + 1, 0, memory);
        auto nodes = Column<NodeId>::uninitialised(bound + 1, memory);
        auto parents = Column<NodeId>::uninitialised(kParents ? bound + 1 : 0, memory);
        if (!seen || !nodes || !parents) {
            return fail_with(Errc::out_of_memory, (bound + 1) * sizeof(NodeId));
        }
        BreadthFirstQueue queue{std::move(*seen), std::move(*nodes), std::move(*parents)};
        for (const NodeId start : starts) {
            if (start >= bound) {
                return fail_with(Errc::invalid_argument, start);
            }
            queue.end = push(queue.seen.data(), queue.nodes.data(), queue.parents.data(), queue.end, start, kNoNode);
        }
        return queue;
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t push(std::uint64_t* seen, NodeId* nodes, NodeId* parents, std::size_t end,
                                                                   NodeId node, NodeId parent) {
        const std::uint64_t word = seen[node / 64];
        nodes[end] = node;
        if constexpr (kParents) {
            parents[end] = parent;
        }
        seen[node / 64] = word | std::uint64_t{1} << (node % 64);
        return end + ((~word >> (node % 64)) & 1U);
    }

    /// Calls `visit(node, level)`; stops when it says false.
    template <class G, class Visit>
    void walk(const G& graph, Visit& visit) {
        constexpr std::size_t kRowAhead = 16;  // enough nodes for a row's place to arrive from memory, and then its targets
        constexpr std::size_t kTargetsAhead = 6;
        std::uint64_t* const seen_words = seen.data();
        NodeId* const queue = nodes.data();
        NodeId* const queue_parents = parents.data();
        std::size_t last = end;
        std::size_t level_end = end;
        std::uint32_t level = 0;
        for (std::size_t front = 0; front < last; ++front) {
            if (front == level_end) {
                level_end = last;
                ++level;
            }
            if (front + kRowAhead < last) {
                prefetch_row(graph, queue[front + kRowAhead]);
                prefetch_targets(graph, queue[front + kTargetsAhead]);
            }
            const NodeId node = queue[front];
            if (!visit(node, level)) {
                break;
            }
            for (const auto target : out_neighbours(graph, node)) {
                last = push(seen_words, queue, queue_parents, last, static_cast<NodeId>(target), node);
            }
        }
        end = last;
    }
};

}  // namespace detail

/// Visits every node that paths from the starts lead to, nearest first: `visit(node, level)`. It may return false to stop.
///
/// Returns:  how many nodes were seen.
/// Fails:    out_of_memory; invalid_argument with a start that is no node.
/// Cost:     O(nodes + edges) time; 33 bits a node of `memory` meanwhile.
template <DirectedGraph G, class Visit>
[[nodiscard]] Result<std::size_t> breadth_first(const G& graph, std::span<const NodeId> starts, SourceRef memory, Visit visit) {
    auto queue = detail::BreadthFirstQueue<false>::make(node_bound(graph), starts, memory);
    if (!queue) {
        return std::unexpected(queue.error());
    }
    const auto act = [&visit](NodeId node, std::uint32_t level) {
        if constexpr (std::is_void_v<decltype(visit(node, level))>) {
            visit(node, level);
            return true;
        } else {
            return static_cast<bool>(visit(node, level));
        }
    };
    queue->walk(graph, act);
    return queue->end;
}

/// How many edges each node is away from the nearest start; kUnreached where no path leads.
///
/// Fails:    as breadth_first.
template <DirectedGraph G>
[[nodiscard]] Result<Column<std::uint32_t>> levels_from(const G& graph, std::span<const NodeId> starts, SourceRef memory) {
    auto levels = Column<std::uint32_t>::filled(node_bound(graph), kUnreached, memory);
    if (!levels) {
        return levels;
    }
    std::uint32_t* const by_node = levels->data();
    const auto walked = breadth_first(graph, starts, memory, [by_node](NodeId node, std::uint32_t level) { by_node[node] = level; });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return levels;
}
template <DirectedGraph G>
[[nodiscard]] Result<Column<std::uint32_t>> levels_from(const G& graph, NodeId start, SourceRef memory) {
    return levels_from(graph, std::span<const NodeId>(&start, 1), memory);
}

/// The nodes from a root to `node`, both included, as parents tell. Empty where `node` was not reached.
///
/// Requires: parents lead to a root: a node that is its own parent.
/// Fails:    out_of_memory.
[[nodiscard]] inline Result<Column<NodeId>> path_by_parents(const Column<NodeId>& parents, NodeId node, SourceRef memory) {
    std::size_t length = 0;
    if (node < parents.size() && parents[node] != kNoNode) {
        length = 1;
        for (NodeId at = node; parents[at] != at; at = parents[at]) {
            ++length;
        }
    }
    auto path = Column<NodeId>::uninitialised(length, memory);
    for (NodeId at = node; path && length > 0; at = parents[at]) {
        (*path)[--length] = at;
    }
    return path;
}

/// The shortest way to each node, counted in edges.
struct BreadthFirstTree {
    Column<NodeId> parent;  // by node: where the path comes from; a start is its own parent, kNoNode: not reached

    [[nodiscard]] bool reaches(NodeId node) const noexcept { return parent[node] != kNoNode; }
    /// From a start to `node`, both included; empty where it was not reached.
    [[nodiscard]] Result<Column<NodeId>> path_to(NodeId node, SourceRef memory) const { return path_by_parents(parent, node, memory); }
};

/// Fails:    as breadth_first.
template <DirectedGraph G>
[[nodiscard]] Result<BreadthFirstTree> breadth_first_tree(const G& graph, std::span<const NodeId> starts, SourceRef memory) {
    const std::size_t bound = node_bound(graph);
    auto parents = Column<NodeId>::filled(bound, kNoNode, memory);
    auto queue = detail::BreadthFirstQueue<true>::make(bound, starts, memory);
    if (!parents || !queue) {
        return std::unexpected(parents ? queue.error() : parents.error());
    }
    const auto always = [](NodeId, std::uint32_t) { return true; };
    queue->walk(graph, always);
    for (std::size_t place = 0; place < queue->end; ++place) {
        const NodeId node = queue->nodes[place];
        (*parents)[node] = queue->parents[place] == kNoNode ? node : queue->parents[place];
    }
    return BreadthFirstTree{std::move(*parents)};
}
template <DirectedGraph G>
[[nodiscard]] Result<BreadthFirstTree> breadth_first_tree(const G& graph, NodeId start, SourceRef memory) {
    return breadth_first_tree(graph, std::span<const NodeId>(&start, 1), memory);
}

}  // namespace heapwright::graph
