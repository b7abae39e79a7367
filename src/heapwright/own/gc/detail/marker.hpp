// Marker: follows references from its stack until nothing is left. One or several of them work on a heap.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/page_vector.hpp>
#include <heapwright/own/gc/tracer.hpp>

namespace heapwright::gc::detail {

void begin_collector(Collector& collector) noexcept;
void end_collector(Collector& collector) noexcept;

/// Tells each member to a function, and marks nothing.
class EdgeTeller final : public Tracer {
public:
    EdgeTeller(EdgeFunction function, void* context) noexcept : Tracer(TraceMode::report) {
        report_ = function;
        context_ = context;
    }
};

/// What is left to follow of something that is too large for one go.
struct Piece {
    const Header* owner;     // an array, or the buffer of a container
    const std::byte* begin;  // in the owner
    const std::byte* end;
    bool is_exact;  // of a buffer: holds references and nothing else
};

class Marker final : public Tracer {
public:
    Marker(Collector& collector, std::size_t stack_entries) noexcept;
    ~Marker();

    void set(TraceMode mode, std::uint8_t epoch) noexcept {
        mode_ = mode;
        epoch_ = epoch;
    }

    /// A precise root. It may be updated when its object moves.
    void root(void** slot) noexcept { edge(slot); }
    /// An object that an ambiguous word refers to: marked, and not moved.
    void pin(Header* header) noexcept;
    /// Follows everything on the stack.
    void drain() noexcept;
    /// The same for so many objects at most, without looking for what overflowed.
    void drain_some(std::size_t objects) noexcept;
    [[nodiscard]] bool moves() const noexcept { return mode_ == TraceMode::evacuate; }
    void take_overflow(Marker& other) noexcept {
        overflowed_ = overflowed_ || other.overflowed_;
        other.overflowed_ = false;
    }
    /// The same until about `deadline_ns` of the monotonic clock. False when it was over first.
    [[nodiscard]] bool drain_until(std::uint64_t deadline_ns) noexcept;
    /// Calls the trace function of a marked object, and notes its lines as old.
    void process(void* object) noexcept;
    /// What the object refers to, between two addresses.
    void trace_within(const Header* header, const void* begin, const void* end) noexcept;
    void trace(const Header* header) noexcept;
    [[nodiscard]] bool is_empty() const noexcept { return top_ == begin_ && pieces.empty(); }
    [[nodiscard]] std::size_t waiting() const noexcept { return static_cast<std::size_t>(top_ - begin_); }
    /// Forgets what was to be followed.
    void drop() noexcept {
        top_ = begin_;
        pieces.clear();
        overflowed_ = false;
    }
    /// Gives the stack's memory back where it grew.
    void rest() noexcept;
    /// Moves up to half of the older entries to `to`.
    std::size_t share(void** to, std::size_t most) noexcept;
    void accept(void* const* from, std::size_t count) noexcept;
    /// Marks an object and its lines without following it: something else knows what it holds.
    void keep(Header* header) noexcept;
    /// The same while other threads run.
    void keep_among_others(Header* header) noexcept;
    [[nodiscard]] std::uint8_t kept(const Header* header, std::uint8_t was) const noexcept;
    /// An object that is named by itself and not by a member.
    void push_unmarked(void* object) noexcept { edge(&object); }
    void push_named(void** slot) noexcept { edge(slot); }

    [[nodiscard]] Collector& collector() noexcept { return collector_; }
    PageVector<void**> weak_slots;
    PageVector<void*> ephemerons;
    PageVector<Piece> pieces;
    std::size_t followed = 0;  // objects
    std::uint64_t pinned_by_words = 0;

    /// Larger objects are followed in pieces of this size, between which a step may end and another marker may help.
    static constexpr std::size_t kPieceBytes = 4096;

private:
    friend class heapwright::gc::Tracer;
    static constexpr std::size_t kAhead = 8;

    [[nodiscard]] bool trace_piece() noexcept;
    [[nodiscard]] bool grow_stack() noexcept;
    void trace_overflowed() noexcept;
    void mark_lines(Header* header, std::size_t size_bytes) noexcept;
    void mark_slow(void** slot) noexcept;
    bool remember_young(void** slot) noexcept { return remember_young_of(slot, *slot); }
    bool remember_young_of(const void* slot, const void* object) noexcept;
    void* evacuate(Header* header) noexcept;

    Collector& collector_;
    void** begin_;
    void** end_;  // of what is mapped; the stack's limit grows up to here
    bool overflowed_ = false;
};

/// The markers of a heap: the first belongs to whoever collects, the others to threads that sleep meanwhile.
///
/// A round is open while there is work for several. Who joins it is waited for; who wakes too late finds it closed.
class MarkTeam {
public:
    explicit MarkTeam(Collector& collector) noexcept : first(collector, collector.config.mark_stack_entries), collector_(collector) {}
    MarkTeam(const MarkTeam&) = delete;
    MarkTeam& operator=(const MarkTeam&) = delete;
    ~MarkTeam();

    /// Drains until about `deadline_ns` of the monotonic clock, with the others' help where there is much to do; or alone, where
    /// no more than `most_objects` are to be followed.
    ///
    /// Returns:  false when it was over first; then nothing that was to be followed is known any more.
    [[nodiscard]] bool drain_until(std::uint64_t deadline_ns, std::size_t most_objects) noexcept;
    void drain() noexcept { static_cast<void>(drain_until(kNoDeadline, SIZE_MAX)); }
    /// How many objects the last of the two followed, before it was over.
    [[nodiscard]] std::size_t followed() const noexcept { return followed_; }
    /// Moves what the markers noted to the collector.
    void gather() noexcept;
    /// In a child of fork(), between pauses: the helpers do not exist there. They are made anew when there is work.
    void forget_after_fork() noexcept;

    static constexpr unsigned kMost = 8;
    static constexpr std::uint64_t kNoDeadline = UINT64_MAX;
    Marker first;

private:
    struct Helper;
    void start_helpers() noexcept;
    void help(Marker& marker) noexcept;
    void work(Marker& marker) noexcept;
    void work_together() noexcept;
    [[nodiscard]] bool is_over() noexcept;
    [[nodiscard]] bool take(Marker& marker) noexcept;
    void offer(Marker& marker) noexcept;

    static constexpr std::size_t kShared = std::size_t{1} << 12;  // entries
    static constexpr std::size_t kPacket = 512;

    Collector& collector_;
    Helper* helpers_ = nullptr;
    unsigned helper_count_ = 0;
    bool has_started_ = false;
    bool is_open_ = false;  // under the lock
    os::SpinLock lock_;
    void** shared_ = nullptr;
    // Both are written under the lock, and looked at without it: relaxed, the lock decides.
    std::atomic<std::size_t> shared_count_{0};
    std::atomic<unsigned> working_{0};      // markers that may have something
    PageVector<Piece> shared_pieces_;       // under the lock; counted in shared_count_
    unsigned joined_ = 0;                   // helpers in the round; under the lock
    std::atomic<std::uint32_t> round_{0};   // counts rounds, and the end
    std::atomic<std::uint32_t> hungry_{0};  // markers that wait for something
    std::atomic<bool> ends_{false};
    std::uint64_t deadline_ns_ = kNoDeadline;  // of the first marker
    std::size_t most_objects_ = SIZE_MAX;
    std::size_t followed_ = 0;
    std::atomic<bool> gives_up_{false};  // the time is over: what is left is dropped
};

}  // namespace heapwright::gc::detail
