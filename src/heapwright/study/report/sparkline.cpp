#include <heapwright/study/report/sparkline.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace heapwright::study {
namespace {

constexpr std::array<std::string_view, 9> kRising = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 9> kRisingAscii = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
constexpr std::array<std::string_view, 9> kGrowing = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};

std::size_t eighths(double share) { return static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * 8)); }

}  // namespace

std::string sparkline(std::span<const std::uint64_t> values, std::size_t columns, const Terminal& terminal, std::uint64_t highest) {
    if (values.empty()) {
        return {};
    }
    if (highest == 0) {
        highest = std::max<std::uint64_t>(1, *std::max_element(values.begin(), values.end()));
    }
    columns = std::min(columns, values.size());
    std::string line;
    for (std::size_t column = 0; column < columns; ++column) {
        const std::size_t begin = column * values.size() / columns;
        const std::size_t end = std::max(begin + 1, (column + 1) * values.size() / columns);
        const std::uint64_t value =
            *std::max_element(values.begin() + static_cast<std::ptrdiff_t>(begin), values.begin() + static_cast<std::ptrdiff_t>(end));
        std::size_t height = eighths(static_cast<double>(value) / static_cast<double>(highest));
        height = value > 0 ? std::max<std::size_t>(height, 1) : 0;  // little is not nothing
        line += terminal.unicode ? kRising[height] : kRisingAscii[height];
    }
    return line;
}

std::string bar(std::uint64_t part, std::uint64_t whole, std::size_t columns, const Terminal& terminal) {
    const double share = whole == 0 ? 0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
    const auto filled = static_cast<std::size_t>(std::lround(share * static_cast<double>(columns * 8)));
    std::string text;
    for (std::size_t column = 0; column < columns; ++column) {
        const std::size_t here = std::min<std::size_t>(8, filled - std::min(filled, column * 8));
        text += terminal.unicode ? kGrowing[here] : here >= 4 ? "#" : " ";
    }
    while (text.ends_with(' ')) {
        text.pop_back();
    }
    return text;
}

}  // namespace heapwright::study
