// Nor can a box, although it is followed like a pointer inside a Borrow.
// expect: a box is followed inside a Borrow or through a Pin
#include <heapwright/own/handle/box.hpp>

struct Node {
    int value;
};

int read(heapwright::MovableHeap& heap, const heapwright::MovableBox<Node>& box) {
#ifdef HEAPWRIGHT_CONTROL
    const heapwright::Borrow borrow(heap);
    return borrow[box].value;
#else
    static_cast<void>(heap);
    return box->value;
#endif
}
