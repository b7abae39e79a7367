// A box owns its object: two boxes would destroy it twice.
// expect: PinnedBox
#include <utility>

#include <heapwright/own/cell/pinned.hpp>

heapwright::PinnedBox<int> second(heapwright::PinnedBox<int>& first) {
#ifdef HEAPWRIGHT_CONTROL
    return std::move(first);
#else
    return first;
#endif
}
