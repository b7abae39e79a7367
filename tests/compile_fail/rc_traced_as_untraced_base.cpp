// Through a handle to a base that is not traced, a node's drop would not be seen by its collector.
// expect: a traced object is traced through its base as well: give the base a trace function
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

struct Base {
    virtual ~Base() = default;
#ifdef HEAPWRIGHT_CONTROL
    void trace(auto& visit) const { visit(); }
#endif
};
struct Derived : Base {
    heapwright::Rc<Derived> next;
    void trace(auto& visit) const { visit(next); }
};
heapwright::Rc<Base> use(heapwright::CycleCollector& collector) { return collector.make<Derived>(); }
