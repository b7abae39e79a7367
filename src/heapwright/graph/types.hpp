// The words of every graph here: a node is a 32-bit number, an edge is two of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::graph {

/// A node, by its place: 0 to node_count - 1.
using NodeId = std::uint32_t;

/// No node: a graph has at most this many places.
inline constexpr NodeId kNoNode = UINT32_MAX;

/// An edge leads one way. An undirected edge is two of them.
struct Edge {
    NodeId from;
    NodeId to;

    friend constexpr bool operator==(const Edge&, const Edge&) noexcept = default;
};
static_assert(sizeof(Edge) == 8, "a binary edge list is a row of these");

}  // namespace heapwright::graph
