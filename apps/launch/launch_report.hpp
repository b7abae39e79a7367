// What heapwright-launch tells its caller about the program that it started, measured and waited for: one byte when the program
// has begun, the report when it has ended.
#pragma once

#include <cstdint>

namespace heapwright::launch {

/// Written as soon as exec has made the program of the child, or has failed to: from here on signals reach it.
inline constexpr char kBegun = 'b';

/// Written once, whole, after that byte, to the descriptor that was given as the first argument.
struct LaunchReport {
    std::int32_t start_errno = 0;  ///< why the program could not be started; 0: it ran
    std::int32_t wait_status = 0;  ///< as waitpid gives it
    std::uint64_t wall_ns = 0;
    std::uint64_t user_ns = 0;  ///< of the program and of every process that it started
    std::uint64_t system_ns = 0;
    std::uint64_t peak_resident_bytes = 0;  ///< of the largest single process among them
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t left_behind = 0;  ///< processes that still ran a moment after the program had ended; they were ended then
};

}  // namespace heapwright::launch
