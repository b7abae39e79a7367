// Dead objects that wait for their destructors: a chain of any length is destroyed in a loop and not by recursion.
//
// A destructor that drops the last handle of another object does not destroy that object. It parks it, and whoever runs
// the first destructor of the thread takes parked objects one after another until none is left. A parked object is dead:
// nobody has a handle. Where nobody watches it either, its counts are free to hold the link to the next; else a small
// record of its own does.
#pragma once

#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// The parked objects of one type on one thread.
struct Parked {
    struct Record {
        void* object;
        Record* next;
    };

    using Reap = void (*)(Parked& parked) noexcept;  // destroys one of them

    constexpr explicit Parked(Reap how) noexcept : reap(how) {}

    Reap reap;
    Parked* next = nullptr;     // type that has parked objects, too
    void* first = nullptr;      // linked through their counts
    Record* watched = nullptr;  // that have weak handles
    bool is_listed = false;
};

/// A thread's types with parked objects.
struct Reaper {
    Parked* top = nullptr;
    bool is_active = false;  // a destructor of a counted object is running on this thread

    void list(Parked& parked) noexcept {
        if (!parked.is_listed) {
            parked.is_listed = true;
            parked.next = top;
            top = &parked;
        }
    }
    /// Destroys parked objects, and those that these park, until there is none. Not inlined: most have no children.
    HEAPWRIGHT_NOINLINE void run() noexcept;
};

// Initial-exec, so that it is one instruction in an executable and two in a library, never a call. No destructor: a
// counted object may be dropped by any other destructor of the thread.
extern constinit thread_local Reaper t_reaper __attribute__((tls_model("initial-exec")));

}  // namespace heapwright::detail
