#include <heapwright/graph/shortest_paths.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/graph/depth_first.hpp>
#include <heapwright/graph/detail/distance_heap.hpp>
#include <heapwright/graph/frozen_graph.hpp>
#include <heapwright/os/page_source.hpp>

#include <tests/graph/graphs.hpp>
#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace {

using namespace heapwright::graph;
using heapwright::Errc;
using heapwright::os::kPages;
using heapwright::test::Random;
using heapwright::test::Rows;

constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 4;

/// Floyd's and Warshall's algorithm: slow and obviously right.
std::vector<std::vector<std::int64_t>> all_distances(std::size_t nodes, const std::vector<Edge>& edges,
                                                     const std::vector<std::int64_t>& weights) {
    std::vector<std::vector<std::int64_t>> far(nodes, std::vector<std::int64_t>(nodes, kFar));
    for (std::size_t i = 0; i < nodes; ++i) {
        far[i][i] = 0;
    }
    for (std::size_t i = 0; i < edges.size(); ++i) {
        auto& place = far[edges[i].from][edges[i].to];
        place = std::min(place, weights[i]);
    }
    for (std::size_t via = 0; via < nodes; ++via) {
        for (std::size_t a = 0; a < nodes; ++a) {
            for (std::size_t b = 0; b < nodes; ++b) {
                if (far[a][via] < kFar && far[via][b] < kFar) {
                    far[a][b] = std::max(-kFar, std::min(far[a][b], far[a][via] + far[via][b]));
                }
            }
        }
    }
    return far;
}

template <class Paths>
void check_paths(const Paths& paths, const std::vector<std::int64_t>& expected) {
    for (NodeId node = 0; node < expected.size(); ++node) {
        REQUIRE(paths.reaches(node) == (expected[node] < kFar));
        if (paths.reaches(node)) {
            REQUIRE(static_cast<std::int64_t>(paths.distance[node]) == expected[node]);
            const auto path = paths.path_to(node, kPages);
            REQUIRE(path);
            REQUIRE((*path)[path->size() - 1] == node);
        } else {
            REQUIRE(paths.distance[node] == Paths::kUnreachable);
        }
    }
}

TEST_CASE("shortest paths are as short as any, with weights by edge and by nodes") {
    for (std::uint64_t round = 0; round < 30; ++round) {
        Random random(round);
        const std::size_t nodes = random.between(1, 40);
        const auto edges = heapwright::test::random_edges(random, nodes, random.below(5 * nodes));
        std::vector<std::int64_t> weights;
        for ([[maybe_unused]] const Edge edge : edges) {
            weights.push_back(static_cast<std::int64_t>(random.below(100)));
        }
        const auto expected = all_distances(nodes, edges, weights);
        const auto made = FrozenGraph::from_edges<std::int64_t>(nodes, edges, weights, kPages);
        REQUIRE(made);
        const auto by_edge = [&](NodeId, NodeId, std::size_t edge) { return made->values[edge]; };
        const auto start = static_cast<NodeId>(random.below(nodes));
        const auto near = shortest_paths(made->graph, start, by_edge, kPages);
        REQUIRE(near);
        check_paths(*near, expected[start]);
        const auto any = shortest_paths_any_weight(made->graph, start, by_edge, kPages);
        REQUIRE(any);
        REQUIRE_FALSE(any->has_negative_cycle);
        check_paths(*any, expected[start]);
        const auto real = shortest_paths(
            made->graph, start, [&](NodeId, NodeId, std::size_t edge) { return static_cast<float>(made->values[edge]); }, kPages);
        REQUIRE(real);
        check_paths(*real, expected[start]);

        const Rows rows = heapwright::test::rows_of(nodes, edges);
        const auto by_nodes = [](NodeId from, NodeId to) { return (from * 7 + to) % 13; };
        std::vector<std::int64_t> others;
        for (const Edge edge : edges) {
            others.push_back(by_nodes(edge.from, edge.to));
        }
        const auto plain = shortest_paths(rows, start, by_nodes, kPages);
        REQUIRE(plain);
        check_paths(*plain, all_distances(nodes, edges, others)[start]);
    }
}

TEST_CASE("negative weights are followed, and a negative cycle is found and told") {
    std::size_t cycles = 0;
    for (std::uint64_t round = 0; round < 40; ++round) {
        Random random(round);
        const std::size_t nodes = random.between(2, 25);
        const auto edges = heapwright::test::random_edges(random, nodes, random.below(3 * nodes));
        std::vector<std::int64_t> weights;
        for ([[maybe_unused]] const Edge edge : edges) {
            weights.push_back(static_cast<std::int64_t>(random.below(100)) - 25);
        }
        const auto expected = all_distances(nodes, edges, weights);
        const auto made = FrozenGraph::from_edges<std::int64_t>(nodes, edges, weights, kPages);
        REQUIRE(made);
        const auto by_edge = [&](NodeId, NodeId, std::size_t edge) { return made->values[edge]; };
        const auto paths = shortest_paths_any_weight(made->graph, 0, by_edge, kPages);
        REQUIRE(paths);
        bool has_cycle = false;
        for (std::size_t node = 0; node < nodes; ++node) {
            has_cycle = has_cycle || (expected[0][node] < kFar && expected[node][node] < 0);
        }
        REQUIRE(paths->has_negative_cycle == has_cycle);
        if (!has_cycle) {
            check_paths(*paths, expected[0]);
            continue;
        }
        ++cycles;
        std::int64_t around = 0;
        for (std::size_t i = 0; i < paths->cycle.size(); ++i) {
            const NodeId from = paths->cycle[i];
            const NodeId to = paths->cycle[(i + 1) % paths->cycle.size()];
            std::int64_t least = kFar;
            for (std::size_t edge = 0; edge < edges.size(); ++edge) {
                least = edges[edge] == Edge{from, to} ? std::min(least, weights[edge]) : least;
            }
            REQUIRE(least < kFar);
            around += least;
        }
        REQUIRE(around < 0);
    }
    CHECK(cycles > 0);
}

TEST_CASE("where there is no cycle, one pass in order finds the shortest paths") {
    for (std::uint64_t round = 0; round < 20; ++round) {
        Random random(round);
        const std::size_t nodes = random.between(2, 30);
        auto edges = heapwright::test::random_edges(random, nodes, random.below(4 * nodes));
        std::erase_if(edges, [](Edge edge) { return edge.from >= edge.to; });
        std::vector<std::int64_t> weights;
        for ([[maybe_unused]] const Edge edge : edges) {
            weights.push_back(static_cast<std::int64_t>(random.below(100)) - 50);
        }
        const auto made = FrozenGraph::from_edges<std::int64_t>(nodes, edges, weights, kPages);
        REQUIRE(made);
        const auto order = topological_order(made->graph, kPages);
        REQUIRE(order);
        const auto by_edge = [&](NodeId, NodeId, std::size_t edge) { return made->values[edge]; };
        const auto paths = shortest_paths_in_order(made->graph, 0, by_edge, *order, kPages);
        REQUIRE(paths);
        check_paths(*paths, all_distances(nodes, edges, weights)[0]);
    }
}

TEST_CASE("weights that cannot be are refused with the node that has them") {
    const Rows rows{{1}, {2}, {0}};
    const auto negative = shortest_paths(rows, 0, [](NodeId from, NodeId) { return from == 1 ? -1 : 1; }, kPages);
    REQUIRE_FALSE(negative);
    CHECK(negative.error() == heapwright::Error{.kind = Errc::invalid_argument, .number = 1});
    const auto no_number = shortest_paths(rows, 0, [](NodeId, NodeId) { return std::numeric_limits<double>::quiet_NaN(); }, kPages);
    CHECK(no_number.error().kind == Errc::invalid_argument);
    const auto large = [](NodeId, NodeId) { return std::uint64_t{1} << 63; };
    CHECK(shortest_paths(rows, 0, large, kPages).error().kind == Errc::overflow);
    CHECK(shortest_paths_any_weight(rows, 0, large, kPages).error().kind == Errc::overflow);
    CHECK(shortest_paths(rows, 3, large, kPages).error().kind == Errc::invalid_argument);
}

TEST_CASE("a search for one target stops there") {
    const Rows rows{{1}, {2}, {3}, {}};
    const auto paths = shortest_paths(rows, 0, [](NodeId, NodeId) { return 1U; }, kPages, 2);
    REQUIRE(paths);
    CHECK(paths->distance[2] == 2);
    CHECK_FALSE(paths->reaches(3));
}

TEST_CASE("an order with a cycle is the caller's mistake") {
    const Rows rows{{1}, {0}};
    const auto order = topological_order(rows, kPages);
    REQUIRE(order);
    const auto death = heapwright::test::death_of(
        [&] { static_cast<void>(shortest_paths_in_order(rows, 0, [](NodeId, NodeId) { return 1; }, *order, kPages)); });
    CHECK(death.died);
}

TEST_CASE("paths give back all memory when it runs out at any step") {
    const Rows rows{{1, 2}, {3}, {3}, {1}};
    heapwright::test::fail_at_every_step([&](heapwright::test::FailingSource& source) {
        const auto minus = [](NodeId, NodeId) { return -1; };
        const auto one = [](NodeId, NodeId) { return 1; };
        return shortest_paths(rows, 0, one, source).has_value() && shortest_paths_any_weight(rows, 0, minus, source).has_value();
    });
}

}  // namespace
