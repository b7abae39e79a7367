// A handle that nobody takes destroys the object at once.
// expect: ignoring return value
#include <heapwright/own/rc/rc.hpp>

void use() {
#ifdef HEAPWRIGHT_CONTROL
    static_cast<void>(heapwright::make_rc<int>(1));
#else
    heapwright::make_rc<int>(1);
#endif
}
