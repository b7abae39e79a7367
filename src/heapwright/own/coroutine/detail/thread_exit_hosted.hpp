// Calls a function when the calling thread ends.
#pragma once

namespace heapwright::detail {

/// Requires: called once in a thread for each `Act`, whose type is the call's own (a lambda).
template <class Act>
void at_thread_exit(Act) noexcept {
    struct Caller {
        ~Caller() { Act{}(); }
    };
    static thread_local Caller caller;  // registered by this declaration: its destructor runs when the thread ends
    static_cast<void>(&caller);
}

}  // namespace heapwright::detail
