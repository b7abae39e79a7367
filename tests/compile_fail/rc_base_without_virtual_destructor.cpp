// A handle to a base destroys the object through it.
// expect: a handle to a base destroys through it, so its destructor is virtual
#include <heapwright/own/rc/rc.hpp>

struct Base {
#ifdef HEAPWRIGHT_CONTROL
    virtual ~Base() = default;
#endif
    int number = 0;
};
struct Derived : Base {};
heapwright::Rc<Base> use() { return heapwright::make_rc<Derived>(); }
