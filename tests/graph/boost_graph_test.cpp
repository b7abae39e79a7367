#include <cstdint>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/graph/breadth_first.hpp>
#include <heapwright/graph/components.hpp>
#include <heapwright/graph/depth_first.hpp>
#include <heapwright/graph/frozen_graph.hpp>
#include <heapwright/graph/shortest_paths.hpp>
#include <heapwright/os/page_source.hpp>

#include <tests/graph/graphs.hpp>
#include <tests/support/random.hpp>

#if __has_include(<boost/graph/compressed_sparse_row_graph.hpp>)
// Boost 1.74 is not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wextra-semi"
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#pragma GCC diagnostic pop

namespace {

using namespace heapwright::graph;
using heapwright::os::kPages;
using heapwright::test::Random;

using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Every algorithm gives the same answer for a graph of Boost's as for ours of the same edges.
template <class G>
void check_same(const G& theirs, const FrozenGraph& ours) {
    const auto same = [](const auto& a, const auto& b) {
        REQUIRE(a);
        REQUIRE(b);
        REQUIRE(a->size() == b->size());
        for (std::size_t i = 0; i < a->size(); ++i) {
            REQUIRE((*a)[i] == (*b)[i]);
        }
    };
    same(levels_from(theirs, 0, kPages), levels_from(ours, 0, kPages));
    const auto weight = [](NodeId from, NodeId to) { return (from ^ to) % 7; };
    same(&shortest_paths(theirs, 0, weight, kPages)->distance, &shortest_paths(ours, 0, weight, kPages)->distance);
    CHECK(strongly_connected_components(theirs, kPages)->count == strongly_connected_components(ours, kPages)->count);
    same(&connected_components(theirs, kPages)->of, &connected_components(ours, kPages)->of);
    CHECK(topological_order(theirs, kPages)->is_acyclic() == topological_order(ours, kPages)->is_acyclic());
    const auto copied = FrozenGraph::from_graph(theirs, kPages);
    REQUIRE(copied);
    CHECK(copied->edge_count() == ours.edge_count());
}

TEST_CASE("graphs of the Boost Graph Library are walked as they are") {
    using Compressed = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, boost::no_property, boost::no_property,
                                                          std::uint32_t, std::uint32_t>;
    using Vectors = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;
    using Lists = boost::adjacency_list<boost::listS, boost::vecS, boost::directedS>;
    for (std::uint64_t round = 0; round < 10; ++round) {
        Random random(round);
        const std::size_t nodes = random.between(1, 80);
        const auto edges = heapwright::test::random_edges(random, nodes, random.below(3 * nodes));
        Pairs pairs;
        for (const Edge edge : edges) {
            pairs.emplace_back(edge.from, edge.to);
        }
        const auto ours = FrozenGraph::from_edges(nodes, edges, kPages);
        REQUIRE(ours);
        check_same(Compressed(boost::edges_are_unsorted_multi_pass, pairs.begin(), pairs.end(), static_cast<std::uint32_t>(nodes)), *ours);
        check_same(Vectors(pairs.begin(), pairs.end(), nodes), *ours);
        check_same(Lists(pairs.begin(), pairs.end(), nodes), *ours);
    }
}

}  // namespace
#else
TEST_CASE("graphs of the Boost Graph Library are walked as they are") {
    MESSAGE("not compiled: boost/graph is not installed (libboost-dev)");
}
#endif
