// A container with the ordinary allocator moves pointers where the collector does not see it.
// expect: a standard container of collected pointers needs gc::TracedAllocator
#include <vector>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>

namespace gc = heapwright::gc;

struct Node {
    void trace(gc::Tracer& tracer) const { tracer(children); }
#ifdef HEAPWRIGHT_CONTROL
    explicit Node(gc::Heap& heap) : children(heap) {}
    std::vector<gc::Ptr<Node>, gc::TracedAllocator<gc::Ptr<Node>>> children;
#else
    explicit Node(gc::Heap&) {}
    std::vector<gc::Ptr<Node>> children;
#endif
};

gc::Ptr<Node> make_node(gc::Heap& heap) { return gc::make<Node>(heap, heap); }
