// Pointers to collected objects convert as plain pointers do: not to an unrelated class.
// expect: gc::Ptr
#include <heapwright/own/gc/make.hpp>

struct First {
    static constexpr bool gc_leaf = true;
};
struct Second {
    static constexpr bool gc_leaf = true;
};

#ifdef HEAPWRIGHT_CONTROL
heapwright::gc::Ptr<First> convert(heapwright::gc::Ptr<First> from) { return from; }
#else
heapwright::gc::Ptr<Second> convert(heapwright::gc::Ptr<First> from) { return from; }
#endif
