// The name of a type, for reports, without run-time type information.
#pragma once

#include <cstddef>
#include <string_view>

namespace heapwright::detail {

/// Returns:  the type as the compiler writes it: "shop::Order". It lives as long as the program.
template <class T>
[[nodiscard]] consteval std::string_view type_name() noexcept {
    // Both compilers write "... [with T = shop::Order; ..." or "... [T = shop::Order]".
    constexpr std::string_view kWhole = __PRETTY_FUNCTION__;
    constexpr std::string_view kBefore = "T = ";
    constexpr std::size_t kBegin = kWhole.find(kBefore) + kBefore.size();
    constexpr std::size_t kSemicolon = kWhole.find(';', kBegin);
    constexpr std::size_t kEnd = kSemicolon == std::string_view::npos ? kWhole.rfind(']') : kSemicolon;
    return kWhole.substr(kBegin, kEnd - kBegin);
}

}  // namespace heapwright::detail
