// A type that does not say what it refers to is refused, with a sentence that names what is missing.
// expect: this type does not say what it refers to
#include <heapwright/own/gc/make.hpp>

struct Node {
    heapwright::gc::Ptr<Node> next;
#ifdef HEAPWRIGHT_CONTROL
    void trace(heapwright::gc::Tracer& tracer) const { tracer(next); }
#endif
};

heapwright::gc::Ptr<Node> make_node(heapwright::gc::Heap& heap) { return heapwright::gc::make<Node>(heap); }
