// The kernel's clocks in nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace defrag {

inline std::uint64_t now_ns(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace defrag
