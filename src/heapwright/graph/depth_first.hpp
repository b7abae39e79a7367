// Depth-first walks without recursion, and what they tell: an order in which no edge leads back, or the cycle that forbids one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/graph/access.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

/// What an edge is to a depth-first walk that meets it.
enum class EdgeKind : std::uint8_t {
    tree,   // to a node not seen before: the walk goes on there
    back,   // to a node that is being visited: a cycle
    other,  // to a node that is done with
};

namespace detail {

enum class Visit : std::uint8_t { unseen, open, done };

/// The path from a start to the node where the walk is, with the place in each node's row.
template <class G>
struct DepthFirstStack {
    struct Frame {
        NodeId node;
        RowCursor<G> cursor;
    };
    Column<Frame> frames;
    std::size_t depth = 0;

    [[nodiscard]] static Result<DepthFirstStack> make(std::size_t bound, SourceRef memory) {
        auto frames = Column<Frame>::uninitialised(bound, memory);
        if (!frames) {
            return std::unexpected(frames.error());
        }
        return DepthFirstStack{std::move(*frames)};
    }
    void push(const G& graph, NodeId node) { frames.data()[depth++] = Frame{node, RowCursor<G>(graph, node)}; }
    [[nodiscard]] Frame& top() { return frames.data()[depth - 1]; }
};

}  // namespace detail

/// Walks from each start in turn to every node not seen before. The visitor has any of
///   enter(node)            before its edges
///   leave(node)            after all that is below it
///   edge(from, to, kind)   for each edge; false stops the whole walk
///
/// Returns:  how many nodes were entered.
/// Fails:    out_of_memory; invalid_argument with a start that is no node.
/// Cost:     O(nodes + edges) time; 17 bytes a node of `memory` (more where rows cannot be indexed), none of the call stack.
template <DirectedGraph G, class Visitor>
[[nodiscard]] Result<std::size_t> depth_first(const G& graph, std::span<const NodeId> starts, SourceRef memory, Visitor&& visitor) {
    const std::size_t bound = node_bound(graph);
    auto states = Column<detail::Visit>::filled(bound, detail::Visit::unseen, memory);
    auto stack = detail::DepthFirstStack<G>::make(bound, memory);
    if (!states || !stack) {
        return std::unexpected(states ? stack.error() : states.error());
    }
    std::size_t entered = 0;
    const auto enter = [&](NodeId node) {
        (*states)[node] = detail::Visit::open;
        ++entered;
        if constexpr (requires { visitor.enter(node); }) {
            visitor.enter(node);
        }
        stack->push(graph, node);
    };
    const auto leave = [&](NodeId node) {
        (*states)[node] = detail::Visit::done;
        --stack->depth;
        if constexpr (requires { visitor.leave(node); }) {
            visitor.leave(node);
        }
    };
    const auto goes_on = [&]([[maybe_unused]] NodeId from, [[maybe_unused]] NodeId to, [[maybe_unused]] detail::Visit state) {
        if constexpr (requires { visitor.edge(from, to, EdgeKind::tree); }) {
            const EdgeKind kind = state == detail::Visit::unseen ? EdgeKind::tree
                                  : state == detail::Visit::open ? EdgeKind::back
                                                                 : EdgeKind::other;
            return static_cast<bool>(visitor.edge(from, to, kind));
        } else {
            return true;
        }
    };
    for (const NodeId start : starts) {
        if (start >= bound) {
            return fail_with(Errc::invalid_argument, start);
        }
        if ((*states)[start] == detail::Visit::unseen) {
            enter(start);
        }
        while (stack->depth > 0) {
            auto& top = stack->top();
            const NodeId target = top.cursor.next(graph, top.node);
            if (target == kNoNode) {
                leave(top.node);
                continue;
            }
            const detail::Visit state = (*states)[target];
            if (!goes_on(top.node, target, state)) {
                return entered;
            }
            if (state == detail::Visit::unseen) {
                enter(target);
            }
        }
    }
    return entered;
}
template <DirectedGraph G, class Visitor>
[[nodiscard]] Result<std::size_t> depth_first(const G& graph, NodeId start, SourceRef memory, Visitor&& visitor) {
    return depth_first(graph, std::span<const NodeId>(&start, 1), memory, visitor);
}

/// Either an order or the reason why there is none.
struct TopologicalOrder {
    Column<NodeId> order;  // every node, each before all that its edges lead to; empty when there is a cycle
    Column<NodeId> cycle;  // nodes of one cycle: an edge leads from each to the next, and from the last to the first

    [[nodiscard]] bool is_acyclic() const noexcept { return cycle.empty(); }
};

namespace detail {

/// Every node of the graph, ascending: the starts of a walk through all of it.
template <class G>
[[nodiscard]] Result<Column<NodeId>> all_nodes(const G& graph, SourceRef memory) {
    const std::size_t bound = node_bound(graph);
    auto nodes = Column<NodeId>::uninitialised(bound, memory);
    std::size_t count = 0;
    for (std::size_t node = 0; nodes && node < bound; ++node) {
        (*nodes)[count] = static_cast<NodeId>(node);
        count += is_node(graph, static_cast<NodeId>(node)) ? 1U : 0U;
    }
    if (nodes) {
        nodes->cut(count);
    }
    return nodes;
}

/// Fills the order from its end; keeps the path, so that a cycle can be told.
struct TopologicalVisitor {
    Column<NodeId>& order;
    Column<NodeId>& path;
    std::size_t first;
    std::size_t depth = 0;
    std::size_t cycle_begin = 0;
    bool has_cycle = false;

    void enter(NodeId node) { path[depth++] = node; }
    void leave(NodeId node) {
        --depth;
        order[--first] = node;
    }
    bool edge(NodeId /*from*/, NodeId to, EdgeKind kind) {
        if (kind != EdgeKind::back) {
            return true;
        }
        has_cycle = true;
        cycle_begin = depth - 1;
        while (path[cycle_begin] != to) {
            --cycle_begin;
        }
        return false;
    }
};

}  // namespace detail

/// Nodes in an order in which every edge leads forward.
///
/// Fails:    out_of_memory. A cycle is no failure: it is the answer.
/// Cost:     O(nodes + edges) time; 29 bytes a node of `memory`.
template <DirectedGraph G>
[[nodiscard]] Result<TopologicalOrder> topological_order(const G& graph, SourceRef memory) {
    const auto starts = detail::all_nodes(graph, memory);
    if (!starts) {
        return std::unexpected(starts.error());
    }
    auto order = Column<NodeId>::uninitialised(starts->size(), memory);
    auto path = Column<NodeId>::uninitialised(starts->size(), memory);
    if (!order || !path) {
        return std::unexpected(order ? path.error() : order.error());
    }
    detail::TopologicalVisitor visitor{.order = *order, .path = *path, .first = starts->size()};
    if (const auto walked = depth_first(graph, starts->span(), memory, visitor); !walked) {
        return std::unexpected(walked.error());
    }
    if (!visitor.has_cycle) {
        path->cut(0);
        return TopologicalOrder{std::move(*order), std::move(*path)};
    }
    const std::size_t length = visitor.depth - visitor.cycle_begin;
    for (std::size_t i = 0; i < length; ++i) {
        (*path)[i] = (*path)[visitor.cycle_begin + i];
    }
    path->cut(length);
    order->cut(0);
    return TopologicalOrder{std::move(*order), std::move(*path)};
}

}  // namespace heapwright::graph
