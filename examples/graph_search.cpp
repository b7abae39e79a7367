// How do I keep a large graph in few bytes, change it, and ask for paths?
#include <cstdint>
#include <cstdio>
#include <vector>

#include <heapwright/graph.hpp>

using namespace heapwright;

namespace {

/// A town of streets in a grid: node y * kSide + x. Every seventh crossing has no street to the east.
constexpr graph::NodeId kSide = 300;

std::vector<graph::Edge> streets() {
    std::vector<graph::Edge> edges;
    for (graph::NodeId node = 0; node < kSide * kSide; ++node) {
        if (node % kSide + 1 < kSide && node % 7 != 0) {
            edges.push_back({node, node + 1});
            edges.push_back({node + 1, node});
        }
        if (node + kSide < kSide * kSide) {
            edges.push_back({node, node + kSide});
            edges.push_back({node + kSide, node});
        }
    }
    return edges;
}

}  // namespace

int main() {
    const std::vector<graph::Edge> edges = streets();
    auto town = graph::FrozenGraph::from_edges(kSide * kSide, edges, os::kPages);
    if (!town) {
        return 1;
    }
    const double bytes_each = static_cast<double>(town->size_bytes()) / static_cast<double>(town->edge_count());
    std::printf("%zu crossings, %zu streets, %.2f bytes a street\n", town->node_count(), town->edge_count(), bytes_each);
    const auto levels = graph::levels_from(*town, 0, os::kPages);
    // Streets that lead down are slow.
    const auto minutes = [](graph::NodeId from, graph::NodeId to) { return to == from + kSide ? 3U : 1U; };
    const auto paths = graph::shortest_paths(*town, 0, minutes, os::kPages);
    const auto path = paths->path_to(kSide * kSide - 1, os::kPages);
    std::printf("to the other corner: %u streets at least, %llu minutes over %zu crossings\n", (*levels)[kSide * kSide - 1],
                static_cast<unsigned long long>(paths->distance[kSide * kSide - 1]), path->size());

    // A bridge falls: the handle of a removed node never names another one.
    auto changing = graph::Graph::from_graph(*town, os::kPages);
    const graph::NodeHandle bridge = changing->handle_of(kSide / 2);
    changing->remove_node(bridge);
    const bool is_gone = !changing->contains(bridge) && !changing->has_edge(changing->handle_of(kSide / 2 - 1), bridge);
    const auto parts = graph::strongly_connected_components(*changing, os::kPages);
    std::printf("without the bridge: %zu part(s), %zu bytes\n", parts->count, changing->size_bytes());
    return is_gone && parts->count == 1 && changing->freeze(os::kPages).has_value() ? 0 : 1;
}
