// Cow for what the standard library owns: texts borrowed as string_view, vectors borrowed as span.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <heapwright/own/cell/cow.hpp>

namespace heapwright {

template <class Char, class Traits, class Allocator>
struct CowTraits<std::basic_string<Char, Traits, Allocator>> {
    using View = std::basic_string_view<Char, Traits>;
    [[nodiscard]] static constexpr std::basic_string<Char, Traits, Allocator> own(View borrowed) {
        return std::basic_string<Char, Traits, Allocator>(borrowed);
    }
    [[nodiscard]] static constexpr View view(const std::basic_string<Char, Traits, Allocator>& owned) noexcept { return owned; }
};

template <class T, class Allocator>
struct CowTraits<std::vector<T, Allocator>> : RowCowTraits<std::vector<T, Allocator>> {};

}  // namespace heapwright
