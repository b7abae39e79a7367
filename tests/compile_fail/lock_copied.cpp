// A copy of a lock guards nothing.
// expect: SpinLock
#include <heapwright/os/spin_lock.hpp>

heapwright::os::SpinLock first;
#ifndef HEAPWRIGHT_CONTROL
heapwright::os::SpinLock second = first;
#endif
