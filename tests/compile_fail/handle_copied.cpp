// A handle is the only owner: its copy would end the object twice.
// expect: deleted
#include <utility>

#include <heapwright/own/handle/handle.hpp>

heapwright::Handle<int> copied(heapwright::Handle<int>& handle) {
#ifdef HEAPWRIGHT_CONTROL
    return std::move(handle);
#else
    return handle;
#endif
}
