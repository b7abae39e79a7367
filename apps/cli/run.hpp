// Runs the user's program: as it is, with the recorder before it, or under another allocator; waits and measures.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "program.hpp"

namespace heapwright::cli {

/// One way to run a program.
struct RunRequest {
    Program program;
    std::vector<std::string> arguments;                            ///< without argv[0]
    std::vector<std::pair<std::string, std::string>> environment;  ///< set on top of ours; "%PID%" becomes its pid
    std::string preload;                                           ///< put before whatever LD_PRELOAD holds; empty: nothing
    std::optional<std::string> input;                              ///< files instead of our own standard streams
    std::optional<std::string> output;
    std::optional<std::string> errors;
    bool measured = false;                        ///< through heapwright-launch, whose own size does not count
    double duration_s = 0;                        ///< ask it to end (SIGTERM) after that many seconds; 0: let it run
    std::string load;                             ///< a shell command that works on the running program; when it ends, so does the program
    std::optional<std::string> load_output;       ///< a file for what the load writes, instead of our own standard streams
    std::function<bool()> under_way;              ///< asked until it says yes before a duration or a load begins; empty: it is with exec
    bool ends_with_us = false;                    ///< a signal that is to end us ends the run at once; else it is the program's affair
    double grace_s = 10;                          ///< between SIGTERM and SIGKILL
    double idle_s = 0;                            ///< between the end of the load, or of the duration, and the question what is resident
    double patience_s = 0;                        ///< a program with neither that still runs after so long is remarked upon; 0: never
    std::function<void(double cpu_s)> impatient;  ///< called then, once, with the processor time that it has used
};

/// How it went.
struct RunResult {
    int start_errno = 0;     ///< why it did not start; 0: it ran
    int wait_status = 0;     ///< as waitpid gives it
    bool stopped = false;    ///< asked by us to end, with SIGTERM (duration or load)
    bool killed = false;     ///< it did not, and was killed
    int interrupted_by = 0;  ///< SIGINT, SIGQUIT, SIGTERM or SIGHUP, where we got one meanwhile
    int load_status = 0;     ///< of the load command, as waitpid gives it
    pid_t pid = -1;
    std::uint64_t wall_ns = 0;
    std::uint64_t cpu_ns = 0;  ///< the rest only when measured
    std::uint64_t peak_resident_bytes = 0;
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t idle_resident_bytes = 0;  ///< of all its processes, when it was asked to end; 0: it was not asked
    std::uint64_t left_behind = 0;          ///< processes that it left in the background; they were ended

    /// Ended by itself with status 0; or because we asked it to, by that signal or with any exit status. And its load did not fail.
    [[nodiscard]] bool well() const noexcept;
    /// The same, whatever its load did.
    [[nodiscard]] bool program_well() const noexcept;
    /// "exit status 3", "signal 11 (Segmentation fault)" or, of a program that ended well, "a load that failed with status 1".
    [[nodiscard]] std::string ending() const;
};

[[nodiscard]] RunResult run(const RunRequest& request);

/// Ends this process as the program ended: with the same status, or by the same signal.
[[noreturn]] void exit_like(const RunResult& result);

}  // namespace heapwright::cli
