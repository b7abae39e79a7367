// Keeps the user's standard input so that every run reads the same bytes, and the output of the runs so that they can
// be compared.
#pragma once

#include <optional>
#include <string>

namespace heapwright::cli {

/// Copies standard input into `folder`/stdin when it is a pipe or a file.
///
/// Returns: the file that each run is to read; /dev/null when standard input is a terminal or closed.
/// Fails:   nothing when the copy cannot be written.
[[nodiscard]] std::optional<std::string> keep_standard_input(const std::string& folder);

/// Whether two files hold the same bytes. False when one of them cannot be read.
[[nodiscard]] bool same_contents(const std::string& a, const std::string& b);

}  // namespace heapwright::cli
