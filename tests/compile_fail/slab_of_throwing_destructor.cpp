// A slab destroys objects where nothing may throw.
// expect: a slab destroys objects where nothing may throw
#include <heapwright/slab.hpp>

struct Object {
#ifdef HEAPWRIGHT_CONTROL
    ~Object() {}
#else
    ~Object() noexcept(false) {}
#endif
};
static_assert(sizeof(heapwright::Slab<Object>) > 0);
