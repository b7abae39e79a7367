// Children of fork, with the heap's handlers around it, as malloc has them.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <heapwright/alloc/heap/default_heap.hpp>

namespace heapwright::test {

inline pid_t fork_with_heap() {
    default_heap::before_fork();
    const pid_t child = ::fork();
    if (child == 0) {
        default_heap::after_fork_in_child();
    } else {
        default_heap::after_fork_in_parent();
    }
    return child;
}

/// Whether a child finds all well. `look` uses nothing of doctest: its own memory is not ours to test.
template <class Look>
bool is_well_in_child(Look look) {
    const pid_t child = fork_with_heap();
    if (child == 0) {
        ::_exit(look() ? 0 : 1);
    }
    int status = -1;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace heapwright::test
