// A memory.toml for people: every mistake of it at once, and printing that reads back equal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright::config {

/// What a file says.
struct ConfigFile {
    MemoryConfig memory;
    std::vector<PlannedSite> plan;  ///< in the order of the file
    friend bool operator==(const ConfigFile&, const ConfigFile&) noexcept = default;
};

/// One thing that is wrong with it. Line and column count from 1; 0: the file as a whole.
struct ConfigMistake {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string sentence;  ///< with the key, what was met, what is expected, and the nearest known name
};

/// `file` is usable where there is no mistake.
struct ConfigReading {
    ConfigFile file;
    std::vector<ConfigMistake> mistakes;  ///< by line
};

/// Reads TOML 1.0, all of it.
///
/// Fails:    never: what is wrong stands in `mistakes`. A text that is no TOML has one, further ones are not looked for.
/// Cost:     O(letters).
/// Thread safety: any thread.
[[nodiscard]] ConfigReading read_config(std::string_view text);

/// As read_config; and what a program could not read from HEAPWRIGHT_CONFIG, although it is TOML, is a mistake, too.
[[nodiscard]] ConfigReading check_config(std::string_view text);

/// Fails:    not_found, permission_denied, io_failed; limit_reached beyond 64 MiB.
[[nodiscard]] Result<std::string> load_config_text(const std::string& path);

/// "memory.toml:3:7: arena_size cannot be ...".
[[nodiscard]] std::string sentence_of(const ConfigMistake& mistake, std::string_view name);

/// Every key with its value. read_config(print_config(file)) is equal to `file`; comments are not kept.
[[nodiscard]] std::string print_config(const ConfigFile& file);
/// Only what differs from the defaults, and the plan: for a file that people read. Reads back equal, too.
[[nodiscard]] std::string print_changes(const ConfigFile& file);
/// One [[site]], with an empty line before it; values that are defaults are left out.
[[nodiscard]] std::string print_site(const PlannedSite& site);

/// Every key in words: value, unit, default, meaning, and who acts on it.
[[nodiscard]] std::string explain_config(const ConfigFile& file);

}  // namespace heapwright::config
