// The rounded sizes of a heap: eight to each doubling, so that at most an eighth of a block is rounding.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace heapwright::heap {

/// The index of a size class: 0 is 8 bytes, 1 to 8 are 16 to 128 in steps of 16, then eight to each doubling.
using SizeClass = std::uint8_t;

inline constexpr std::size_t kSmallestBytes = 8;
inline constexpr std::size_t kSteppedBytes = 128;                  ///< up to here classes lie 16 bytes apart
inline constexpr std::size_t kSmallBytes = std::size_t{64} << 10;  ///< the largest class; above, a block has its own span
inline constexpr SizeClass kSteppedClasses = kSteppedBytes / 16;   ///< the class of kSteppedBytes
inline constexpr unsigned kSteppedLog2 = 7;
inline constexpr unsigned kClassCount = kSteppedClasses + 1 + 8 * 9;  ///< 81: nine doublings from 128 to 64 Ki

/// Requires: bytes <= kSmallBytes.
[[nodiscard]] constexpr SizeClass class_of(std::size_t bytes) noexcept {
    if (bytes <= kSmallestBytes) {
        return 0;
    }
    if (bytes <= kSteppedBytes) {
        return static_cast<SizeClass>((bytes + 15) / 16);
    }
    const std::size_t last = bytes - 1;
    const unsigned doubling = static_cast<unsigned>(std::bit_width(last)) - 1;
    const std::size_t eighth = (last >> (doubling - 3)) & 7;
    return static_cast<SizeClass>(kSteppedClasses + 1 + (doubling - kSteppedLog2) * 8 + eighth);
}

[[nodiscard]] constexpr std::size_t bytes_of(SizeClass size_class) noexcept {
    if (size_class == 0) {
        return kSmallestBytes;
    }
    if (size_class <= kSteppedClasses) {
        return std::size_t{size_class} * 16;
    }
    const unsigned above = size_class - kSteppedClasses - 1U;
    const unsigned doubling = kSteppedLog2 + above / 8;
    return (std::size_t{1} << doubling) + (std::size_t{above % 8 + 1} << (doubling - 3));
}

inline constexpr std::size_t kSliceBytes = std::size_t{64} << 10;
inline constexpr unsigned kSliceLog2 = 16;

/// Slices in a span of the class: one up to 16 KiB, then as many as hold four blocks. The smaller a span, the sooner it is
/// empty.
[[nodiscard]] constexpr std::uint32_t slices_of(SizeClass size_class) noexcept {
    const std::size_t rounded = std::bit_ceil(bytes_of(size_class));
    return static_cast<std::uint32_t>(rounded <= kSliceBytes / 4 ? 1 : rounded * 4 / kSliceBytes);
}
inline constexpr std::uint32_t kMostSpanSlices = slices_of(kClassCount - 1);

/// Blocks in a span of the class.
[[nodiscard]] constexpr std::uint32_t capacity_of(SizeClass size_class) noexcept {
    return static_cast<std::uint32_t>(slices_of(size_class) * kSliceBytes / bytes_of(size_class));
}

/// What a thread finds in one load: sizes up to here, in steps of eight bytes.
inline constexpr std::size_t kDirectBytes = 1024;
inline constexpr std::size_t kDirectSteps = kDirectBytes / 8 + 1;

/// The classes that it serves are those below this one.
inline constexpr SizeClass kDirectClasses = class_of(kDirectBytes) + 1;
/// class_of() of those sizes, by (bytes + 7) / 8: where sizes are mixed, its branches would follow no pattern.
inline constexpr std::array<SizeClass, kDirectSteps> kClassOfStep = [] {
    std::array<SizeClass, kDirectSteps> classes{};
    for (std::size_t step = 0; step < kDirectSteps; ++step) {
        classes[step] = class_of(step * 8);
    }
    return classes;
}();

/// The steps of one class in that table: [first, last].
struct DirectSteps {
    std::uint8_t first = 1;
    std::uint8_t last = 0;
};
[[nodiscard]] constexpr DirectSteps direct_steps_of(SizeClass size_class) noexcept {
    const std::size_t last = bytes_of(size_class) / 8;
    if (last >= kDirectSteps) {
        return {};
    }
    const std::size_t below = size_class == 0 ? 0 : bytes_of(static_cast<SizeClass>(size_class - 1)) / 8 + 1;
    return {.first = static_cast<std::uint8_t>(below), .last = static_cast<std::uint8_t>(last)};
}

static_assert(bytes_of(kClassCount - 1) == kSmallBytes && class_of(kSmallBytes) == kClassCount - 1);
static_assert(class_of(kSteppedBytes + 1) == kSteppedClasses + 1 && bytes_of(kSteppedClasses + 1) == 144);
static_assert(kMostSpanSlices == 4);

}  // namespace heapwright::heap
