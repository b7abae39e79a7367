// Whether pages were committed must be looked at: touching uncommitted ones is a fault.
// expect: commit
#include <heapwright/os/pages.hpp>

bool use(void* start) {
#ifdef HEAPWRIGHT_CONTROL
    return heapwright::os::commit(start, heapwright::os::kPageBytes);
#else
    heapwright::os::commit(start, heapwright::os::kPageBytes);
    return true;
#endif
}
