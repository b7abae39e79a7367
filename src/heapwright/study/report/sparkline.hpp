// A curve in one line of text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <heapwright/study/report/terminal.hpp>

namespace heapwright::study {

/// The values as bars of eight heights, `columns` wide; each bar shows the highest of the values that fall into it.
/// `highest` is the value of a full bar (0: the highest of the values). Without Unicode the bars are " .:-=+*#@".
[[nodiscard]] std::string sparkline(std::span<const std::uint64_t> values, std::size_t columns, const Terminal& terminal,
                                    std::uint64_t highest = 0);

/// A bar of `columns` for part of whole, in eighths of a column.
[[nodiscard]] std::string bar(std::uint64_t part, std::uint64_t whole, std::size_t columns, const Terminal& terminal);

}  // namespace heapwright::study
