#include <heapwright/graph/graph.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>

#include <tests/graph/graphs.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace {

using namespace heapwright::graph;
using heapwright::Errc;
using heapwright::test::FailingSource;
using heapwright::test::Random;

/// What a graph must be: sets of targets by the number that a node was born with.
struct Model {
    struct Node {
        NodeHandle handle;
        std::set<int> targets;
    };
    std::map<int, Node> nodes;
    std::vector<NodeHandle> dead;
    int born = 0;

    [[nodiscard]] int random_node(Random& random) const {
        auto at = nodes.lower_bound(static_cast<int>(random.below(static_cast<std::uint64_t>(born))));
        return at == nodes.end() ? nodes.begin()->first : at->first;
    }
    void remove(int node) {
        dead.push_back(nodes[node].handle);
        nodes.erase(node);
        for (auto& [other, rest] : nodes) {
            rest.targets.erase(node);
        }
    }
};

void check_against(const Graph& graph, const Model& model) {
    REQUIRE(graph.broken_invariant() == nullptr);
    REQUIRE(graph.node_count() == model.nodes.size());
    std::map<NodeId, int> names;
    for (const auto& [name, node] : model.nodes) {
        REQUIRE(graph.contains(node.handle));
        names[node.handle.id] = name;
    }
    std::size_t edges = 0;
    std::map<int, std::size_t> in;
    for (const auto& [name, node] : model.nodes) {
        std::set<int> targets;
        for (const NodeId target : graph.out_neighbours(node.handle.id)) {
            REQUIRE(targets.insert(names.at(target)).second);
            ++in[names.at(target)];
        }
        REQUIRE(targets == node.targets);
        REQUIRE(graph.out_degree(node.handle.id) == targets.size());
        edges += targets.size();
    }
    REQUIRE(graph.edge_count() == edges);
    for (const auto& [name, node] : model.nodes) {
        REQUIRE(graph.in_degree(node.handle.id) == in[name]);
    }
    for (const NodeHandle handle : model.dead) {
        REQUIRE_FALSE(graph.contains(handle));
    }
    std::size_t seen = 0;
    graph.for_each_node([&](NodeHandle handle) { seen += graph.contains(handle) ? 1U : 0U; });
    REQUIRE(seen == model.nodes.size());
}

/// After compact() every handle is another one.
void renew(Model& model, const Renumbering& renumbering) {
    for (const NodeHandle handle : model.dead) {
        REQUIRE_FALSE(renumbering.renewed(handle));
    }
    for (auto& [name, node] : model.nodes) {
        model.dead.push_back(node.handle);
        node.handle = renumbering.renewed(node.handle);
        REQUIRE(node.handle);
    }
}

void random_step(Graph& graph, Model& model, Random& random, FailingSource& source) {
    const std::uint64_t act = random.below(100);
    if (model.nodes.empty() || act < 12) {
        const auto made = graph.add_node();
        REQUIRE(made);
        model.nodes[model.born++] = {.handle = *made, .targets = {}};
        return;
    }
    const int from = model.random_node(random);
    const int to = model.random_node(random);
    const NodeHandle from_handle = model.nodes[from].handle;
    const NodeHandle to_handle = model.nodes[to].handle;
    if (act < 70) {
        const auto added = graph.add_edge_once(from_handle, to_handle);
        REQUIRE(added);
        REQUIRE(*added == model.nodes[from].targets.insert(to).second);
    } else if (act < 88) {
        REQUIRE(graph.remove_edge(from_handle, to_handle) == (model.nodes[from].targets.erase(to) > 0));
    } else if (act < 97) {
        REQUIRE(graph.remove_node(from_handle));
        REQUIRE_FALSE(graph.remove_node(from_handle));
        model.remove(from);
    } else if (act == 97) {
        graph.sweep();
        REQUIRE(graph.stats().stale_edges == 0);
    } else if (act == 98) {
        const std::size_t before = graph.size_bytes();
        const auto freed = graph.shrink_to_fit();
        REQUIRE(freed);
        REQUIRE(before - *freed == graph.size_bytes());
    } else {
        const auto renumbering = graph.compact(source);
        REQUIRE(renumbering);
        renew(model, *renumbering);
        REQUIRE(graph.node_bound() == graph.node_count());
    }
}

TEST_CASE("a graph does what sets of numbers do, through thousands of random changes") {
    for (std::uint64_t round = 0; round < 12; ++round) {
        Random random(round);
        FailingSource source;
        {
            Graph graph(source);
            Model model;
            const int steps = 1200;
            for (int step = 0; step < steps; ++step) {
                random_step(graph, model, random, source);
                if (step % 50 == 0) {
                    check_against(graph, model);
                }
            }
            check_against(graph, model);
            CHECK(graph.size_bytes() == source.outstanding_bytes());
        }
        CHECK(source.outstanding() == 0);
    }
}

TEST_CASE("a handle of a removed node never comes alive again, whatever moves into its place") {
    Graph graph(heapwright::os::kPages);
    std::vector<NodeHandle> dead;
    for (int i = 0; i < 1000; ++i) {
        const auto node = graph.add_node();
        REQUIRE(node);
        CHECK(node->id == 0);  // the place is used again at once
        REQUIRE(graph.add_edge(*node, *node));
        for (const NodeHandle old : dead) {
            REQUIRE_FALSE(graph.contains(old));
        }
        graph.remove_node(*node);
        dead.push_back(*node);
        if (i % 100 == 99) {
            REQUIRE(graph.compact(heapwright::os::kPages));
        }
    }
    CHECK(graph.edge_count() == 0);
    CHECK_FALSE(graph.contains(NodeHandle{}));
    const auto lost = graph.add_edge(dead[0], dead[1]);
    REQUIRE_FALSE(lost);
    CHECK(lost.error().kind == Errc::not_found);
}

TEST_CASE("a place whose generations run out is given up") {
    Graph graph(heapwright::os::kPages);
    graph.start_generations_at(detail::kGenerationMax - 2);
    const auto first = graph.add_node();
    REQUIRE(first);
    graph.remove_node(*first);
    const auto second = graph.add_node();
    REQUIRE(second);
    CHECK(second->id == first->id);
    graph.remove_node(*second);
    CHECK(graph.stats().retired == 1);
    const auto third = graph.add_node();
    REQUIRE(third);
    CHECK(third->id != first->id);
    CHECK(graph.broken_invariant() == nullptr);
    CHECK_FALSE(graph.contains(*second));
    CHECK(graph.compact(heapwright::os::kPages).error().kind == Errc::limit_reached);
}

TEST_CASE("removing a node does not look at the rows of others, and their edges to it are unseen at once") {
    Graph graph(heapwright::os::kPages);
    std::vector<NodeHandle> nodes;
    for (int i = 0; i < 1000; ++i) {
        nodes.push_back(*graph.add_node());
    }
    for (int i = 1; i < 1000; ++i) {
        REQUIRE(graph.add_edge(nodes[static_cast<std::size_t>(i)], nodes[0]));
        REQUIRE(graph.add_edge(nodes[static_cast<std::size_t>(i)], nodes[static_cast<std::size_t>(i / 2)]));
        REQUIRE(graph.add_edge(nodes[static_cast<std::size_t>(i)], nodes[static_cast<std::size_t>(i)]));
    }
    graph.remove_node(nodes[7]);
    CHECK(graph.stats().stale_edges == 2);  // from 14 and 15
    CHECK(graph.out_degree(14) == 2);
    CHECK(graph.in_degree(0) == 999);
    CHECK(graph.edge_count() == 3 * 998 - 2);
    const auto other = graph.add_node();
    REQUIRE(other);
    CHECK(other->id != 7);  // not while stale edges may lead there
    graph.sweep();
    CHECK(graph.stats().stale_edges == 0);
    CHECK(graph.add_node()->id == 7);
    graph.remove_node(nodes[0]);  // a third of all edges at once: swept by itself
    CHECK(graph.stats().stale_edges == 0);
    CHECK(graph.broken_invariant() == nullptr);
}

double bytes_per_edge(const Graph& graph) { return static_cast<double>(graph.size_bytes()) / static_cast<double>(graph.edge_count()); }

TEST_CASE("an edge costs at most 8 bytes while a graph of eight edges a node grows in random order") {
    FailingSource source;
    Graph graph(source);
    Random random(7);
    constexpr std::size_t kNodes = 40'000;
    std::vector<NodeHandle> nodes;
    for (std::size_t i = 0; i < kNodes; ++i) {
        nodes.push_back(*graph.add_node());
    }
    for (std::size_t i = 0; i < 8 * kNodes; ++i) {
        REQUIRE(graph.add_edge(nodes[random.below(kNodes)], nodes[random.below(kNodes)]));
    }
    CHECK(graph.broken_invariant() == nullptr);
    MESSAGE("grown: " << bytes_per_edge(graph) << " bytes an edge");
    CHECK(bytes_per_edge(graph) <= 8.0);
    CHECK(source.outstanding_bytes() == graph.size_bytes());
    for (std::size_t i = 8 * kNodes; i < 16 * kNodes; ++i) {
        REQUIRE(graph.add_edge(nodes[random.below(kNodes)], nodes[random.below(kNodes)]));
        if (i % kNodes == 0) {
            CHECK(bytes_per_edge(graph) <= 8.0);
        }
    }
    MESSAGE("sixteen edges a node: " << bytes_per_edge(graph) << " bytes an edge");
    CHECK(bytes_per_edge(graph) <= 7.0);
    REQUIRE(graph.shrink_to_fit());
    MESSAGE("shrunk: " << bytes_per_edge(graph) << " bytes an edge");
    CHECK(bytes_per_edge(graph) <= 6.0);
    const auto frozen = graph.freeze(source);
    REQUIRE(frozen);
    CHECK(frozen->size_bytes() * 10 <= graph.edge_count() * 42);
}

TEST_CASE("rows of any length grow and shrink, those of their own block as well") {
    FailingSource source;
    {
        Graph graph(source);
        const NodeHandle hub = *graph.add_node();
        const NodeHandle small = *graph.add_node();
        for (int i = 0; i < 200'000; ++i) {
            REQUIRE(graph.add_edge(hub, i % 2 == 0 ? hub : small));
        }
        REQUIRE(graph.add_edge(small, hub));
        CHECK(graph.out_degree(hub.id) == 200'000);
        CHECK(graph.broken_invariant() == nullptr);
        CHECK(graph.size_bytes() < std::size_t{4} * 200'000 * 2);
        for (int i = 0; i < 100'000; ++i) {
            REQUIRE(graph.remove_edge(hub, i % 2 == 0 ? hub : small));
        }
        graph.remove_node(small);
        graph.sweep();
        CHECK(graph.broken_invariant() == nullptr);
        CHECK(graph.out_degree(hub.id) == 50'000);
        Graph moved = std::move(graph);
        CHECK(moved.edge_count() == 50'000);
        REQUIRE(moved.shrink_to_fit());
        CHECK(moved.broken_invariant() == nullptr);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("classes of rows cover every length with little slack") {
    std::uint32_t before = 0;
    for (std::uint32_t row_class = 1; row_class < heapwright::graph::detail::kCapacityClasses; ++row_class) {
        const std::uint32_t capacity = detail::capacity_of_class(row_class);
        REQUIRE(capacity > before);
        REQUIRE(detail::class_for_capacity(capacity) == row_class);
        REQUIRE(detail::class_for_capacity(before + 1) == row_class);
        before = capacity;
    }
}

TEST_CASE("when memory runs out a graph is as it was") {
    heapwright::test::fail_at_every_step([](FailingSource& source) {
        Graph graph(source);
        Random random(11);
        std::vector<NodeHandle> nodes;
        std::size_t edges = 0;
        bool refused = false;
        for (int i = 0; i < 40; ++i) {
            const auto made = graph.add_node();
            refused = refused || !made;
            if (made) {
                nodes.push_back(*made);
            }
        }
        for (int i = 0; i < 1500 && !nodes.empty(); ++i) {
            const auto added = graph.add_edge(nodes[random.below(nodes.size())], nodes[random.below(nodes.size())]);
            edges += added ? 1U : 0U;
            refused = refused || !added;
        }
        CHECK(graph.edge_count() == edges);
        const auto before = graph.stats();
        const bool shrunk = graph.shrink_to_fit().has_value();
        const bool compacted = graph.compact(source).has_value();
        CHECK(graph.edge_count() == edges);
        CHECK(graph.node_count() == before.nodes);
        CHECK(graph.broken_invariant() == nullptr);
        return !refused && shrunk && compacted;
    });
}

TEST_CASE("a graph is made from a frozen one and frozen again") {
    Random random(5);
    FailingSource source;
    const auto edges = heapwright::test::random_edges(random, 300, 2000);
    const auto frozen = FrozenGraph::from_edges(300, edges, source);
    REQUIRE(frozen);
    auto thawed = Graph::from_graph(*frozen, source);
    REQUIRE(thawed);
    CHECK(thawed->edge_count() == 2000);
    const NodeHandle removed = thawed->handle_of(17);
    thawed->remove_node(removed);
    const auto again = thawed->freeze(source);
    REQUIRE(again);
    CHECK(again->node_count() == 300);
    CHECK(again->out_degree(17) == 0);
    CHECK(again->edge_count() == thawed->edge_count());
    const auto copy = Graph::from_graph(*thawed, source);
    REQUIRE(copy);
    CHECK(copy->node_count() == 299);
    CHECK(copy->edge_count() == thawed->edge_count());
    CHECK(copy->broken_invariant() == nullptr);
}

}  // namespace
