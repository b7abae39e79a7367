// How do I keep a scene whose nodes know their children, their parent and shared meshes, without saying who owns what?
#include <cstdio>
#include <string>
#include <vector>

#include <heapwright/base/text.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>

namespace gc = heapwright::gc;

static int nodes = 0;

struct Mesh {
    static constexpr bool gc_leaf = true;
    std::string name;
};

struct SceneNode {
    explicit SceneNode(gc::Heap& heap) : children(heap) { ++nodes; }
    ~SceneNode() { --nodes; }
    SceneNode(const SceneNode&) = delete;
    SceneNode& operator=(const SceneNode&) = delete;
    void trace(gc::Tracer& tracer) const { tracer(parent, mesh, children); }

    gc::Ptr<SceneNode> parent;
    gc::Ptr<Mesh> mesh;
    std::vector<gc::Ptr<SceneNode>, gc::TracedAllocator<gc::Ptr<SceneNode>>> children;
};

static gc::Ptr<SceneNode> add(gc::Heap& heap, gc::Ptr<SceneNode> parent, gc::Ptr<Mesh> mesh) {
    auto node = gc::make<SceneNode>(heap, heap);
    node->parent = parent;
    node->mesh = mesh;
    parent->children.push_back(node);
    return node;
}

int main() {
    gc::Heap heap;
    gc::Root<SceneNode> scene{heap, gc::make<SceneNode>(heap, heap), "the scene"};
    const auto tree_mesh = gc::make<Mesh>(heap, "tree");
    const auto bird_mesh = gc::make<Mesh>(heap, "bird");
    for (int count = 0; count < 100; ++count) {
        add(heap, add(heap, scene, tree_mesh), bird_mesh);
    }
    heapwright::Text<1024> why;
    const bool is_kept = heap.explain(scene->children.back()->children.back(), why);
    std::printf("%s", why.c_str());

    // The forest is cut down: trees and birds refer to each other, and most go all the same. A few may be kept by what the
    // stack still holds of the calls above.
    scene->children.clear();
    heap.collect();
    heap.collect();
    std::printf("%d nodes of 201 are left\n", nodes);
    return is_kept && nodes < 20 ? 0 : 1;
}
