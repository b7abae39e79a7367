// A graph of millions of edges is not copied by accident: from_graph says so.
// expect: deleted
#include <heapwright/graph.hpp>

#ifdef HEAPWRIGHT_CONTROL
auto twice(const heapwright::graph::Graph& graph) { return heapwright::graph::Graph::from_graph(graph, heapwright::os::kPages); }
#else
auto twice(const heapwright::graph::Graph& graph) { return heapwright::graph::Graph(graph); }
#endif
