// Gives memory back by a clock: what has been free for a while goes to the kernel, whether or not the program calls us.
#pragma once

#include <cstdint>

#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

struct ClockSettings {
    std::uint64_t delay_ns = 500'000'000;  ///< free for so long before it is given back
    bool may_start_thread = true;          ///< false: only when the program frees
    bool is_on = true;                     ///< false: only trim() gives back
};

/// Before the first block is freed, or never.
void set_clock(const ClockSettings& settings) noexcept;

/// Spans became free. Requires: the caller holds no lock of the heap.
/// Cost: two loads while there is little to give back.
void note_freed() noexcept;
/// Spans became free, or blocks in them, so that a span changed its state. As note_freed() otherwise.
void note_freed_in_spans() noexcept;

/// Held during a turn of the clock: who takes it finds nothing half done by the clock, such as mail taken out and not yet sent on.
/// Taken before every other lock of the heap; not held around fork, which may come in the middle of a turn.
[[nodiscard]] os::SpinLock& turn_lock() noexcept;

/// In the child of fork, which has no thread of ours.
void restart_clock_after_fork() noexcept;

}  // namespace heapwright::heap
