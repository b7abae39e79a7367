// A trace function names handles and what holds them.
// expect: a traced member is a counted handle, a traced object, or a container, pair or optional of such
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

struct Opaque {
    void* hidden;
};
struct Node {
    heapwright::Rc<Node> next;
    Opaque opaque;
#ifdef HEAPWRIGHT_CONTROL
    void trace(auto& visit) const { visit(next); }
#else
    void trace(auto& visit) const { visit(next, opaque); }
#endif
};
void use(heapwright::CycleCollector& collector) { const auto node = collector.make<Node>(); }
