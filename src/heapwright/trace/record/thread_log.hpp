// One thread's place to write: its buffer, its last stamp, its call stack, and the guard against itself.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/record/buffer_pool.hpp>
#include <heapwright/trace/record/exponential.hpp>
#include <heapwright/trace/record/word.hpp>
#include <heapwright/trace/stack/stack_capture.hpp>

namespace heapwright::trace::record {

/// libc's own flag, not zero as long as it knows of no second thread; points to a zero where libc has none.
extern constinit const volatile char* single_thread_flag;

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_single_threaded() noexcept { return *single_thread_flag != 0; }

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Tick tick_now() noexcept { return os::ticks() / kCyclesPerTick; }

/// Places in buffers are kept as numbers. These limits are no places; all places lie behind them, so that one comparison
/// sends an event the slow way: no room, not attached, or the thread interrupted itself.
using PlaceNumber = std::uintptr_t;
inline constexpr PlaceNumber kBusy = 0;
inline constexpr PlaceNumber kNoRoom = 8;
/// The cursor of a log without a buffer: behind every limit.
inline constexpr PlaceNumber kNowhere = ~PlaceNumber{7};

/// The log of one thread.
///
///   -    limit is kBusy exactly while the owner is inside an event; a signal handler that allocates then finds it so
///   -    every word before `cursor` belongs to a whole event
///
/// Fields are grouped by who writes them. The owner's fields are read by the background thread where they are atomic.
struct alignas(kCacheLineBytes) ThreadLog {
    // The owner, on every event.
    std::atomic<PlaceNumber> limit{kNoRoom};
    std::atomic<PlaceNumber> cursor{kNowhere};
    Tick last_tick = 0;
    std::uint32_t quiet_left = 1;  ///< events until the next stamp while the process has one thread
    // The owner's slow path and the background thread, under the recorder's lock: what limit becomes after an event.
    std::atomic<PlaceNumber> resume_limit{kNoRoom};

    // Set when the thread is attached.
    std::uint32_t depth = 0;
    stack::StackMode stack_mode = stack::StackMode::none;
    std::uint64_t plain_sizes = 0;  ///< requests of this size and more take the slow way
    stack::StackCapture stacks;

    // The owner, on rare events.
    ExponentialDraw draw;
    std::int64_t sample_left = 0;   ///< bytes until the next sampled one
    std::uint64_t look_credit = 0;  ///< cycles that measuring touched bytes may still cost
    std::uint64_t look_cycles = 0;  ///< when the credit was last filled

    // Under the recorder's lock.
    ThreadLog* next = nullptr;
    Buffer* current = nullptr;
    Buffer* full_first = nullptr;
    Buffer* full_last = nullptr;
    std::uint32_t tid = 0;
    bool finished = false;  ///< the thread is gone, the log waits to be drained
    char name[16] = "";

    // The background thread.
    ThreadIndex index = ThreadIndex::process;
    Tick stamp_tick = 0;    ///< the last stamp that was read
    Tick drained_tick = 0;  ///< the last tick in the file: not before stamp_tick and the watermark
    Tick first_tick = 0;
    std::uint64_t departed = 0;     ///< the address of a resize_from whose resize_to has not come yet
    Buffer* taken_first = nullptr;  ///< what the last collection found
    Buffer* taken_current = nullptr;
    const Word* taken_to = nullptr;
    bool taken_finished = false;
    bool taken_busy = false;
    bool announced = false;  ///< a threads chunk knows it

    /// Begins an event. Returns: the limit that was found; kBusy: the thread is inside an event already.
    HEAPWRIGHT_ALWAYS_INLINE PlaceNumber enter() noexcept {
        // Relaxed: only this thread and its signal handlers look; the fence keeps the compiler from reordering.
        const PlaceNumber found = limit.load(std::memory_order_relaxed);
        limit.store(kBusy, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        return found;
    }
    /// The place for the next word. Requires: entered.
    HEAPWRIGHT_ALWAYS_INLINE PlaceNumber place() const noexcept {
        return cursor.load(std::memory_order_relaxed);  // written by this thread only
    }
    /// Ends an event: the words before `at` are the background thread's to read.
    HEAPWRIGHT_ALWAYS_INLINE void publish(const Word* at) noexcept {
        cursor.store(reinterpret_cast<PlaceNumber>(at), std::memory_order_release);  // pairs with the acquire in Drain::collect
        leave();
    }
    /// Ends an event that left nothing.
    HEAPWRIGHT_ALWAYS_INLINE void leave() noexcept {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        // Relaxed load: a limit set by the background thread a moment ago may be seen one event later.
        // Release pairs with the acquire in Drain::collect: who is not busy has published its event.
        limit.store(resume_limit.load(std::memory_order_relaxed), std::memory_order_release);
    }

    /// Stamps `word`: always where other threads could see the order, else every sixteenth time.
    ///
    /// Returns: where to write the word.
    HEAPWRIGHT_ALWAYS_INLINE Word* stamp(Word* at, Word& word) noexcept {
        if (HEAPWRIGHT_LIKELY(is_single_threaded() && --quiet_left != 0)) {
            return at;
        }
        return stamp_now(at, word);
    }

    HEAPWRIGHT_ALWAYS_INLINE Word* stamp_now(Word* at, Word& word) noexcept {
        quiet_left = is_single_threaded() ? kQuietEvents : 1;
        const Tick now = tick_now();
        const Tick step = now - last_tick;
        last_tick = now;
        if (HEAPWRIGHT_LIKELY(step < kStepMask)) {
            word += (step + 1) * kStepUnit;
            return at;
        }
        // A long pause, the first event, or a counter that stepped back between two processors.
        if (static_cast<std::int64_t>(step) < 0) {
            last_tick = now - step;
            word += kStepUnit;
            return at;
        }
        *at = word_of(Op::tick, now & kTickMask);
        word += kStepUnit;
        return at + 1;
    }

    static constexpr std::uint32_t kQuietEvents = 16;
};

}  // namespace heapwright::trace::record
