// A Borrow that ends with the expression would leave a reference to something that may move.
// expect: deleted
#include <heapwright/own/handle/handle.hpp>

int read(heapwright::MovableHeap& heap, const heapwright::Handle<int>& handle) {
#ifdef HEAPWRIGHT_CONTROL
    const heapwright::Borrow borrow(heap);
    return borrow[handle];
#else
    int& dangling = heapwright::Borrow(heap)[handle];
    return dangling;
#endif
}
