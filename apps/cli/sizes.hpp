// Sizes with units, read from the command line. Writing them for people is study/report/units.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace heapwright::cli {

/// "4096", "64KiB", "1.5 MiB", "2G": powers of 1024 in every spelling. Nothing for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// 0.88 -> "-12 %"; 1.044 -> "+4.4 %".
[[nodiscard]] std::string signed_percent(double ratio);

void add_bytes_option(CLI::App& verb, const std::string& name, std::uint64_t& bytes, const std::string& description);

}  // namespace heapwright::cli
