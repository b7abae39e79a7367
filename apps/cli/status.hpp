// The exit statuses and the one place where the tool speaks to the user about failures.
#pragma once

#include <string>

#include <heapwright/base/error.hpp>

namespace heapwright::cli {

/// What `heapwright` ends with. `record` ends as the recorded program ended.
enum class Status : int {
    done = 0,
    findings = 1,        ///< --fail-on found something
    usage = 2,           ///< the command line, or a file that it names, cannot be used
    program_failed = 3,  ///< the user's program failed; its own status was printed
    our_fault = 4,
};

/// Prints "heapwright: SENTENCE" to standard error and returns the status, for `return complain(...)`.
int complain(Status status, const std::string& sentence);

/// Prints "heapwright: SENTENCE" to standard error: something the user should know, and work goes on.
void remark(const std::string& sentence);

/// The sentence for a failure to `purpose` ("read", "write") the file `path`: what is wrong, the fact, what to do.
[[nodiscard]] std::string sentence_for(const Error& error, const std::string& purpose, const std::string& path);

/// Whether a failure is the user's to mend (a wrong file, no permission) or ours.
[[nodiscard]] Status status_for(const Error& error);

}  // namespace heapwright::cli
