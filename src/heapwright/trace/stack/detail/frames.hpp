// The last stack of a thread as StackCapture keeps it, and one step of the walk over a stack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/maps.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/stack/rule.hpp>
#include <heapwright/trace/stack/rule_cache.hpp>

/// For functions that read the program's stack: a sanitizer may hold some of it to be out of bounds.
#define HEAPWRIGHT_READS_STACK __attribute__((no_sanitize("address")))

namespace heapwright::trace::stack::detail {

using StackWord [[gnu::may_alias]] = std::uintptr_t;

HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t read_word(std::uintptr_t address) noexcept { return *reinterpret_cast<const StackWord*>(address); }

/// A word of the stack on which the way outward depended.
struct Check {
    std::uintptr_t slot;
    std::uintptr_t expected;
};

/// A check that always fails stands before the others and ends the search for a broken one.
inline constexpr std::uintptr_t kNever = 0;
inline Check failing_check() noexcept { return {reinterpret_cast<std::uintptr_t>(&kNever), 1}; }

/// A frame of the last stack. Between the check_end of its caller and its own lie the words that led from it to its
/// caller, in the reverse of the order in which the walk reads them.
struct Frame {
    std::uintptr_t stack_pointer;  // after the return to pc
    std::uintptr_t pc;
    std::uintptr_t frame_pointer;
    std::uintptr_t frame_pointer_mask;  // ones: the way outward depends on frame_pointer; else zero
    const Check* check_end;
    StackId node;
};

/// A frame met by the walk and not yet in the tree.
struct FreshFrame {
    std::uintptr_t stack_pointer;
    std::uintptr_t pc;
    std::uintptr_t frame_pointer;
    std::uintptr_t return_slot;  // where its caller's pc was read
    Rule rule;
    PcIndex index;
};

/// Where a walk stands.
struct Position {
    std::uintptr_t stack_pointer;
    std::uintptr_t pc;
    std::uintptr_t frame_pointer;
};

inline constexpr unsigned kMostMemosLog2 = 12;
inline constexpr unsigned kFirstMemosLog2 = 8;
inline constexpr std::uint32_t kMemoChecks = 11;  // the failing one included
inline constexpr unsigned kMemoLevels = 5;

/// A piece of stack that was walked before: from the registers at a call site to a frame of the last stack, its base.
struct alignas(64) Memo {
    std::uintptr_t stack_pointer;
    std::uintptr_t pc;
    std::uintptr_t frame_pointer;
    std::uintptr_t frame_pointer_mask;
    std::uintptr_t base_stack_pointer;
    std::uintptr_t base_frame_pointer;
    const Frame* base;  // where in CaptureSpace::frames it was
    StackId base_node;
    StackId node;              // of the innermost frame
    std::uint32_t all_frames;  // of the stack, as far as it was kept
    std::uint16_t check_count;
    bool is_last;  // the search goes no further from here
    std::array<Check, kMemoChecks> checks;
};
static_assert(sizeof(Memo) == 256, "four cache lines");

inline constexpr std::uint32_t kMostFrames = 2048;
inline constexpr std::uint32_t kMostWalked = 1024;
inline constexpr std::uint32_t kMostChecksPerFrame = 3;

/// The memory of one StackCapture, mapped and zero. frames[0] stands outside every stack and ends all searches.
struct CaptureSpace {
    std::array<Frame, kMostFrames + 1> frames;
    std::array<Check, std::size_t{kMostChecksPerFrame} * (kMostFrames + 1)> checks;
    std::array<FreshFrame, kMostWalked> fresh;
    std::array<char, os::kMapsBufferBytes> maps_buffer;
    alignas(2 * sizeof(Memo)) std::array<Memo, std::size_t{1} << kMostMemosLog2> memos;  // last: what is not used is not touched
};

/// Offsets in the frame that the kernel leaves for a signal handler, from rsp in the function to which it returns.
namespace signal_frame {
inline constexpr std::uintptr_t kFramePointer = 120;
inline constexpr std::uintptr_t kStackPointer = 160;
inline constexpr std::uintptr_t kInstruction = 168;
}  // namespace signal_frame

/// Goes from a frame to its caller, reading only words in [at.stack_pointer, high).
///
/// Requires: high is a multiple of 8; rule.is_table() or a rule by frame pointer.
/// Returns:  false when the caller's frame is not above this one (another stack, or nonsense); `at` is unchanged then.
HEAPWRIGHT_ALWAYS_INLINE bool step_by_table(Position& at, Rule rule, std::uintptr_t high, std::uintptr_t& return_slot) noexcept {
    if (HEAPWRIGHT_LIKELY(rule.kind() == RuleKind::from_rsp)) {
        // 8 <= cfa_offset and 0 <= rbp_offset <= cfa_offset - 16 by the rule's making.
        const std::uintptr_t cfa = at.stack_pointer + static_cast<std::uintptr_t>(rule.cfa_offset());
        if (HEAPWRIGHT_UNLIKELY(cfa > high)) {
            return false;
        }
        if (rule.saves_rbp()) {
            at.frame_pointer = read_word(at.stack_pointer + static_cast<std::uintptr_t>(rule.rbp_offset()));
        }
        return_slot = cfa - 8;
        at.stack_pointer = cfa;
        at.pc = read_word(cfa - 8);
        return true;
    }
    const std::uintptr_t low = at.stack_pointer;
    const auto is_inside = [low, high](std::uintptr_t slot) noexcept { return slot >= low && slot <= high - 8; };
    std::uintptr_t cfa = at.frame_pointer + static_cast<std::uintptr_t>(rule.cfa_offset());
    if (rule.kind() == RuleKind::from_memory) {
        if (!is_inside(cfa)) {
            return false;
        }
        cfa = read_word(cfa);
    }
    const std::uintptr_t saved = at.frame_pointer + static_cast<std::uintptr_t>(rule.rbp_offset());
    if (HEAPWRIGHT_UNLIKELY(!is_inside(cfa - 8) || (rule.saves_rbp() && !is_inside(saved)))) {
        return false;
    }
    if (rule.saves_rbp()) {
        at.frame_pointer = read_word(saved);
    }
    return_slot = cfa - 8;
    at.stack_pointer = cfa;
    at.pc = read_word(cfa - 8);
    return true;
}

/// The innermost word below `high` that is no longer what it was. Ends at the failing check at the latest.
///
/// The order matters: a slot is only known to be on the stack as long as all words before it are what they were.
HEAPWRIGHT_ALWAYS_INLINE const Check* last_broken(const Check* high) noexcept {
#pragma GCC unroll 8
    do {
        --high;
    } while (read_word(high->slot) == high->expected);
    return high;
}

/// The same between two places; nullptr when all of [low, high) are what they were.
HEAPWRIGHT_ALWAYS_INLINE const Check* last_broken(const Check* low, const Check* high) noexcept {
#pragma GCC unroll 4
    while (high != low) {
        --high;
        if (HEAPWRIGHT_UNLIKELY(read_word(high->slot) != high->expected)) {
            return high;
        }
    }
    return nullptr;
}

/// Whether the frame of the last stack is the one at these registers.
HEAPWRIGHT_ALWAYS_INLINE bool is_same(const Frame& frame, const Position& at) noexcept {
    return frame.stack_pointer == at.stack_pointer && frame.pc == at.pc &&
           ((frame.frame_pointer ^ at.frame_pointer) & frame.frame_pointer_mask) == 0;
}

/// Where the checks of `top` and of the `frames` - 1 frames outside it begin.
HEAPWRIGHT_ALWAYS_INLINE const Check* lowest_check(const CaptureSpace& space, const Frame* top, std::ptrdiff_t frames) noexcept {
    const Frame* const outside = space.frames.data();
    return (top - outside > frames ? top - frames : outside)->check_end;
}

/// The frame outside the one to which a broken check belongs: the innermost that may still be as it was.
inline Frame* before_check(Frame* top, const Check* broken) noexcept {
    while ((top - 1)->check_end > broken) {
        --top;
    }
    // `top` is the frame whose way outward is broken. The walk comes to it again, its caller is another one.
    return top - 1;
}

}  // namespace heapwright::trace::stack::detail
