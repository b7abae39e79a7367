// A node that no collector knows would never be found in a cycle.
// expect: a traced type is made by its collector: collector.make<T>(...)
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

struct Node {
    heapwright::Rc<Node> next;
    using traced_members = heapwright::Members<&Node::next>;
};
void use([[maybe_unused]] heapwright::CycleCollector& collector) {
#ifdef HEAPWRIGHT_CONTROL
    const heapwright::Rc<Node> node = collector.make<Node>();
#else
    const heapwright::Rc<Node> node = heapwright::make_rc<Node>();
#endif
}
