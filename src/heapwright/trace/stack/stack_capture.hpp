// The call stack of the running thread as one number, for little: only what changed since the last time is walked.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/stack/call_site.hpp>
#include <heapwright/trace/stack/detail/frames.hpp>
#include <heapwright/trace/stack/node_tree.hpp>
#include <heapwright/trace/stack/rule_cache.hpp>
#include <heapwright/trace/stack/stack_bounds.hpp>

namespace heapwright::trace::stack {

/// none: no stacks. frames: follow frame pointers only. full: unwind tables, frame pointers where there are none.
enum class StackMode : std::uint8_t { none, frames, full };

/// One thread's capture. Memory of its own: about 300 KiB of addresses, of which a few OS pages are touched.
///
///   frames  | outside | main | f | g | h | <- top_             the last stack, outermost first
///   checks            |  c   |c c| c |                          the words of the stack that led from h out to main
///
/// A new stack is walked from the inside until a frame is one of the last stack's, with the same registers. If the
/// words outside it are unchanged, so are the frames outside it. The proof is in docs/design/stack_capture.md.
///
///   C1  the stack pointers of frames fall strictly from the outside in
///   C2  check_end does not fall from the outside in, and stays inside checks
///
/// Thread safety: one thread, and no re-entry (a signal handler that interrupts capture() must not call it).
class StackCapture {
public:
    /// Stacks deeper than this are rooted at the frame this far out.
    static constexpr std::uint32_t kMaxWalk = detail::kMostWalked;
    /// Larger depths are taken for this one.
    static constexpr unsigned kMaxDepth = 512;

    constexpr StackCapture() noexcept = default;
    StackCapture(const StackCapture&) = delete;
    StackCapture& operator=(const StackCapture&) = delete;

    /// Requires: not open; both are open and outlive this. `mode` none needs neither memory nor them.
    /// Fails:    false when the kernel refuses memory; capture() then gives none.
    [[nodiscard]] bool open(RuleCache& rules, NodeTree& nodes, StackMode mode) noexcept;

    /// Gives back the memory; the object may be opened again.
    void close() noexcept;

    /// Tells where the thread's own stack lies, [low, high), which saves one reading of /proc/self/maps. Optional.
    ///
    /// Requires: a multiple of 8; everything from the running stack pointer up to `high` stays mapped as long as the
    ///           thread runs.
    void set_stack(std::uintptr_t low, std::uintptr_t high) noexcept { bounds_.set_own({low, high}); }

    /// The stack outside `site`. At least the innermost `depth` frames are right; frames further out may be those of an
    /// earlier call, because nobody is shown them and so nobody verified them.
    ///
    /// Requires: `site` is a caller of this very moment: its frame and all outside it are still on the stack.
    /// Returns:  the innermost frame's node; none when there is no memory, or the mode is none.
    /// Cost:     about 30 instructions + 4 a verified frame + 50 a new frame.
    [[nodiscard]] StackId capture(const CallSite& site, unsigned depth) noexcept;

    /// To be called in the child after fork.
    void after_fork_in_child() noexcept { forget_last(); }

    /// Forgets the last stack and the foreign ones: the next capture walks all of it.
    void forget_last() noexcept;

    /// What happened so far, for tests and the trace's closing text.
    struct Counters {
        std::uint64_t walked_frames = 0;   ///< by rule
        std::uint64_t partial_walks = 0;   ///< captures that walked some frames
        std::uint64_t whole_walks = 0;     ///< of these: nothing of the last stack could be used
        std::uint64_t broken_splices = 0;  ///< a frame was met but something outside it had changed
        std::uint64_t truncated = 0;       ///< stopped at kMaxWalk
        std::uint64_t stack_switches = 0;  ///< the walk or the thread went over to another stack
    };
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

    /// The first broken invariant or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Walk;

    [[nodiscard]] HEAPWRIGHT_COLD bool prepare(std::uintptr_t stack_pointer) noexcept;
    [[nodiscard]] HEAPWRIGHT_NOINLINE StackId capture_changed(const CallSite& site, unsigned depth, detail::Frame* top,
                                                              const detail::Check* broken) noexcept;
    [[nodiscard]] detail::FreshFrame* walk(Walk& walk, unsigned depth) noexcept;
    [[nodiscard]] HEAPWRIGHT_NOINLINE bool learn(Walk& walk, detail::FreshFrame& fresh) noexcept;
    [[nodiscard]] HEAPWRIGHT_NOINLINE bool step_rare(Walk& walk, detail::FreshFrame& fresh) noexcept;
    [[nodiscard]] bool cross(Walk& walk, std::uintptr_t stack_pointer) noexcept;
    [[nodiscard]] StackId extend(detail::Frame* top, const detail::FreshFrame* end, const detail::Check* outermost) noexcept;
    [[nodiscard]] HEAPWRIGHT_COLD detail::Frame* make_room(detail::Frame* top) noexcept;

    detail::CaptureSpace* space_ = nullptr;
    detail::Frame* top_ = nullptr;
    StackRange range_;  // the stack of the last capture
    RuleCache* rules_ = nullptr;
    NodeTree* nodes_ = nullptr;
    std::uint32_t generation_ = 0;
    StackMode mode_ = StackMode::none;
    std::uint32_t failed_crossings_ = 0;
    StackBounds bounds_;
    Counters counters_;
};

}  // namespace heapwright::trace::stack
