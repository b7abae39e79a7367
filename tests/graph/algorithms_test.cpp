#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/graph/access.hpp>
#include <heapwright/graph/breadth_first.hpp>
#include <heapwright/graph/components.hpp>
#include <heapwright/graph/depth_first.hpp>
#include <heapwright/graph/frozen_graph.hpp>
#include <heapwright/graph/graph.hpp>
#include <heapwright/os/page_source.hpp>

#include <tests/graph/graphs.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

/// A graph as the Boost Graph Library's functions see one, without the library.
namespace boost_alike {

struct Lists {
    std::vector<std::list<std::size_t>> rows;
};
inline std::size_t num_vertices(const Lists& graph) { return graph.rows.size(); }
inline auto adjacent_vertices(std::size_t node, const Lists& graph) { return std::pair(graph.rows[node].begin(), graph.rows[node].end()); }

}  // namespace boost_alike

namespace {

using namespace heapwright::graph;
using heapwright::os::kPages;
using heapwright::test::FailingSource;
using heapwright::test::Random;
using heapwright::test::Rows;

static_assert(DirectedGraph<FrozenGraph> && NumbersEdges<FrozenGraph>);
static_assert(DirectedGraph<Graph> && !NumbersEdges<Graph>);
static_assert(DirectedGraph<Rows> && DirectedGraph<boost_alike::Lists>);
static_assert(!DirectedGraph<int> && !DirectedGraph<std::vector<int>>);

/// The same graph in every form that algorithms take, some nodes of the changing one removed and put back elsewhere.
template <class Act>
void in_every_form(const Rows& rows, Act act) {
    act(rows);
    const auto frozen = FrozenGraph::from_graph(rows, kPages);
    REQUIRE(frozen);
    act(*frozen);
    boost_alike::Lists lists;
    for (const auto& row : rows) {
        lists.rows.emplace_back(row.begin(), row.end());
    }
    act(lists);
    const auto changing = Graph::from_graph(rows, kPages);
    REQUIRE(changing);
    act(*changing);
}

Rows random_rows(Random& random) {
    const std::size_t nodes = random.between(1, 60);
    return heapwright::test::rows_of(nodes, heapwright::test::random_edges(random, nodes, random.below(3 * nodes)));
}

std::vector<std::uint32_t> plain_levels(const Rows& rows, NodeId start) {
    std::vector<std::uint32_t> levels(rows.size(), kUnreached);
    std::vector<NodeId> front{start};
    levels[start] = 0;
    for (std::uint32_t level = 1; !front.empty(); ++level) {
        std::vector<NodeId> next;
        for (const NodeId node : front) {
            for (const NodeId target : rows[node]) {
                if (levels[target] == kUnreached) {
                    levels[target] = level;
                    next.push_back(target);
                }
            }
        }
        front = next;
    }
    return levels;
}

TEST_CASE("breadth-first walks reach each node by the fewest edges, in every form of graph") {
    for (std::uint64_t round = 0; round < 30; ++round) {
        Random random(round);
        const Rows rows = random_rows(random);
        const auto start = static_cast<NodeId>(random.below(rows.size()));
        const auto expected = plain_levels(rows, start);
        in_every_form(rows, [&](const auto& graph) {
            const auto levels = levels_from(graph, start, kPages);
            REQUIRE(levels);
            REQUIRE(std::vector<std::uint32_t>(levels->begin(), levels->end()) == expected);
            const auto tree = breadth_first_tree(graph, start, kPages);
            REQUIRE(tree);
            for (NodeId node = 0; node < rows.size(); ++node) {
                const auto path = tree->path_to(node, kPages);
                REQUIRE(path);
                REQUIRE(tree->reaches(node) == (expected[node] != kUnreached));
                if (!tree->reaches(node)) {
                    REQUIRE(path->empty());
                    continue;
                }
                REQUIRE(path->size() == expected[node] + 1);
                REQUIRE((*path)[0] == start);
                for (std::size_t i = 1; i < path->size(); ++i) {
                    const auto& row = rows[(*path)[i - 1]];
                    REQUIRE(std::find(row.begin(), row.end(), (*path)[i]) != row.end());
                }
            }
        });
    }
}

TEST_CASE("a breadth-first walk stops where its visitor says so, and takes several starts") {
    const Rows rows{{1}, {2}, {3}, {}, {3}};
    std::vector<NodeId> seen;
    const auto walked = breadth_first(rows, std::vector<NodeId>{0}, kPages, [&](NodeId node, std::uint32_t) {
        seen.push_back(node);
        return node != 1;
    });
    REQUIRE(walked);
    CHECK(seen == std::vector<NodeId>{0, 1});
    const auto levels = levels_from(rows, std::vector<NodeId>{0, 4, 0}, kPages);
    REQUIRE(levels);
    CHECK((*levels)[3] == 1);
    CHECK(levels_from(rows, 5, kPages).error().kind == heapwright::Errc::invalid_argument);
}

struct Recorder {
    std::vector<NodeId> entered;
    std::vector<NodeId> left;
    std::multiset<std::pair<NodeId, NodeId>> edges;
    std::size_t back = 0;
    void enter(NodeId node) { entered.push_back(node); }
    void leave(NodeId node) { left.push_back(node); }
    bool edge(NodeId from, NodeId to, EdgeKind kind) {
        edges.emplace(from, to);
        back += kind == EdgeKind::back ? 1U : 0U;
        return true;
    }
};

TEST_CASE("depth-first walks enter and leave each node once and meet each edge once") {
    for (std::uint64_t round = 0; round < 30; ++round) {
        Random random(round);
        const Rows rows = random_rows(random);
        const auto reach = heapwright::test::reach_of(rows);
        in_every_form(rows, [&](const auto& graph) {
            Recorder recorder;
            const auto walked = depth_first(graph, NodeId{0}, kPages, recorder);
            REQUIRE(walked);
            REQUIRE(*walked == reach[0].size());
            REQUIRE(std::set<NodeId>(recorder.entered.begin(), recorder.entered.end()) == reach[0]);
            REQUIRE(recorder.left.size() == *walked);
            REQUIRE(recorder.left.back() == 0);
            std::multiset<std::pair<NodeId, NodeId>> edges;
            for (const NodeId node : reach[0]) {
                for (const NodeId target : rows[node]) {
                    edges.emplace(node, target);
                }
            }
            REQUIRE(recorder.edges == edges);
        });
    }
}

TEST_CASE("a topological order puts every edge forward, or the cycle that forbids it is told") {
    std::size_t cyclic = 0;
    for (std::uint64_t round = 0; round < 60; ++round) {
        Random random(round);
        Rows rows = random_rows(random);
        const bool makes_acyclic = random.one_in(2);
        for (NodeId node = 0; makes_acyclic && node < rows.size(); ++node) {
            std::erase_if(rows[node], [node](NodeId target) { return target <= node; });
        }
        const auto reach = heapwright::test::reach_of(rows);
        bool has_cycle = false;
        for (NodeId node = 0; node < rows.size(); ++node) {
            for (const NodeId target : rows[node]) {
                has_cycle = has_cycle || reach[target].contains(node);
            }
        }
        cyclic += has_cycle ? 1U : 0U;
        in_every_form(rows, [&](const auto& graph) {
            const auto found = topological_order(graph, kPages);
            REQUIRE(found);
            REQUIRE(found->is_acyclic() == !has_cycle);
            if (has_cycle) {
                for (std::size_t i = 0; i < found->cycle.size(); ++i) {
                    const auto& row = rows[found->cycle[i]];
                    REQUIRE(std::find(row.begin(), row.end(), found->cycle[(i + 1) % found->cycle.size()]) != row.end());
                }
                return;
            }
            REQUIRE(found->order.size() == rows.size());
            std::map<NodeId, std::size_t> place;
            for (std::size_t i = 0; i < found->order.size(); ++i) {
                place[found->order[i]] = i;
            }
            REQUIRE(place.size() == rows.size());
            for (NodeId node = 0; node < rows.size(); ++node) {
                for (const NodeId target : rows[node]) {
                    REQUIRE(place[node] < place[target]);
                }
            }
        });
    }
    CHECK(cyclic > 5);
}

TEST_CASE("components are those that paths make") {
    for (std::uint64_t round = 0; round < 40; ++round) {
        Random random(round);
        const Rows rows = random_rows(random);
        Rows both = rows;
        for (NodeId node = 0; node < rows.size(); ++node) {
            for (const NodeId target : rows[node]) {
                both[target].push_back(node);
            }
        }
        const auto reach = heapwright::test::reach_of(rows);
        const auto reach_both = heapwright::test::reach_of(both);
        in_every_form(rows, [&](const auto& graph) {
            const auto weak = connected_components(graph, kPages);
            const auto strong = strongly_connected_components(graph, kPages);
            REQUIRE(weak);
            REQUIRE(strong);
            for (NodeId a = 0; a < rows.size(); ++a) {
                REQUIRE(weak->of[a] < weak->count);
                REQUIRE(strong->of[a] < strong->count);
                for (NodeId b = 0; b < rows.size(); ++b) {
                    REQUIRE((weak->of[a] == weak->of[b]) == reach_both[a].contains(b));
                    REQUIRE((strong->of[a] == strong->of[b]) == (reach[a].contains(b) && reach[b].contains(a)));
                    if (reach[a].contains(b)) {
                        REQUIRE(strong->of[a] >= strong->of[b]);  // edges lead to lower numbers
                    }
                }
            }
            const auto sizes = strong->sizes(kPages);
            REQUIRE(sizes);
            std::size_t sum = 0;
            for (const std::uint32_t size : *sizes) {
                REQUIRE(size > 0);
                sum += size;
            }
            REQUIRE(sum == rows.size());
        });
    }
}

TEST_CASE("removed nodes are no components of their own and in no order") {
    auto graph = Graph::from_graph(Rows{{1}, {2}, {0}, {1}, {}}, kPages);
    REQUIRE(graph);
    graph->remove_node(graph->handle_of(1));
    const auto weak = connected_components(*graph, kPages);
    REQUIRE(weak);
    CHECK(weak->count == 3);
    CHECK(weak->of[1] == kNoNode);
    const auto strong = strongly_connected_components(*graph, kPages);
    REQUIRE(strong);
    CHECK(strong->count == 4);
    CHECK(strong->of[1] == kNoNode);
    const auto order = topological_order(*graph, kPages);
    REQUIRE(order);
    CHECK(order->order.size() == 4);
    const auto levels = levels_from(*graph, 0, kPages);
    REQUIRE(levels);
    CHECK((*levels)[1] == kUnreached);
}

TEST_CASE("a path of a million nodes needs no call stack") {
    constexpr NodeId kNodes = 1'000'000;
    const auto path = FrozenGraph::from_each_edge(kNodes,
                                                  [](auto take) {
                                                      for (NodeId node = 0; node < kNodes; ++node) {
                                                          take(node, (node + 1) % kNodes);
                                                      }
                                                  },
                                                  kPages, {.sort_rows = false});
    REQUIRE(path);
    const auto strong = strongly_connected_components(*path, kPages);
    REQUIRE(strong);
    CHECK(strong->count == 1);
    const auto order = topological_order(*path, kPages);
    REQUIRE(order);
    CHECK(order->cycle.size() == kNodes);
}

TEST_CASE("algorithms give back all memory when it runs out at any step") {
    const Rows rows{{1, 2}, {3}, {3}, {}};
    heapwright::test::fail_at_every_step([&](FailingSource& source) {
        return levels_from(rows, 0, source).has_value() && breadth_first_tree(rows, 0, source).has_value() &&
               topological_order(rows, source).has_value() && connected_components(rows, source).has_value() &&
               strongly_connected_components(rows, source).has_value();
    });
}

}  // namespace
