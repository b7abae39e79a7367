// A handle cannot be followed by itself: the object might move between the look and the use.
// expect: a handle is followed inside a Borrow or through a Pin
#include <heapwright/own/handle/handle.hpp>

int read(const heapwright::Handle<int>& handle) {
#ifdef HEAPWRIGHT_CONTROL
    return *handle.pin();
#else
    return *handle;
#endif
}
