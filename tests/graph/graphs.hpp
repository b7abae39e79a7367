// Graphs for tests: random edges, and the same graph as plain sets to compare with.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include <heapwright/graph/types.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {

using Rows = std::vector<std::vector<std::uint32_t>>;

inline std::vector<graph::Edge> random_edges(Random& random, std::size_t nodes, std::size_t edges) {
    std::vector<graph::Edge> made;
    for (std::size_t i = 0; i < edges; ++i) {
        made.push_back({.from = static_cast<graph::NodeId>(random.below(nodes)), .to = static_cast<graph::NodeId>(random.below(nodes))});
    }
    return made;
}

inline Rows rows_of(std::size_t nodes, const std::vector<graph::Edge>& edges) {
    Rows rows(nodes);
    for (const graph::Edge edge : edges) {
        rows[edge.from].push_back(edge.to);
    }
    return rows;
}

/// Where paths of any length lead from each node; itself included.
inline std::vector<std::set<std::uint32_t>> reach_of(const Rows& rows) {
    std::vector<std::set<std::uint32_t>> reach(rows.size());
    for (std::uint32_t start = 0; start < rows.size(); ++start) {
        std::vector<std::uint32_t> waiting{start};
        while (!waiting.empty()) {
            const std::uint32_t node = waiting.back();
            waiting.pop_back();
            if (reach[start].insert(node).second) {
                waiting.insert(waiting.end(), rows[node].begin(), rows[node].end());
            }
        }
    }
    return reach;
}

}  // namespace heapwright::test
