// A collector cannot follow what a type does not name.
// expect: a collector makes types that say what they refer to: give it traced_members or a trace function
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

struct Node {
    heapwright::Rc<Node> next;
#ifdef HEAPWRIGHT_CONTROL
    using traced_members = heapwright::Members<&Node::next>;
#endif
};
void use(heapwright::CycleCollector& collector) { const auto node = collector.make<Node>(); }
