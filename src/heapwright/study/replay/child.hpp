// A child process with a given environment and a time limit; optionally counts its system calls.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace heapwright::study {

struct ChildOrder {
    std::string program;
    std::vector<std::string> arguments;  ///< without argv[0]
    /// Set on top of ours, from which every variable that an allocator listens to was removed.
    std::vector<std::pair<std::string, std::string>> environment;
    double limit_s = 600;
    bool count_system_calls = false;  ///< traced: slow, and only for the count
};

struct ChildResult {
    int start_errno = 0;  ///< why it did not start
    int status = 0;       ///< exit status
    int signal = 0;       ///< that ended it
    bool timed_out = false;
    std::string errors;  ///< what it wrote to stderr, the first 64 KiB
    std::uint64_t system_calls = 0;
};

[[nodiscard]] ChildResult run_child(const ChildOrder& order);

}  // namespace heapwright::study
