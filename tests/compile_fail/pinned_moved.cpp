// A pinned object stays: what points at it would point at nothing.
// expect: deleted
#include <utility>

#include <heapwright/own/cell/pinned.hpp>

heapwright::Pinned<int> moved(heapwright::Pinned<int>& from) {
#ifdef HEAPWRIGHT_CONTROL
    return heapwright::pin<int>(*from);
#else
    return std::move(from);
#endif
}
