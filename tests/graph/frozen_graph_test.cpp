#include <heapwright/graph/frozen_graph.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/detail/row_index.hpp>
#include <heapwright/os/page_source.hpp>

#include <tests/graph/graphs.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace {

using namespace heapwright::graph;
using heapwright::Errc;
using heapwright::test::FailingSource;
using heapwright::test::Random;
using heapwright::test::Rows;

std::vector<NodeId> row_of(const FrozenGraph& graph, NodeId node) {
    const auto row = graph.out_neighbours(node);
    return {row.begin(), row.end()};
}

TEST_CASE("an empty graph has neither nodes nor edges nor memory") {
    const FrozenGraph nothing;
    CHECK(nothing.node_count() == 0);
    CHECK(nothing.size_bytes() == 0);
    FailingSource source;
    const auto made = FrozenGraph::from_edges(0, {}, source);
    REQUIRE(made);
    CHECK(made->edge_count() == 0);
    CHECK(made->broken_invariant() == nullptr);
    const auto lonely = FrozenGraph::from_edges(70, {}, source);
    REQUIRE(lonely);
    CHECK(lonely->node_count() == 70);
    CHECK(lonely->out_neighbours(69).empty());
    CHECK(lonely->broken_invariant() == nullptr);
}

TEST_CASE("rows hold the edges in their order, or ascending when they are sorted") {
    FailingSource source;
    const std::vector<Edge> edges{{2, 0}, {0, 2}, {0, 1}, {2, 2}, {0, 1}};
    const auto plain = FrozenGraph::from_edges(3, edges, source, {.sort_rows = false});
    REQUIRE(plain);
    CHECK(row_of(*plain, 0) == std::vector<NodeId>{2, 1, 1});
    CHECK(row_of(*plain, 1).empty());
    CHECK(row_of(*plain, 2) == std::vector<NodeId>{0, 2});
    CHECK(plain->first_edge(2) == 3);
    CHECK(plain->has_edge(0, 1));
    CHECK_FALSE(plain->has_edge(1, 0));
    const auto sorted = FrozenGraph::from_edges(3, edges, source);
    REQUIRE(sorted);
    CHECK(row_of(*sorted, 0) == std::vector<NodeId>{1, 1, 2});
    const auto once = FrozenGraph::from_edges(3, edges, source, {.drop_duplicates = true, .drop_loops = true, .in_edges = true});
    REQUIRE(once);
    CHECK(row_of(*once, 0) == std::vector<NodeId>{1, 2});
    CHECK(row_of(*once, 2) == std::vector<NodeId>{0});
    CHECK(once->edge_count() == 3);
    CHECK(once->in_neighbours(2).size() == 1);
    CHECK(once->broken_invariant() == nullptr);
}

TEST_CASE("an edge to a node that is not there is refused by its number") {
    FailingSource source;
    const std::vector<Edge> edges{{0, 1}, {1, 7}, {9, 0}};
    const auto made = FrozenGraph::from_edges(3, edges, source);
    REQUIRE_FALSE(made);
    CHECK(made.error().kind == Errc::invalid_argument);
    CHECK(made.error().number == 7);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("random graphs hold exactly their edges, both ways") {
    for (std::uint64_t round = 0; round < 40; ++round) {
        Random random(round);
        const std::size_t nodes = random.between(1, 200);
        const auto edges = heapwright::test::random_edges(random, nodes, random.below(1500));
        const FreezeOptions options{.sort_rows = random.one_in(2),
                                    .drop_duplicates = random.one_in(3),
                                    .drop_loops = random.one_in(3),
                                    .in_edges = random.one_in(2)};
        FailingSource source;
        const auto made = FrozenGraph::from_edges(nodes, edges, source, options);
        REQUIRE(made);
        REQUIRE(made->broken_invariant() == nullptr);
        Rows rows(nodes);
        for (const Edge edge : edges) {
            if (!options.drop_loops || edge.from != edge.to) {
                rows[edge.from].push_back(edge.to);
            }
        }
        std::size_t count = 0;
        for (NodeId node = 0; node < nodes; ++node) {
            auto& row = rows[node];
            if (options.sort_rows || options.drop_duplicates) {
                std::sort(row.begin(), row.end());
            }
            if (options.drop_duplicates) {
                row.erase(std::unique(row.begin(), row.end()), row.end());
            }
            count += row.size();
            REQUIRE(row_of(*made, node) == row);
        }
        REQUIRE(made->edge_count() == count);
        const auto turned = made->reversed(source);
        REQUIRE(turned);
        REQUIRE(turned->broken_invariant() == nullptr);
        if (options.in_edges && count > 0) {
            for (NodeId node = 0; node < nodes; ++node) {
                const auto in = made->in_neighbours(node);
                const auto out = turned->out_neighbours(node);
                REQUIRE(std::vector<NodeId>(in.begin(), in.end()) == std::vector<NodeId>(out.begin(), out.end()));
            }
        }
    }
}

TEST_CASE("a node with more edges than 16 bits count has its row in a wide group") {
    FailingSource source;
    std::vector<Edge> edges;
    for (NodeId i = 0; i < 200'000; ++i) {
        edges.push_back({.from = 40, .to = i % 100});
        edges.push_back({.from = i % 3 == 0 ? 41U : 99U, .to = 5});
    }
    const auto made = FrozenGraph::from_edges(100, edges, source, {.in_edges = true});
    REQUIRE(made);
    CHECK(made->broken_invariant() == nullptr);
    CHECK(made->out_degree(40) == 200'000);
    CHECK(made->out_degree(41) == 66'667);
    CHECK(made->out_degree(39) == 0);
    CHECK(made->out_degree(99) == 133'333);
    CHECK(made->in_neighbours(5).size() == 202'000);
    const auto turned = made->reversed(source);
    REQUIRE(turned);
    CHECK(turned->out_degree(5) == 202'000);
}

TEST_CASE("an edge costs 4 bytes and a node 2.25, exactly") {
    Random random(1);
    FailingSource source;
    constexpr std::size_t kNodes = 20'000;
    const auto edges = heapwright::test::random_edges(random, kNodes, 8 * kNodes);
    const auto made = FrozenGraph::from_edges(kNodes, edges, source);
    REQUIRE(made);
    CHECK(made->size_bytes() == kNodes * 9 / 4 + 4 * edges.size());
    CHECK(source.outstanding_bytes() == made->size_bytes());  // nothing else is kept
    CHECK(static_cast<double>(made->size_bytes()) / static_cast<double>(edges.size()) < 4.29);
    const auto both = FrozenGraph::from_edges(kNodes, edges, source, {.in_edges = true});
    REQUIRE(both);
    CHECK(both->size_bytes() == 2 * made->size_bytes());
}

TEST_CASE("values follow their edges into the rows") {
    for (std::uint64_t round = 0; round < 10; ++round) {
        Random random(round);
        const std::size_t nodes = random.between(1, 50);
        const auto edges = heapwright::test::random_edges(random, nodes, random.below(300));
        std::vector<std::uint64_t> values;
        for (const Edge edge : edges) {
            values.push_back(std::uint64_t{edge.from} * 1000 + edge.to);
        }
        FailingSource source;
        const FreezeOptions options{.sort_rows = random.one_in(2), .drop_duplicates = random.one_in(2), .drop_loops = random.one_in(2)};
        const auto made = FrozenGraph::from_edges<std::uint64_t>(nodes, edges, values, source, options);
        REQUIRE(made);
        REQUIRE(made->values.size() == made->graph.edge_count());
        made->graph.for_each_edge([&](NodeId from, NodeId to, std::size_t edge) {
            REQUIRE(made->values[edge] == std::uint64_t{from} * 1000 + to);
            REQUIRE(edge >= made->graph.first_edge(from));
        });
    }
}

TEST_CASE("a source that fails at any step leaves nothing behind") {
    Random random(3);
    const auto edges = heapwright::test::random_edges(random, 50, 300);
    const std::vector<std::uint8_t> values(edges.size(), 1);
    heapwright::test::fail_at_every_step([&](FailingSource& source) {
        const auto made = FrozenGraph::from_edges<std::uint8_t>(50, edges, values, source, {.drop_duplicates = true, .in_edges = true});
        return made.has_value();
    });
    heapwright::test::fail_at_every_step(
        [&](FailingSource& source) { return FrozenGraph::from_edges(50, edges, source, {.in_edges = true}).has_value(); });
}

TEST_CASE("a graph lives in an arena as well") {
    heapwright::Arena arena{heapwright::os::kPages};
    const std::vector<Edge> edges{{0, 1}, {1, 2}};
    auto first = FrozenGraph::from_edges(3, edges, arena);
    REQUIRE(first);
    const FrozenGraph moved = std::move(*first);
    CHECK(row_of(moved, 1) == std::vector<NodeId>{2});
    auto copy = FrozenGraph::from_graph(Rows{{1}, {2}, {}}, arena);
    REQUIRE(copy);
    CHECK(row_of(*copy, 1) == row_of(moved, 1));
}

TEST_CASE("a column keeps its block and knows its length") {
    FailingSource source;
    {
        auto made = Column<std::uint32_t>::filled(5, 7, source);
        REQUIRE(made);
        made->cut(2);
        CHECK(made->size() == 2);
        CHECK(made->size_bytes() == 20);
        Column<std::uint32_t> other = std::move(*made);
        CHECK(other[1] == 7);
        CHECK(made->empty());
    }
    CHECK(source.outstanding() == 0);
    CHECK(Column<std::uint64_t>::uninitialised(SIZE_MAX / 2, source).error().kind == Errc::overflow);
}

}  // namespace
