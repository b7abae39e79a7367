// Pieces of stack that were walked before: looking them up, keeping them.
#include <cstring>

#include <heapwright/os/pages.hpp>
#include <heapwright/trace/stack/detail/memo_search.hpp>
#include <heapwright/trace/stack/stack_capture.hpp>

namespace heapwright::trace::stack {

using detail::Check;
using detail::Frame;
using detail::Memo;
using detail::MemoKey;

/// The usual case: a memo answers.
HEAPWRIGHT_READS_STACK StackId StackCapture::capture_at(std::uintptr_t pc, std::uintptr_t stack_pointer, std::uintptr_t frame_pointer,
                                                        unsigned depth) noexcept {
    // Both rare ways are tail calls with the same arguments, so that this function needs no frame of its own.
    if (HEAPWRIGHT_UNLIKELY(!range_.contains(stack_pointer) || generation_ != rules_->generation())) {
        return capture_unprepared(pc, stack_pointer, frame_pointer, depth);
    }
    const detail::Position at{stack_pointer, pc, frame_pointer};
    MemoKey key = MemoKey::of(at);
    for (;;) {
        const Memo* memo = &space_->memos[key.place(memo_mask_)];
        if (!detail::has_registers(*memo, at)) {
            memo = detail::other_of_pair(memo);
            if (HEAPWRIGHT_UNLIKELY(!detail::has_registers(*memo, at))) {
                break;
            }
        }
        const Check* const checks = memo->checks.data();
        const Check* const broken = detail::last_broken(checks + memo->check_count);
        if (HEAPWRIGHT_LIKELY(broken == checks)) {
            if (HEAPWRIGHT_LIKELY(detail::has_base(*memo, top_) && detail::is_base_unbroken(*space_, *memo, depth))) {
                return memo->node;
            }
            break;
        }
        key = key.after(*broken);
        if (HEAPWRIGHT_UNLIKELY(memo->is_last)) {
            break;
        }
    }
    return capture_slow(pc, stack_pointer, frame_pointer, depth);
}

/// Where to put a memo of this stack: along the same way as in capture_at(), which found none.
HEAPWRIGHT_READS_STACK Memo& StackCapture::place_for(const detail::Position& at, bool& is_last) const noexcept {
    MemoKey key = MemoKey::of(at);
    for (unsigned level = 1;; ++level) {
        Memo* const first = &space_->memos[key.place(memo_mask_)];
        Memo* const second = detail::other_of_pair(first);
        is_last = level == detail::kMemoLevels;
        if (!detail::has_registers(*first, at) && !detail::has_registers(*second, at)) {
            // Either of the pair may go; two that are wanted in turn must not drive each other out for ever.
            return (counters_.walks & 1) != 0 && first->pc != 0 ? *second : *first;
        }
        Memo& memo = detail::has_registers(*first, at) ? *first : *second;
        const Check* const broken = detail::last_broken(memo.checks.data() + memo.check_count);
        if (broken == memo.checks.data() || is_last) {
            return memo;
        }
        key = key.after(*broken);
    }
}

/// Keeps the way from the innermost frame to `base`, or to a frame inside it if it is too long.
void StackCapture::remember(const Frame* base, const detail::Position& at) noexcept {
    bool is_last = false;
    Memo& memo = place_for(at, is_last);
    while (top_->check_end - base->check_end >= static_cast<std::ptrdiff_t>(detail::kMemoChecks)) {
        ++base;
    }
    if (memo.pc != 0 && ++replaced_memos_ > 2 * memo_mask_ && memo_mask_ < (std::uint64_t{1} << detail::kMostMemosLog2) - 1) {
        memo_mask_ = 2 * memo_mask_ + 1;  // half of the memos are where they are looked for
        replaced_memos_ = 0;
    }
    memo.stack_pointer = top_->stack_pointer;
    memo.pc = top_->pc;
    memo.frame_pointer = top_->frame_pointer;
    memo.frame_pointer_mask = top_->frame_pointer_mask;
    memo.base_stack_pointer = base->stack_pointer;
    memo.base_frame_pointer = base->frame_pointer;
    memo.base = base;
    memo.base_node = base->node;
    memo.node = top_->node;
    memo.all_frames = static_cast<std::uint32_t>(top_ - space_->frames.data());
    const auto count = static_cast<std::uint32_t>(top_->check_end - base->check_end);
    memo.checks[0] = detail::failing_check();
    std::memcpy(memo.checks.data() + 1, base->check_end, count * sizeof(Check));
    memo.check_count = static_cast<std::uint16_t>(count + 1);
    memo.is_last = is_last;
}

void StackCapture::forget_memos() noexcept {
    if (memo_mask_ == 0) {
        memo_mask_ = (std::uint64_t{1} << detail::kFirstMemosLog2) - 1;
        return;  // the pages are fresh
    }
    for (std::uint64_t i = 0; i <= memo_mask_; ++i) {
        space_->memos[i].pc = 0;
    }
}

}  // namespace heapwright::trace::stack
