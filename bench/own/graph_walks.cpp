// What does an edge cost in bytes, when a graph is built, and when it is walked, beside rows by hand and the Boost Graph Library?
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <malloc.h>

#include <heapwright/graph/breadth_first.hpp>
#include <heapwright/graph/components.hpp>
#include <heapwright/graph/frozen_graph.hpp>
#include <heapwright/graph/graph.hpp>
#include <heapwright/graph/shortest_paths.hpp>
#include <heapwright/os/page_source.hpp>

#include <bench/own/cell_rows.hpp>

#if __has_include(<boost/graph/compressed_sparse_row_graph.hpp>)
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 suspects the edge iterators of adjacency_list
#endif
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/property_map/function_property_map.hpp>
#define BENCH_HAS_BOOST 1
#endif

namespace {

using namespace heapwright::graph;
using heapwright::os::kPages;

/// 200 000 nodes and eight edges for each, and a graph as the world makes them: a few nodes have most of the edges.
constexpr std::size_t kNodes = 200'000;
constexpr std::size_t kEdges = 1'600'000;
constexpr unsigned kScale = 20;
constexpr std::size_t kSkewedEdges = std::size_t{16} << kScale;

struct Data {
    std::size_t nodes;
    std::vector<Edge> edges;
};

std::size_t scaled(std::size_t number) {
    static const bool is_tiny = std::getenv("HEAPWRIGHT_BENCH_TINY") != nullptr;  // whether it runs, not how fast
    return is_tiny ? number / 100 : number;
}

const Data& uniform_data() {
    static const Data kData = [] {
        Data data{scaled(kNodes), {}};
        bench::Random random(1);
        for (std::size_t i = 0; i < scaled(kEdges); ++i) {
            data.edges.push_back({static_cast<NodeId>(random.below(data.nodes)), static_cast<NodeId>(random.below(data.nodes))});
        }
        return data;
    }();
    return kData;
}

/// R-MAT (Chakrabarti, Zhan and Faloutsos, 2004) with the Graph500's chances of the four quarters: 57, 19, 19 and 5 in 100.
const Data& skewed_data() {
    static const Data kData = [] {
        Data data{std::size_t{1} << kScale, {}};
        bench::Random random(2);
        for (std::size_t i = 0; i < scaled(kSkewedEdges); ++i) {
            NodeId from = 0;
            NodeId to = 0;
            for (unsigned level = 0; level < kScale; ++level) {
                const std::uint64_t quarter = random.below(100);
                from = from * 2 + (quarter >= 76 ? 1U : 0U);
                to = to * 2 + ((quarter >= 57 && quarter < 76) || quarter >= 95 ? 1U : 0U);
            }
            data.edges.push_back({from, to});
        }
        return data;
    }();
    return kData;
}

using DataOf = const Data& (*)();

/// Rows as everybody writes them.
struct HandRows {
    std::vector<std::uint32_t> begins;
    std::vector<std::uint32_t> targets;

    explicit HandRows(const Data& data) : begins(data.nodes + 1), targets(data.edges.size()) {
        for (const Edge edge : data.edges) {
            ++begins[edge.from + 1];
        }
        for (std::size_t node = 0; node < data.nodes; ++node) {
            begins[node + 1] += begins[node];
        }
        std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1);
        for (const Edge edge : data.edges) {
            targets[next[edge.from]++] = edge.to;
        }
    }
    [[nodiscard]] std::size_t walk() const {
        std::vector<std::uint32_t> levels(begins.size() - 1, UINT32_MAX);
        std::vector<std::uint32_t> queue;
        queue.reserve(levels.size());
        queue.push_back(0);
        levels[0] = 0;
        for (std::size_t front = 0; front < queue.size(); ++front) {
            const std::uint32_t node = queue[front];
            for (std::uint32_t edge = begins[node]; edge < begins[node + 1]; ++edge) {
                const std::uint32_t target = targets[edge];
                if (levels[target] == UINT32_MAX) {
                    levels[target] = levels[node] + 1;
                    queue.push_back(target);
                }
            }
        }
        return queue.size();
    }
};

/// Built at its first use, from the data, and kept.
template <class G, class Make>
std::shared_ptr<std::unique_ptr<G>> later(Make) {
    return std::make_shared<std::unique_ptr<G>>();
}

FrozenGraph frozen(const Data& data) { return std::move(FrozenGraph::from_edges(data.nodes, data.edges, kPages).value()); }

Graph grown(const Data& data) {
    Graph graph(kPages);
    std::vector<NodeHandle> nodes;
    for (std::size_t node = 0; node < data.nodes; ++node) {
        nodes.push_back(graph.add_node().value());
    }
    for (const Edge edge : data.edges) {
        if (!graph.add_edge(nodes[edge.from], nodes[edge.to])) {
            std::abort();
        }
    }
    return graph;
}

std::vector<std::vector<std::uint32_t>> vectors(const Data& data) {
    std::vector<std::vector<std::uint32_t>> rows(data.nodes);
    for (const Edge edge : data.edges) {
        rows[edge.from].push_back(edge.to);
    }
    return rows;
}

std::uint32_t weight_of(NodeId from, NodeId to) { return (from * 2654435761U ^ to) % 255 + 1; }

#ifdef BENCH_HAS_BOOST
using BoostRows = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, boost::no_property, boost::no_property,
                                                     std::uint32_t, std::uint32_t>;
using BoostVectors = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;
using BoostLists = boost::adjacency_list<boost::listS, boost::vecS, boost::directedS>;

template <class G>
G boost_graph(const Data& data) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
    for (const Edge edge : data.edges) {
        edges.emplace_back(edge.from, edge.to);
    }
    if constexpr (std::is_same_v<G, BoostRows>) {
        return G(boost::edges_are_unsorted_multi_pass, edges.begin(), edges.end(), static_cast<std::uint32_t>(data.nodes));
    } else {
        return G(edges.begin(), edges.end(), data.nodes);
    }
}

template <class G>
void boost_walk(const G& graph) {
    std::vector<std::uint32_t> levels(boost::num_vertices(graph));
    auto* const by_node = levels.data();
    boost::breadth_first_search(graph, boost::vertex(0, graph),
                                boost::visitor(boost::make_bfs_visitor(boost::record_distances(by_node, boost::on_tree_edge()))));
    bench::escape(by_node);
}
#endif

/// Bytes of the heap that making one took. Meaningful for what takes them from malloc.
template <class Make>
double heap_bytes(Make make) {
    const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    const auto graph = make();
    bench::escape(&graph);
    return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd - before);
}

void print_bytes(const char* row, const char* who, double bytes, std::size_t edges, const std::string& only) {
    if ((std::string("graph/") + row + "/" + who).find(only) != std::string::npos) {
        std::printf("{\"group\": \"graph\", \"row\": \"%s\", \"who\": \"%s\", \"value\": %.4f, \"unit\": \"B\"}\n", row, who,
                    bytes / static_cast<double>(edges));
    }
}

int print_all_bytes(const char* row, DataOf data_of, const std::string& only) {
    if ((std::string("graph/") + row + "/").find(only) == std::string::npos && only.find(row) == std::string::npos) {
        return 0;
    }
    const Data& data = data_of();
    const std::size_t edges = data.edges.size();
    print_bytes(row, "heapwright FrozenGraph", static_cast<double>(frozen(data).size_bytes()), edges, only);
    Graph changing = grown(data);
    print_bytes(row, "heapwright Graph", static_cast<double>(changing.size_bytes()), edges, only);
    static_cast<void>(changing.shrink_to_fit());
    print_bytes(row, "heapwright Graph, shrunk", static_cast<double>(changing.size_bytes()), edges, only);
    print_bytes(row, "rows by hand", heap_bytes([&] { return HandRows(data); }), edges, only);
    print_bytes(row, "vectors of vectors", heap_bytes([&] { return vectors(data); }), edges, only);
#ifdef BENCH_HAS_BOOST
    print_bytes(row, "boost CSR", heap_bytes([&] { return boost_graph<BoostRows>(data); }), edges, only);
    print_bytes(row, "boost adjacency_list, vectors", heap_bytes([&] { return boost_graph<BoostVectors>(data); }), edges, only);
    print_bytes(row, "boost adjacency_list, lists", heap_bytes([&] { return boost_graph<BoostLists>(data); }), edges, only);
#endif
    return 1;
}

/// A row whose graph is made when it first runs: in the round that warms up.
template <class Make, class Act>
void add_walk(bench::Rows& rows, const char* row, const char* who, DataOf data_of, std::size_t edges, Make make, Act act) {
    using G = decltype(make(data_of()));
    const auto graph = std::make_shared<std::unique_ptr<G>>();
    rows.add("graph", row, who, static_cast<double>(scaled(edges)), [=] {
        if (*graph == nullptr) {
            *graph = std::make_unique<G>(make(data_of()));
        }
        act(**graph);
    });
}

template <class G>
void walk_levels(const G& graph) {
    const auto levels = levels_from(graph, 0, kPages);
    bench::escape(levels->data());
}

void add_breadth_first(bench::Rows& rows, const char* row, DataOf data_of, std::size_t edges, bool with_lists) {
    add_walk(rows, row, "heapwright FrozenGraph", data_of, edges, frozen, walk_levels<FrozenGraph>);
    add_walk(rows, row, "heapwright Graph", data_of, edges, grown, walk_levels<Graph>);
    add_walk(
        rows, row, "rows by hand", data_of, edges, [](const Data& data) { return HandRows(data); },
        [](const HandRows& graph) {
            const std::size_t seen = graph.walk();
            bench::escape(&seen);
        });
    if (with_lists) {
        add_walk(rows, row, "heapwright on vectors of vectors", data_of, edges, vectors,
                 walk_levels<std::vector<std::vector<std::uint32_t>>>);
    }
#ifdef BENCH_HAS_BOOST
    add_walk(rows, row, "boost CSR", data_of, edges, boost_graph<BoostRows>, boost_walk<BoostRows>);
    add_walk(rows, row, "heapwright on boost CSR", data_of, edges, boost_graph<BoostRows>, walk_levels<BoostRows>);
    if (with_lists) {
        add_walk(rows, row, "boost adjacency_list, vectors", data_of, edges, boost_graph<BoostVectors>, boost_walk<BoostVectors>);
        add_walk(rows, row, "heapwright on boost adjacency_list", data_of, edges, boost_graph<BoostVectors>, walk_levels<BoostVectors>);
        add_walk(rows, row, "boost adjacency_list, lists", data_of, edges, boost_graph<BoostLists>, boost_walk<BoostLists>);
    }
#endif
}

void add_building(bench::Rows& rows) {
    const auto add = [&](const char* row, const char* who, DataOf data_of, std::size_t edges, auto make) {
        rows.add("graph", row, who, static_cast<double>(scaled(edges)), [=] {
            const auto graph = make(data_of());
            bench::escape(&graph);
        });
    };
    const auto unsorted = [](const Data& data) {
        return std::move(FrozenGraph::from_edges(data.nodes, data.edges, kPages, {.sort_rows = false}).value());
    };
    add("build, an edge of 1.6M random", "heapwright FrozenGraph, sorted", uniform_data, kEdges, frozen);
    add("build, an edge of 1.6M random", "heapwright FrozenGraph", uniform_data, kEdges, unsorted);
    add("build, an edge of 1.6M random", "heapwright Graph, one by one", uniform_data, kEdges, grown);
    add("build, an edge of 1.6M random", "vectors of vectors, one by one", uniform_data, kEdges, vectors);
    add("build, an edge of 1.6M random", "rows by hand", uniform_data, kEdges, [](const Data& data) { return HandRows(data); });
    add("build, an edge of 16.8M skewed", "heapwright FrozenGraph", skewed_data, kSkewedEdges, unsorted);
#ifdef BENCH_HAS_BOOST
    add("build, an edge of 1.6M random", "boost CSR", uniform_data, kEdges, boost_graph<BoostRows>);
    add("build, an edge of 1.6M random", "boost adjacency_list, vectors", uniform_data, kEdges, boost_graph<BoostVectors>);
    add("build, an edge of 16.8M skewed", "boost CSR", skewed_data, kSkewedEdges, boost_graph<BoostRows>);
#endif
}

void add_others(bench::Rows& rows) {
    add_walk(rows, "shortest paths, an edge", "heapwright FrozenGraph", uniform_data, kEdges, frozen, [](const FrozenGraph& graph) {
        const auto paths = shortest_paths(graph, 0, weight_of, kPages);
        bench::escape(paths->distance.data());
    });
    add_walk(rows, "strong components, an edge", "heapwright FrozenGraph", uniform_data, kEdges, frozen, [](const FrozenGraph& graph) {
        const auto components = strongly_connected_components(graph, kPages);
        bench::escape(components->of.data());
    });
#ifdef BENCH_HAS_BOOST
    add_walk(rows, "shortest paths, an edge", "boost CSR", uniform_data, kEdges, boost_graph<BoostRows>, [](const BoostRows& graph) {
        std::vector<std::uint64_t> distances(boost::num_vertices(graph));
        const auto weight = boost::make_function_property_map<boost::graph_traits<BoostRows>::edge_descriptor>(
            [&graph](auto edge) { return std::uint64_t{weight_of(boost::source(edge, graph), boost::target(edge, graph))}; });
        auto* const by_node = distances.data();
        boost::dijkstra_shortest_paths(
            graph, 0U,
            boost::weight_map(weight).distance_map(boost::make_iterator_property_map(by_node, boost::get(boost::vertex_index, graph))));
        bench::escape(by_node);
    });
    add_walk(rows, "strong components, an edge", "boost CSR", uniform_data, kEdges, boost_graph<BoostRows>, [](const BoostRows& graph) {
        std::vector<std::uint32_t> components(boost::num_vertices(graph));
        auto* const by_node = components.data();
        boost::strong_components(graph, boost::make_iterator_property_map(by_node, boost::get(boost::vertex_index, graph)));
        bench::escape(by_node);
    });
#endif
}

}  // namespace

int main(int count, char** arguments) {
    const std::string only = count > 2 ? arguments[2] : "";
    int printed = 0;
    if (count <= 3) {
        printed += print_all_bytes("bytes an edge, 1.6M random", uniform_data, only);
        printed += print_all_bytes("bytes an edge, 16.8M skewed", skewed_data, only);
    }
    bench::Rows rows;
    add_breadth_first(rows, "breadth first, an edge of 1.6M random", uniform_data, kEdges, true);
    add_breadth_first(rows, "breadth first, an edge of 16.8M skewed", skewed_data, kSkewedEdges, false);
    add_building(rows);
    add_others(rows);
    const int status = rows.start(count, arguments);
    return printed > 0 ? 0 : status;
}
