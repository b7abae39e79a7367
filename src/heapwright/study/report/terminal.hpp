// What the place that text goes to can show: its width, colours and characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace heapwright::study {

/// Where a text report is read.
struct Terminal {
    std::size_t width = 100;  ///< columns
    bool colour = false;
    bool unicode = true;  ///< block characters for sparklines and bars
};

/// What `fd` is: colours only on a terminal, and not when NO_COLOR is set or TERM is "dumb"; width from the terminal, else COLUMNS.
[[nodiscard]] Terminal detect_terminal(int fd);

enum class Ink : std::uint8_t { plain, strong, faint, good, warning, bad };

/// `text` in an ink, or as it is when the terminal has no colours.
[[nodiscard]] std::string inked(const Terminal& terminal, Ink ink, std::string_view text);

/// Columns that `text` takes: UTF-8 characters, escape sequences not counted.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// `text` with control characters replaced: names in a trace come from other people's programs, and a terminal obeys
/// escape sequences.
[[nodiscard]] std::string harmless(std::string_view text);

/// At most `columns` wide; what is cut is replaced by "..." in the middle, because names differ at both ends.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t columns);

/// Breaks a sentence into lines of the terminal's width, each after the first indented by `indent` columns.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace heapwright::study
