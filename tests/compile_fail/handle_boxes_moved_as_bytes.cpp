// A box is known by its address: bytes that hold one cannot be copied elsewhere, and the trait says so.
// expect: static assertion
#include <heapwright/own/handle/box.hpp>

struct Pair {
#ifdef HEAPWRIGHT_CONTROL
    heapwright::Handle<int> first;
    static constexpr bool trivially_relocatable = heapwright::is_trivially_relocatable_v<heapwright::Handle<int>>;
#else
    heapwright::MovableBox<int> first;
    static constexpr bool trivially_relocatable = heapwright::is_trivially_relocatable_v<heapwright::MovableBox<int>>;
#endif
};
static_assert(heapwright::is_trivially_relocatable_v<Pair>);
