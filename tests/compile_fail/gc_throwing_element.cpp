// The elements of a collected array begin without arguments and without exceptions: half an array could not be traced.
// expect: the elements of a gc::Array begin without arguments and without exceptions
#include <heapwright/own/gc/make.hpp>

struct Element {
    static constexpr bool gc_leaf = true;
#ifdef HEAPWRIGHT_CONTROL
    Element() noexcept {}
#else
    Element() {}
#endif
};

auto make_elements(heapwright::gc::Heap& heap) { return heapwright::gc::try_make_array<Element>(heap, 4); }
