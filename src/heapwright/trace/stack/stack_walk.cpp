// The walk from the innermost frame outward, until the last stack is met or the stack ends.
#include <heapwright/trace/stack/detail/walk.hpp>
#include <heapwright/trace/stack/stack_capture.hpp>

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

/// Any step, the usual ones after learning included. False: the stack ends here.
HEAPWRIGHT_READS_STACK bool StackCapture::step_rare(Walk& walk, FreshFrame& fresh) noexcept {
    detail::Position& at = walk.at;
    if (fresh.rule.kind() == RuleKind::frame_pointer || (mode_ == StackMode::frames && fresh.rule.is_table())) {
        fresh.rule = kByFramePointer;
    }
    switch (fresh.rule.kind()) {
        case RuleKind::from_rsp: return detail::step_by_table(at, fresh.rule, walk.high, fresh.return_slot);
        case RuleKind::from_rbp:
        case RuleKind::from_memory: {
            if (detail::step_by_table(at, fresh.rule, walk.high, fresh.return_slot)) {
                return true;
            }
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
            return walk.is_own && at.frame_pointer % 8 == 0 && detail::step_by_table(at, fresh.rule, walk.high, fresh.return_slot);
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

/// Walks until a frame of the last stack is met whose way outward is as it was.
///
/// Returns: the end of the fresh frames; walk.top is the frame that was met, or the one outside all.
HEAPWRIGHT_READS_STACK FreshFrame* StackCapture::walk(Walk& walk, unsigned depth) noexcept {
    FreshFrame* const begin = space_->fresh.data();
    FreshFrame* const limit = begin + kMaxWalk;
    const bool by_frame_pointer = mode_ == StackMode::frames;
    const auto known = rules_->table_.view();
    detail::Position at = walk.at;
    for (FreshFrame* fresh = begin;; ++fresh) {
        Frame* top = walk.top;
        while (top->stack_pointer < at.stack_pointer) {
            --top;
        }
        walk.top = top;
        if (detail::is_same(*top, at)) {
            const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(depth) - (fresh - begin);
            const Check* const broken = detail::last_broken(detail::lowest_check(*space_, top, left > 0 ? left : 0), top->check_end);
            if (broken == nullptr) {
                return fresh;
            }
            ++counters_.broken_splices;
            walk.top = detail::before_check(top, broken);
        }
        if (HEAPWRIGHT_UNLIKELY(fresh == limit)) {
            ++counters_.truncated;
            // Nobody knows what lies further out: a splice that would show it must fail.
            walk.outermost = detail::failing_check();
            walk.has_outermost = true;
            walk.top = space_->frames.data();
            return fresh;
        }
        fresh->stack_pointer = at.stack_pointer;
        fresh->pc = at.pc;
        fresh->frame_pointer = at.frame_pointer;
        const std::uint32_t number = known.find(at.pc);
        // Relaxed: the rule is one word that refers to nothing else.
        Rule rule{known.records[number].rule.load(std::memory_order_relaxed)};
        fresh->index = static_cast<PcIndex>(number);
        fresh->rule = rule;
        if (HEAPWRIGHT_LIKELY(rule.is_table() && !by_frame_pointer) &&
            HEAPWRIGHT_LIKELY(detail::step_by_table(at, rule, walk.high, fresh->return_slot))) {
            continue;
        }
        walk.at = at;
        if (rule.kind() == RuleKind::unknown && !learn(walk, *fresh)) {
            if (fresh != begin) {
                walk.outermost = {(fresh - 1)->return_slot, at.pc};
                walk.has_outermost = (fresh - 1)->rule.kind() != RuleKind::signal;
            }
            walk.top = space_->frames.data();
            return fresh;
        }
        if (!step_rare(walk, *fresh)) {
            walk.top = space_->frames.data();
            return fresh + 1;
        }
        at = walk.at;
    }
}

}  // namespace heapwright::trace::stack
