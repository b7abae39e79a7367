// A move that may throw would leave an object in two places, or in none.
// expect: a movable object needs a move constructor and a destructor that do not throw
#include <heapwright/own/handle/handle.hpp>

struct Element {
    Element() = default;
#ifdef HEAPWRIGHT_CONTROL
    Element(Element&& /*other*/) noexcept {}
#else
    Element(Element&& /*other*/) {}
#endif
    ~Element() {}
};

heapwright::Result<heapwright::Handle<Element>> made(heapwright::MovableHeap& heap) { return heapwright::make_handle<Element>(heap); }
