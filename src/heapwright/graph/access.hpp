// What an algorithm asks of a graph, and how our graphs, rows of rows and graphs in Boost's style answer.
//
//   node_bound(g)          every node is a number below this one; by itself what g.node_count() or g.size() says
//   out_neighbours(g, v)   a range of the nodes that edges of v lead to
//   is_node(g, v)          whether the place is taken; true unless the graph says otherwise
//
// A graph of your own joins by members of these names, or by functions beside its type.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#include <heapwright/base/platform.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

namespace detail {

template <class G>
concept SpeaksForItself = requires(const G& graph, NodeId node) {
    static_cast<std::size_t>(graph.node_count());  // node_bound() goes before it, where nodes can be missing
    static_cast<NodeId>(*graph.out_neighbours(node).begin());
};

/// Such as std::vector<std::vector<std::uint32_t>>.
template <class G>
concept RowOfRows = !SpeaksForItself<G> && requires(const G& graph, std::size_t node) {
    static_cast<std::size_t>(graph.size());
    static_cast<NodeId>(*graph[node].begin());
    graph[node].end();
};

template <class G>
struct VertexOf {
    using Type = std::size_t;
};
template <class G>
    requires requires { typename G::vertex_descriptor; }
struct VertexOf<G> {
    using Type = typename G::vertex_descriptor;
};

/// Such as boost::compressed_sparse_row_graph, or adjacency_list with vecS for its nodes. Found by its functions alone: no
/// header of Boost is included here.
template <class G>
concept BoostStyle = !SpeaksForItself<G> && !RowOfRows<G> && std::integral<typename VertexOf<G>::Type> &&
                     requires(const G& graph, typename VertexOf<G>::Type node) {
                         static_cast<std::size_t>(num_vertices(graph));
                         static_cast<NodeId>(*adjacent_vertices(node, graph).first);
                         adjacent_vertices(node, graph).second;
                     };

template <class Iterator>
struct Between {
    Iterator first;
    Iterator last;
    [[nodiscard]] Iterator begin() const { return first; }
    [[nodiscard]] Iterator end() const { return last; }
};

}  // namespace detail

template <detail::SpeaksForItself G>
[[nodiscard]] constexpr std::size_t node_bound(const G& graph) {
    if constexpr (requires { graph.node_bound(); }) {
        return static_cast<std::size_t>(graph.node_bound());
    } else {
        return static_cast<std::size_t>(graph.node_count());
    }
}
template <detail::RowOfRows G>
[[nodiscard]] constexpr std::size_t node_bound(const G& graph) {
    return static_cast<std::size_t>(graph.size());
}
template <detail::BoostStyle G>
[[nodiscard]] constexpr std::size_t node_bound(const G& graph) {
    return static_cast<std::size_t>(num_vertices(graph));
}

template <detail::SpeaksForItself G>
[[nodiscard]] constexpr auto out_neighbours(const G& graph, NodeId node) {
    return graph.out_neighbours(node);
}
template <detail::RowOfRows G>
[[nodiscard]] constexpr auto out_neighbours(const G& graph, NodeId node) {
    const auto& row = graph[node];
    return detail::Between<decltype(row.begin())>{row.begin(), row.end()};
}
template <detail::BoostStyle G>
[[nodiscard]] constexpr auto out_neighbours(const G& graph, NodeId node) {
    auto both = adjacent_vertices(static_cast<typename detail::VertexOf<G>::Type>(node), graph);
    return detail::Between<decltype(both.first)>{both.first, both.second};
}

/// Whether a node is in this place. Graphs whose nodes can be removed have empty places.
template <class G>
[[nodiscard]] constexpr bool is_node(const G& graph, NodeId node) {
    if constexpr (requires { static_cast<bool>(graph.is_node(node)); }) {
        return static_cast<bool>(graph.is_node(node));
    } else {
        return true;
    }
}

/// What every algorithm here takes. Each target is below node_bound(graph).
template <class G>
concept DirectedGraph = requires(const G& graph, NodeId node) {
    static_cast<std::size_t>(node_bound(graph));
    static_cast<NodeId>(*out_neighbours(graph, node).begin());
    out_neighbours(graph, node).end();
    { is_node(graph, node) } -> std::same_as<bool>;
};

/// A graph that numbers its edges: those of a node are a run from first_edge(node) on, in the order of out_neighbours.
template <class G>
concept NumbersEdges = DirectedGraph<G> && requires(const G& graph, NodeId node) { static_cast<std::size_t>(graph.first_edge(node)); };

namespace detail {

// The same three from inside a class that has members of these names.
template <class G>
[[nodiscard]] constexpr auto row_of(const G& graph, NodeId node) {
    return out_neighbours(graph, node);
}
/// node_count, likewise.
template <class G>
[[nodiscard]] constexpr std::size_t count_of(const G& graph) {
    return static_cast<std::size_t>(node_bound(graph));
}

template <class G>
[[nodiscard]] constexpr std::size_t bound_of(const G& graph) {
    return static_cast<std::size_t>(node_bound(graph));
}
template <class G>
[[nodiscard]] constexpr bool is_taken(const G& graph, NodeId node) {
    return is_node(graph, node);
}

template <class G>
using RowIterator = decltype(out_neighbours(std::declval<const G&>(), NodeId{}).begin());

/// Asks the processor for what out_neighbours(graph, node) will read, where the graph can tell.
// Always inline: a function that does nothing but ask is free of effects to g++, which then leaves out the calls.
template <class G>
HEAPWRIGHT_ALWAYS_INLINE constexpr void prefetch_row(const G& graph, NodeId node) {
    if constexpr (requires { graph.prefetch_row(node); }) {
        graph.prefetch_row(node);
    }
}
template <class G>
HEAPWRIGHT_ALWAYS_INLINE constexpr void prefetch_targets(const G& graph, NodeId node) {
    if constexpr (requires { graph.prefetch_targets(node); }) {
        graph.prefetch_targets(node);
    }
}

/// A place in a node's row that can be left and come back to: a number where rows can be indexed, else an iterator.
template <class G>
class RowCursor {
    using Iterator = RowIterator<G>;
    static constexpr bool kIndexed = std::random_access_iterator<Iterator>;
    static_assert(std::is_trivially_copyable_v<Iterator>, "rows are walked by iterators that are plain values");

public:
    RowCursor() noexcept = default;
    RowCursor(const G& graph, NodeId node) {
        if constexpr (!kIndexed) {
            next_ = out_neighbours(graph, node).begin();
        }
    }

    /// The next target of `node`'s row, which this cursor was made for; kNoNode at its end.
    [[nodiscard]] NodeId next(const G& graph, NodeId node) {
        const auto row = out_neighbours(graph, node);
        if constexpr (kIndexed) {
            if (next_ == row.end() - row.begin()) {
                return kNoNode;
            }
            return static_cast<NodeId>(row.begin()[next_++]);
        } else {
            if (next_ == row.end()) {
                return kNoNode;
            }
            const auto target = static_cast<NodeId>(*next_);
            ++next_;
            return target;
        }
    }

private:
    std::conditional_t<kIndexed, std::ptrdiff_t, Iterator> next_{};
};

}  // namespace detail

}  // namespace heapwright::graph
