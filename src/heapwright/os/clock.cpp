// The kernel's clocks through libc's vDSO calls, which neither lock nor allocate.
#include <heapwright/os/clock.hpp>

#include <time.h>

namespace heapwright::os {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    // Cannot fail: the clock ids are constants that every kernel has.
    static_cast<void>(::clock_gettime(clock, &now));
    return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t wall_ns() noexcept { return read_clock(CLOCK_REALTIME); }

std::uint64_t cpu_ns() noexcept { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

std::uint64_t thread_cpu_ns() noexcept { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

TickPoint tick_point() noexcept {
    // A thread that loses its processor between the two reads gives a pair that is off by milliseconds; of several
    // tries the shortest was not interrupted.
    constexpr int kTries = 8;
    TickPoint best{.ticks = 0, .monotonic_ns = 0};
    std::uint64_t shortest = UINT64_MAX;
    for (int attempt = 0; attempt < kTries; ++attempt) {
        const std::uint64_t before = ticks();
        const std::uint64_t ns = monotonic_ns();
        const std::uint64_t took = ticks() - before;
        if (took < shortest) {
            shortest = took;
            best = TickPoint{.ticks = before + took / 2, .monotonic_ns = ns};
        }
    }
    return best;
}

std::uint64_t ticks_to_monotonic_ns(std::uint64_t at_ticks, TickPoint first, TickPoint last) noexcept {
    // Relative to `first`, so that a double's 53 bits keep nanoseconds for a hundred days.
    const double ns_per_tick = static_cast<double>(last.monotonic_ns - first.monotonic_ns) / static_cast<double>(last.ticks - first.ticks);
    const auto distance = static_cast<double>(static_cast<std::int64_t>(at_ticks - first.ticks));
    return first.monotonic_ns + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance * ns_per_tick));
}

}  // namespace heapwright::os
