// The state of one walk over a stack, shared by the two source files of StackCapture.
#pragma once

#include <cstdint>

#include <heapwright/trace/stack/stack_capture.hpp>

namespace heapwright::trace::stack {

struct StackCapture::Walk {
    detail::Position at;
    std::uintptr_t high;        // of the stack that is being walked
    detail::Frame* top;         // the innermost frame of the last stack that may still be met
    detail::Check outermost{};  // the word that was to be a return address and is not
    bool has_outermost = false;
    bool crossed = false;       // the walk went over to another stack
    bool is_own = true;         // `high` is that of the thread's own stack
};

namespace detail {

/// Whether the frame of the last stack is the one at these registers.
HEAPWRIGHT_ALWAYS_INLINE bool is_same(const Frame& frame, std::uintptr_t stack_pointer, std::uintptr_t pc,
                                      std::uintptr_t frame_pointer) noexcept {
    return frame.stack_pointer == stack_pointer && frame.pc == pc &&
           ((frame.frame_pointer ^ frame_pointer) & frame.frame_pointer_mask) == 0;
}

/// Where the checks of `top` and of the `frames` - 1 frames outside it begin.
HEAPWRIGHT_ALWAYS_INLINE const Check* lowest_check(const CaptureSpace& space, const Frame* top, std::ptrdiff_t frames) noexcept {
    const Frame* const outside = space.frames.data();
    return (top - outside > frames ? top - frames : outside)->check_end;
}

/// The frame outside the one to which a broken check leads: the innermost that may still be as it was.
inline Frame* before_check(Frame* top, const Check* broken) noexcept {
    while ((top - 1)->check_end > broken) {
        --top;
    }
    // `top` is the frame whose way outward is broken. It is met again by the walk, its caller is not.
    return top - 1;
}

}  // namespace detail

}  // namespace heapwright::trace::stack
