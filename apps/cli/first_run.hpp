// What the first, plain run of a `tune` tells: whether there is any going on, and what the user should know beforehand.
#pragma once

#include <string>

#include "run.hpp"

namespace heapwright::cli {

/// So long a program may run before something is said about it.
inline constexpr double kPatienceS = 10;

/// What the sentences about the run name.
struct FirstRun {
    std::string program;      ///< as the user named it
    std::string command;      ///< with its arguments
    std::string load;         ///< empty: none
    std::string errors;       ///< the file that holds its messages
    std::string load_output;  ///< the file that holds what the load said
    unsigned runs = 0;        ///< how many there may be in all
};

/// Explains a run that is no ground to go on from, or remarks upon one that is.
///
/// Returns: the status to end with; 0: go on.
[[nodiscard]] int judge_first_run(const RunResult& run, const FirstRun& told);

/// For RunRequest::impatient, after kPatienceS.
void remark_on_waiting(double cpu_s);

}  // namespace heapwright::cli
