// Keeps the user's standard input so that every run reads the same bytes.
#pragma once

#include <optional>
#include <string>

namespace heapwright::cli {

/// Copies standard input into `folder`/stdin when it is a pipe or a file.
///
/// Returns: the file that each run is to read; /dev/null when standard input is a terminal or closed.
/// Fails:   nothing when the copy cannot be written.
[[nodiscard]] std::optional<std::string> keep_standard_input(const std::string& folder);

/// Whether nothing more fits on the disk that the folder is on: what programs wrote there may be cut off.
[[nodiscard]] bool disk_is_full(const std::string& folder);

}  // namespace heapwright::cli
