// A memory.toml that the user named: read it, or say what is wrong with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/config/file/config_file.hpp>

namespace heapwright::cli {

/// The sentence for a file that cannot be loaded.
[[nodiscard]] std::string config_file_sentence(const Error& error, const std::string& path);

/// Prints a line for each mistake. Returns: the exit status.
int complain_of(const config::ConfigReading& reading, const std::string& path);

/// Returns: nothing when something is wrong with it, which has then been said; `status` is what to end with.
[[nodiscard]] std::optional<config::ConfigFile> read_config_or_complain(const std::string& path, int& status);

/// Sentences on what has no effect, although it is no mistake: a plan for another malloc than heapwright's.
[[nodiscard]] std::vector<std::string> config_notes(const config::ConfigFile& file);

}  // namespace heapwright::cli
