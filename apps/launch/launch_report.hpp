// What heapwright-launch tells its caller about the program that it started, measured and waited for.
#pragma once

#include <cstdint>

namespace heapwright::launch {

/// Written once, whole, to the descriptor that was given as the first argument.
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
