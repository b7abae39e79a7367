// Numbers with units, read from the command line and written for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace heapwright::cli {

/// "4096", "64KiB", "1.5 MiB", "2G" (binary, as is usual for memory), "10MB" (decimal). Nothing for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// 1536 -> "1.5 KiB".
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
/// Nanoseconds -> "1.25 s", "12 ms".
[[nodiscard]] std::string human_time(std::uint64_t ns);
/// 4081234 -> "4,081,234".
[[nodiscard]] std::string with_thousands(std::uint64_t number);
/// 0.88 -> "-12 %"; 1.044 -> "+4.4 %".
[[nodiscard]] std::string signed_percent(double ratio);

void add_bytes_option(CLI::App& verb, const std::string& name, std::uint64_t& bytes, const std::string& description);

}  // namespace heapwright::cli
