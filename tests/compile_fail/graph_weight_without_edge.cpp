// Rows of rows do not number their edges, so a weight cannot be looked up by number.
// expect: a weight is a function
#include <cstddef>
#include <vector>

#include <heapwright/graph.hpp>

using namespace heapwright::graph;
#ifdef HEAPWRIGHT_CONTROL
using Numbers = FrozenGraph;
#else
using Numbers = std::vector<std::vector<unsigned>>;
#endif
auto distances(const Numbers& graph) {
    return shortest_paths(graph, 0, [](NodeId, NodeId, std::size_t edge) { return edge; }, heapwright::os::kPages);
}
