// Lines on stderr without stdio, and the failure handler that writes them.
#pragma once

#include <string_view>

namespace heapwright::os {

/// Writes `text` and a newline with one call where the kernel takes it whole, so that lines of several threads do not
/// mix. What cannot be written is lost. errno stays as it is.
void write_stderr_line(std::string_view text) noexcept;

/// From now on a failed check writes its sentence to stderr before the trap.
///
/// Thread safety: any thread; allocates nothing.
void report_failures_to_stderr() noexcept;

/// The same, unless the program has set a handler of its own already.
///
/// Returns:  true, so that a variable's initialiser can call it.
bool report_failures_by_default() noexcept;

}  // namespace heapwright::os
