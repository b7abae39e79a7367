// Where our own programs and libraries lie: beside this program, in a build folder or an installation alike.
#pragma once

#include <string>

namespace heapwright::cli {

/// The path of another of our programs. Returns: beside this one; the bare name when it is missing there.
[[nodiscard]] std::string find_tool(const std::string& name);

/// The path of one of our shared libraries, or an empty string when it lies in none of the usual places.
[[nodiscard]] std::string find_library(const std::string& name);

}  // namespace heapwright::cli
