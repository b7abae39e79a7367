// The walk from the innermost frame outward, until the last stack is met or the stack ends.
#include <heapwright/trace/stack/stack_capture.hpp>

#include <heapwright/trace/stack/detail/walk.hpp>

namespace heapwright::trace::stack {

using detail::Check;
using detail::Frame;
using detail::FreshFrame;

namespace {

/// The way out of a frame without unwind tables.
constexpr Rule kByFramePointer = Rule::of(RuleKind::frame_pointer, 16).with_saved_rbp(0);

}  // namespace

/// Looks the address up slowly. False: the stack ends before it.
bool StackCapture::learn(Walk& walk, FreshFrame& fresh) noexcept {
    const RuleCache::Known known = rules_->lookup(walk.at.pc, space_->maps_buffer);
    fresh.index = known.index;
    fresh.rule = known.rule;
    return known.rule.kind() != RuleKind::not_code;
}

/// Goes on at `stack_pointer`, which is not above the frame before it. False: there is no stack.
bool StackCapture::cross(Walk& walk, std::uintptr_t stack_pointer) noexcept {
    constexpr std::uint32_t kMostFailures = 256;
    if (failed_crossings_ >= kMostFailures) {
        return false;
    }
    const StackRange range = bounds_.find(stack_pointer, space_->maps_buffer);
    if (!range.contains(stack_pointer)) {
        ++failed_crossings_;
        return false;
    }
    walk.high = range.high;
    walk.is_own = bounds_.is_own(range);
    walk.crossed = true;
    walk.top = space_->frames.data();
    return true;
}

/// The steps that step_by_table() does not know or refuses. False: the stack ends here.
HEAPWRIGHT_READS_STACK bool StackCapture::step_rare(Walk& walk, FreshFrame& fresh) noexcept {
    detail::Position& at = walk.at;
    switch (fresh.rule.kind()) {
        case RuleKind::from_rbp:
        case RuleKind::from_memory: {
            // The tables say so, thus rbp points into another stack: code that runs a function on a new stack.
            const bool is_here = at.frame_pointer >= at.stack_pointer && at.frame_pointer < walk.high;
            if (is_here || at.frame_pointer % 8 != 0 || !cross(walk, at.frame_pointer)) {
                return false;
            }
            at.stack_pointer = at.frame_pointer;
            return detail::step_by_table(at, fresh.rule, walk.high, fresh.return_slot);
        }
        case RuleKind::frame_pointer:
            // On a foreign stack the limits are only as good as the memory map of some moment ago.
            return walk.is_own && at.frame_pointer % 8 == 0 &&
                   detail::step_by_table(at, fresh.rule, walk.high, fresh.return_slot);
        case RuleKind::signal: {
            using namespace detail::signal_frame;
            const std::uintptr_t frame = at.stack_pointer;
            if (frame + kInstruction + 8 > walk.high) {
                return false;
            }
            const std::uintptr_t stack_pointer = detail::read_word(frame + kStackPointer);
            if ((stack_pointer <= frame || stack_pointer >= walk.high) && !cross(walk, stack_pointer)) {
                return false;
            }
            // As a return address it would be one further: what the tables say is looked up at pc - 1.
            fresh.return_slot = frame + kInstruction;
            at = {stack_pointer, detail::read_word(frame + kInstruction) + 1, detail::read_word(frame + kFramePointer)};
            return true;
        }
        default: return false;
    }
}

/// Returns: the end of the fresh frames; walk.top is the frame that was met or the one outside all.
HEAPWRIGHT_READS_STACK FreshFrame* StackCapture::walk(Walk& walk, unsigned depth) noexcept {
    FreshFrame* const begin = space_->fresh.data();
    FreshFrame* fresh = begin;
    Frame* const outside = space_->frames.data();
    walk.is_own = bounds_.is_own(range_);
    const bool by_frame_pointer = mode_ == StackMode::frames;
    for (;; ++fresh) {
        if (HEAPWRIGHT_UNLIKELY(fresh == begin + kMaxWalk)) {
            ++counters_.truncated;
            break;
        }
        const std::uint32_t number = rules_->table_.find(walk.at.pc);
        // Relaxed: the rule is one word that refers to nothing else.
        fresh->rule = Rule{rules_->table_.record(number).rule.load(std::memory_order_relaxed)};
        fresh->index = static_cast<PcIndex>(number);
        if (HEAPWRIGHT_UNLIKELY(fresh->rule.kind() == RuleKind::unknown) && !learn(walk, *fresh)) {
            if (fresh != begin) {
                walk.outermost = {(fresh - 1)->return_slot, walk.at.pc};
                walk.has_outermost = (fresh - 1)->rule.kind() != RuleKind::signal;
            }
            break;
        }
        if (HEAPWRIGHT_UNLIKELY(fresh->rule.kind() == RuleKind::frame_pointer || (by_frame_pointer && fresh->rule.is_table()))) {
            fresh->rule = kByFramePointer;
        }
        fresh->stack_pointer = walk.at.stack_pointer;
        fresh->pc = walk.at.pc;
        fresh->frame_pointer = walk.at.frame_pointer;
        const bool stepped = HEAPWRIGHT_LIKELY(fresh->rule.is_table()) &&
                             detail::step_by_table(walk.at, fresh->rule, walk.high, fresh->return_slot);
        if (HEAPWRIGHT_UNLIKELY(!stepped) && !step_rare(walk, *fresh)) {
            ++fresh;
            break;
        }
        Frame* top = walk.top;
        while (top->stack_pointer < walk.at.stack_pointer) {
            --top;
        }
        walk.top = top;
        if (detail::is_same(*top, walk.at.stack_pointer, walk.at.pc, walk.at.frame_pointer)) {
            ++fresh;
            const std::ptrdiff_t shown = fresh - begin;
            const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(depth) > shown ? depth - shown : 0;
            const Check* const broken = detail::first_broken(detail::lowest_check(*space_, top, left), top->check_end);
            if (broken == nullptr) {
                return fresh;
            }
            ++counters_.broken_splices;
            walk.top = detail::before_check(top, broken);
            --fresh;
        }
    }
    walk.top = outside;
    return fresh;
}

}  // namespace heapwright::trace::stack
