// The allocators that replay knows by name: their files on a machine and the settings that reach them by environment.
#pragma once

#include <span>
#include <string_view>

namespace heapwright::study::detail {

enum class Unit : unsigned char { count, bytes, word };

/// A setting and where its value goes: a variable of its own, or one entry of a list in a shared variable.
struct Setting {
    std::string_view name;
    std::string_view variable;
    std::string_view entry;  ///< empty: the value is the whole variable
    char assign = '=';       ///< between entry and value
    char separator = ',';    ///< between entries
    Unit unit = Unit::count;
    std::string_view also = {};  ///< a second variable for other versions of the same allocator
};

struct Allocator {
    std::string_view name;
    std::span<const std::string_view> files;  ///< in order of preference; empty: the C library's own
    std::span<const Setting> settings;
    std::string_view package;  ///< of Debian
};

[[nodiscard]] std::span<const Allocator> catalog();
[[nodiscard]] std::span<const std::string_view> library_folders();

}  // namespace heapwright::study::detail
