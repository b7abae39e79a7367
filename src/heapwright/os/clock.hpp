// Time: the processor's counter, which costs nothing, and the kernel's clocks, which have a unit.
#pragma once

#include <cstdint>

namespace heapwright::os {

/// The processor's time stamp counter. Not ordered against the loads and stores around it.
///
/// Cost: about 20 cycles.
[[nodiscard]] inline std::uint64_t ticks() noexcept { return __builtin_ia32_rdtsc(); }

/// CLOCK_MONOTONIC.
///
/// Cost: about 25 ns where the kernel's vDSO serves it, a system call elsewhere.
[[nodiscard]] std::uint64_t monotonic_ns() noexcept;

/// CLOCK_REALTIME, for the date of a recording only: it jumps.
[[nodiscard]] std::uint64_t wall_ns() noexcept;

/// Processor time of the whole process, user and kernel.
[[nodiscard]] std::uint64_t cpu_ns() noexcept;

/// Processor time of the calling thread.
[[nodiscard]] std::uint64_t thread_cpu_ns() noexcept;

/// The same moment on both clocks; two of them convert ticks to nanoseconds.
struct TickPoint {
    std::uint64_t ticks;
    std::uint64_t monotonic_ns;
};

/// Reads both clocks several times and keeps the pair that was read closest together.
[[nodiscard]] TickPoint tick_point() noexcept;

/// Converts by the straight line through two points.
///
/// Requires: first.ticks < last.ticks, and the points at least some milliseconds apart for a useful scale.
/// Returns:  CLOCK_MONOTONIC at `at_ticks`, which may lie before, between or after the points.
[[nodiscard]] std::uint64_t ticks_to_monotonic_ns(std::uint64_t at_ticks, TickPoint first, TickPoint last) noexcept;

}  // namespace heapwright::os
