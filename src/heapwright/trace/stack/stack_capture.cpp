// Opening and closing, and putting new frames on top of the last stack.
#include <heapwright/trace/stack/stack_capture.hpp>

#include <cstring>

#include <heapwright/os/pages.hpp>
#include <heapwright/trace/stack/detail/walk.hpp>

namespace heapwright::trace::stack {

using detail::Check;
using detail::Frame;
using detail::FreshFrame;

bool StackCapture::open(RuleCache& rules, NodeTree& nodes, StackMode mode) noexcept {
    mode_ = mode;
    rules_ = &rules;
    nodes_ = &nodes;
    if (mode == StackMode::none) {
        return true;
    }
    space_ = static_cast<detail::CaptureSpace*>(os::map_observer_pages(sizeof(detail::CaptureSpace), "heapwright last stack"));
    if (space_ == nullptr) {
        return false;
    }
    space_->checks[0] = detail::failing_check();
    Frame& outside = space_->frames[0];
    outside.stack_pointer = ~std::uintptr_t{0};
    outside.check_end = &space_->checks[1];
    memo_mask_ = 0;
    forget_memos();
    forget_last();
    return true;
}

void StackCapture::close() noexcept {
    if (space_ != nullptr) {
        os::release(space_, os::round_to_pages(sizeof(detail::CaptureSpace)));
        space_ = nullptr;
    }
    range_ = {};
    bounds_ = {};
}

void StackCapture::forget_last() noexcept {
    range_ = {};  // so that the next capture comes to prepare()
    bounds_.forget_foreign();
    if (space_ != nullptr) {
        top_ = space_->frames.data();
    }
}

/// Finds out on which stack the thread is. False: there can be no capture.
bool StackCapture::prepare(std::uintptr_t stack_pointer) noexcept {
    if (space_ == nullptr) {
        return false;
    }
    if (const std::uint32_t generation = rules_->generation(); generation != generation_) {
        generation_ = generation;
        top_ = space_->frames.data();
        forget_memos();  // an address may belong to other code now
    }
    const StackRange before = range_;
    range_ = bounds_.find(stack_pointer, space_->maps_buffer);
    if (range_ != before) {
        top_ = space_->frames.data();
        ++counters_.stack_switches;
    }
    return range_.contains(stack_pointer);
}

StackId StackCapture::capture_unprepared(std::uintptr_t pc, std::uintptr_t stack_pointer, std::uintptr_t frame_pointer,
                                         unsigned depth) noexcept {
    return prepare(stack_pointer) ? capture_slow(pc, stack_pointer, frame_pointer, depth) : StackId::none;
}

/// No memo answered: walks.
HEAPWRIGHT_READS_STACK StackId StackCapture::capture_slow(std::uintptr_t pc, std::uintptr_t stack_pointer, std::uintptr_t frame_pointer,
                                                          unsigned depth) noexcept {
    depth = depth < kMaxDepth ? depth : kMaxDepth;
    const detail::Position at{stack_pointer, pc, frame_pointer};
    ++counters_.walks;
    Walk walk{.at = at, .high = range_.high, .top = top_, .is_own = bounds_.is_own(range_)};
    const FreshFrame* const end = this->walk(walk, depth);
    counters_.walked_frames += static_cast<std::uint64_t>(end - space_->fresh.data());
    counters_.whole_walks += walk.top == space_->frames.data() ? 1 : 0;
    const StackId node = extend(walk.top, end, walk.has_outermost ? &walk.outermost : nullptr);
    if (walk.crossed) {
        ++counters_.stack_switches;
        top_ = space_->frames.data();  // the frames are not in the order of their addresses
    } else if (node != StackId::none) {
        remember(top_ - (end - space_->fresh.data()), at);  // not walk.top: the frames may have moved
    }
    return node;
}

namespace {

/// Writes down which words led from `fresh` to its caller.
Check* put_checks(Check* check, const FreshFrame& fresh, const Frame& caller) noexcept {
    const Rule rule = fresh.rule;
    if (HEAPWRIGHT_UNLIKELY(rule.kind() == RuleKind::signal)) {
        *check++ = {fresh.stack_pointer + detail::signal_frame::kFramePointer, caller.frame_pointer};
        *check++ = {fresh.stack_pointer + detail::signal_frame::kStackPointer, caller.stack_pointer};
        *check++ = {fresh.return_slot, caller.pc - 1};
        return check;
    }
    if (rule.saves_rbp() && caller.frame_pointer_mask != 0) {
        const std::uintptr_t base = rule.kind() == RuleKind::from_rsp ? fresh.stack_pointer : fresh.frame_pointer;
        *check++ = {base + static_cast<std::uintptr_t>(rule.rbp_offset()), caller.frame_pointer};
    }
    *check++ = {fresh.return_slot, caller.pc};
    if (HEAPWRIGHT_UNLIKELY(rule.kind() == RuleKind::from_memory)) {
        *check++ = {fresh.frame_pointer + static_cast<std::uintptr_t>(rule.cfa_offset()), caller.stack_pointer};
    }
    return check;
}

}  // namespace

/// Puts the fresh frames on top of the last stack. `outermost`: a word that ended the walk.
StackId StackCapture::extend(Frame* top, const FreshFrame* end, const Check* outermost) noexcept {
    const FreshFrame* const begin = space_->fresh.data();
    if (HEAPWRIGHT_UNLIKELY(end - begin > &space_->frames.back() - top)) {
        top = make_room(top);
    }
    // The checks are this object's own, so that they may be written.
    Check* check = const_cast<Check*>(top->check_end);
    bool has_caller = top != space_->frames.data();
    for (const FreshFrame* fresh = end; fresh != begin;) {
        --fresh;
        const Frame& caller = *top;
        ++top;
        if (HEAPWRIGHT_LIKELY(has_caller)) {
            check = put_checks(check, *fresh, caller);
        } else if (outermost != nullptr) {
            *check++ = *outermost;
        }
        has_caller = true;
        top->stack_pointer = fresh->stack_pointer;
        top->pc = fresh->pc;
        top->frame_pointer = fresh->frame_pointer;
        top->frame_pointer_mask = fresh->rule.reads_rbp() ? ~std::uintptr_t{0} : fresh->rule.saves_rbp() ? 0 : caller.frame_pointer_mask;
        top->check_end = check;
        top->node = nodes_->intern(caller.node, fresh->index);
    }
    top_ = top;
    return top->node;
}

/// Drops the outer half of a full array, keeping at least kMaxDepth frames.
Frame* StackCapture::make_room(Frame* top) noexcept {
    static_assert(detail::kMostFrames - detail::kMostWalked >= kMaxDepth);
    Frame* const frames = space_->frames.data();
    const std::ptrdiff_t kept = detail::kMostFrames - detail::kMostWalked;
    const std::ptrdiff_t dropped = top - frames - kept;
    // The checks of the outermost kept frame led to a dropped one.
    // In their place one that fails: what lies further out is not known to be as it was.
    Check* const first = &space_->checks[2];
    space_->checks[1] = detail::failing_check();
    const std::ptrdiff_t dropped_checks = frames[dropped + 1].check_end - first;
    const auto kept_checks = static_cast<std::size_t>(top->check_end - first - dropped_checks);
    std::memmove(first, first + dropped_checks, kept_checks * sizeof(Check));
    std::memmove(frames + 1, frames + 1 + dropped, static_cast<std::size_t>(kept) * sizeof(Frame));
    for (std::ptrdiff_t i = 1; i <= kept; ++i) {
        frames[i].check_end -= dropped_checks;
    }
    return frames + kept;
}

const char* StackCapture::broken_invariant() const noexcept {
    if (space_ == nullptr) {
        return nullptr;
    }
    const Check* const last = space_->checks.data() + space_->checks.size();
    for (const Frame* frame = top_; frame != space_->frames.data(); --frame) {
        if (frame->stack_pointer >= (frame - 1)->stack_pointer) {
            return "C1: a frame lies above its caller";
        }
        if (frame->check_end < (frame - 1)->check_end || frame->check_end > last) {
            return "C2: the checks of a frame are not behind those of its caller";
        }
    }
    return nullptr;
}

}  // namespace heapwright::trace::stack
