// Cutting texts without std::string_view::substr(), whose range check would pull the C++ run time into every program.
#pragma once

#include <cstddef>
#include <string_view>

namespace heapwright::trace::record {

/// What follows the first `count` letters; nothing when there are fewer.
[[nodiscard]] constexpr std::string_view without_first(std::string_view text, std::size_t count) noexcept {
    text.remove_prefix(count < text.size() ? count : text.size());
    return text;
}

/// The last part of a path.
[[nodiscard]] constexpr std::string_view file_name_of(std::string_view path) noexcept {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : without_first(path, slash + 1);
}

}  // namespace heapwright::trace::record
