// What letters mean in TOML.
#pragma once

#include <cstddef>
#include <string_view>

namespace heapwright::config::detail {

constexpr bool is_digit(char letter) noexcept { return letter >= '0' && letter <= '9'; }
constexpr bool is_bare(char letter) noexcept {
    return is_digit(letter) || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' || letter == '-';
}
/// Control characters, which TOML allows nowhere but for the tab.
constexpr bool is_control(char letter) noexcept {
    const auto code = static_cast<unsigned char>(letter);
    return (code < 0x20 && letter != '\t') || code == 0x7F;
}
constexpr unsigned hex_value(char letter) noexcept {
    if (is_digit(letter)) {
        return static_cast<unsigned>(letter - '0');
    }
    if (letter >= 'a' && letter <= 'f') {
        return static_cast<unsigned>(letter - 'a') + 10;
    }
    return letter >= 'A' && letter <= 'F' ? static_cast<unsigned>(letter - 'A') + 10 : 16;
}
constexpr std::string_view between(const char* begin, const char* end) noexcept { return {begin, static_cast<std::size_t>(end - begin)}; }

}  // namespace heapwright::config::detail
