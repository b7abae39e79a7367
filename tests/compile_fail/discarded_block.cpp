// A block that nobody keeps is a leak.
// expect: nodiscard
#include <heapwright/alloc/pool/pool.hpp>

void use(heapwright::Pool& pool) {
#ifdef HEAPWRIGHT_CONTROL
    static_cast<void>(pool.try_allocate());
#else
    pool.try_allocate();
#endif
}
