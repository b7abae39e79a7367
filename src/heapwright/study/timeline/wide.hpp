// Products of two 64-bit numbers that need 128 bits on their way.
#pragma once

#include <cstdint>

namespace heapwright::study {

__extension__ using Wide = unsigned __int128;

/// The upper half of a * b: `a` as a fraction of 2^64, of `b`.
[[nodiscard]] constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
    return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
}

/// a * b / c, rounded down.
///
/// Requires: c > 0, and the result fits.
[[nodiscard]] constexpr std::uint64_t multiply_divide(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    return static_cast<std::uint64_t>(static_cast<Wide>(a) * b / c);
}

}  // namespace heapwright::study
