// Room for an object is not copied: there may be nothing in it.
// expect: deleted
#include <heapwright/own/cell/uninit.hpp>

int second(heapwright::Uninit<int>& first) {
#ifdef HEAPWRIGHT_CONTROL
    heapwright::Uninit<int> copy;
    return copy.construct(*first);
#else
    heapwright::Uninit<int> copy = first;
    return *copy;
#endif
}
