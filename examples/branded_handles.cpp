// How do I let the compiler refuse a handle of another arena, and give readers no way to write, without a byte or a check?
#include <cstdio>

#include <heapwright/arena.hpp>
#include <heapwright/cell.hpp>

namespace {

struct GraphTag;
using Graph = heapwright::Branded<heapwright::Arena, heapwright::Brand<GraphTag>>;

struct Node;
using NodePtr = heapwright::BrandedPtr<Node, heapwright::Brand<GraphTag>>;
struct Node {  // nodes point at each other in any way; none of them can be reached without the graph
    int weight;
    NodePtr left;
    NodePtr right;
};
static_assert(sizeof(NodePtr) == sizeof(Node*));

NodePtr build(Graph& graph, int depth) {
    if (depth == 0) {
        return {};
    }
    const NodePtr left = build(graph, depth - 1);
    return graph.create<Node>(depth, left, left);  // shared: one object, two ways to it
}

/// A const graph: everything in it can be read, nothing written.
int sum(const Graph& graph, NodePtr node) {
    return node ? graph[node].weight + sum(graph, graph[node].left) + sum(graph, graph[node].right) : 0;
}

using Names = heapwright::BrandedArray<const char*, heapwright::Brand<struct NamesTag>>;
using Ages = heapwright::BrandedArray<int, heapwright::Brand<struct AgesTag>>;

}  // namespace

int main() {
    Graph graph{heapwright::os::kPages};
    const NodePtr root = build(graph, 10);
    graph[root].weight += 100;
    const int total = sum(graph, root);

    Names names{graph.below()};
    Ages ages{graph.below()};
    const Names::Index ada = names.emplace_back("Ada");
    const Ages::Index of_ada = ages.emplace_back(36);
    // ages[ada] does not compile, although both are 4 bytes: see tests/compile_fail.
    std::printf("%s, %d; the graph weighs %d\n", names[ada], ages[of_ada], total);
    return total == 2136 && sizeof(ada) == 4 ? 0 : 1;
}
