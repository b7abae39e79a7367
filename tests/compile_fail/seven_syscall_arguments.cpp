// The kernel takes six arguments; a seventh would be lost without a word.
// expect: the kernel takes six arguments at most
#include <heapwright/os/syscall.hpp>

long call() {
#ifdef HEAPWRIGHT_CONTROL
    return heapwright::os::raw_syscall(9, 1, 2, 3, 4, 5, 6);
#else
    return heapwright::os::raw_syscall(9, 1, 2, 3, 4, 5, 6, 7);
#endif
}
