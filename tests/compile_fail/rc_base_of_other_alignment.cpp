// The counts lie right before the object; where its block begins depends on its alignment.
// expect: the block of the derived object begins elsewhere: give the base the same alignment
#include <heapwright/own/rc/rc.hpp>

#ifdef HEAPWRIGHT_CONTROL
struct alignas(64) Base {
#else
struct Base {
#endif
    virtual ~Base() = default;
};
struct alignas(64) Derived : Base {};
heapwright::Rc<Base> use() { return heapwright::make_rc<Derived>(); }
