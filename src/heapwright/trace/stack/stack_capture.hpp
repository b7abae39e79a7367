// The call stack of the running thread as one number, for little: what was walked before is only checked.
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

/// One thread's capture.
///
///   frames  | outside | main | f | g | h | <- top_       the last stack that was walked, outermost first
///   checks       | never | c |c c| c | c |               the words of the stack that led from h out to main
///   memos   (pc, rsp) -> words that lead to g, node      pieces walked before, each with a frame on which it leans
///
/// Three ways, each tried when the one before fails, each with the same proof (docs/design/stack_capture.md): a walk is
/// a function of three registers and of the words that it reads, so equal registers and equal words mean equal stacks.
///   1. a memo for these registers whose words, and those outside its base, are what they were
///   2. a walk that meets a frame of the last stack whose words are what they were; its new frames join the last stack
///   3. a walk to the end of the stack
///
///   C1  the stack pointers of frames fall strictly from the outside in
///   C2  check_end does not fall from the outside in, and stays inside checks
///
/// Memory: 1.3 MiB of addresses, of which about 40 KiB are touched at first, and all by a thread with thousands of
/// different stacks.
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
    /// Requires: multiples of 8; everything from the running stack pointer up to `high` stays mapped as long as the
    ///           thread runs.
    void set_stack(std::uintptr_t low, std::uintptr_t high) noexcept { bounds_.set_own({low, high}); }

    /// The stack outside `site`. At least the innermost `depth` frames are right; frames further out may be those of an
    /// earlier call, because nobody is shown them and so nobody verified them.
    ///
    /// Requires: `site` is a caller of this very moment: its frame and all outside it are still on the stack.
    /// Returns:  the innermost frame's node; none when there is no memory, or the mode is none.
    /// Cost:     about 45 instructions + 4 a frame when the stack was met before, else 150 a new frame.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE StackId capture(const CallSite& site, unsigned depth) noexcept {
        return capture_at(site.return_address, site.stack_pointer, site.frame_pointer, depth);
    }

    /// To be called in the child after fork.
    void after_fork_in_child() noexcept { forget_last(); }

    /// Forgets the last stack and the foreign ones: the next capture walks all of it.
    void forget_last() noexcept;

    /// What happened so far, for tests and the trace's closing text.
    struct Counters {
        std::uint64_t walked_frames = 0;   ///< by rule
        std::uint64_t walks = 0;           ///< captures that no memo answered
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

    [[nodiscard]] HEAPWRIGHT_NOINLINE StackId capture_at(std::uintptr_t pc, std::uintptr_t stack_pointer, std::uintptr_t frame_pointer,
                                                         unsigned depth) noexcept;
    [[nodiscard]] HEAPWRIGHT_NOINLINE StackId capture_slow(std::uintptr_t pc, std::uintptr_t stack_pointer, std::uintptr_t frame_pointer,
                                                           unsigned depth) noexcept;
    [[nodiscard]] HEAPWRIGHT_COLD StackId capture_unprepared(std::uintptr_t pc, std::uintptr_t stack_pointer, std::uintptr_t frame_pointer,
                                                             unsigned depth) noexcept;
    [[nodiscard]] bool prepare(std::uintptr_t stack_pointer) noexcept;

    [[nodiscard]] detail::Memo& place_for(const detail::Position& at, bool& is_last) const noexcept;
    void remember(const detail::Frame* base, const detail::Position& at) noexcept;
    HEAPWRIGHT_COLD void forget_memos() noexcept;

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
    std::uint64_t memo_mask_ = 0;
    std::uint32_t generation_ = 0;
    std::uint32_t replaced_memos_ = 0;  // since the table last grew
    StackMode mode_ = StackMode::none;
    std::uint32_t failed_crossings_ = 0;
    StackBounds bounds_;
    Counters counters_;
};

}  // namespace heapwright::trace::stack
