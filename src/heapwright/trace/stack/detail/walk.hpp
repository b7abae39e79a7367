// The state of one walk over a stack, shared by the source files of StackCapture.
#pragma once

#include <cstdint>

#include <heapwright/trace/stack/stack_capture.hpp>

namespace heapwright::trace::stack {

struct StackCapture::Walk {
    detail::Position at;
    std::uintptr_t high = 0;       // of the stack that is being walked
    detail::Frame* top = nullptr;  // the innermost frame of the last stack that may still be met
    detail::Check outermost{};     // the word that was to be a return address and is not
    bool has_outermost = false;
    bool crossed = false;  // the walk went over to another stack
    bool is_own = true;    // `high` is that of the thread's own stack
};

}  // namespace heapwright::trace::stack
