// Whole numbers in as few bytes as they need: LEB128, seven bits a byte, low bits first, and zigzag for signed ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright {

/// The most bytes put_varint writes.
inline constexpr std::size_t kVarintBytesMax = 10;

/// Requires: kVarintBytesMax bytes are writable at `out`.
/// Returns:  one past the last byte written.
/// Cost:     one byte per started seven bits.
HEAPWRIGHT_ALWAYS_INLINE std::uint8_t* put_varint(std::uint8_t* out, std::uint64_t number) noexcept {
    while (number >= 0x80) {
        *out++ = static_cast<std::uint8_t>(number | 0x80);
        number >>= 7;
    }
    *out++ = static_cast<std::uint8_t>(number);
    return out;
}

/// How many bytes put_varint writes for `number`.
[[nodiscard]] constexpr std::size_t varint_bytes(std::uint64_t number) noexcept {
    return (63U - static_cast<unsigned>(__builtin_clzll(number | 1U))) / 7U + 1U;
}

namespace detail {

/// Two bytes and more.
[[nodiscard]] inline bool get_varint_slow(const std::uint8_t*& in, const std::uint8_t* end, std::uint64_t& out) noexcept {
    std::uint64_t number = 0;
    const std::uint8_t* cursor = in;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (cursor == end) {
            return false;
        }
        const std::uint64_t byte = *cursor++;
        if (shift == 63 && byte > 1) {
            return false;  // more than 64 bits
        }
        number |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            in = cursor;
            out = number;
            return true;
        }
    }
    return false;
}

}  // namespace detail

/// Reads one number and moves `in` past it.
///
/// Returns:  false when the bytes end too early or the number exceeds 64 bits; then neither `in` nor `out` changes.
/// Keeps:    never reads at or past `end`.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool get_varint(const std::uint8_t*& in, const std::uint8_t* end, std::uint64_t& out) noexcept {
    if (HEAPWRIGHT_LIKELY(in != end && *in < 0x80)) {
        out = *in++;
        return true;
    }
    return detail::get_varint_slow(in, end, out);
}

/// Small magnitudes become small numbers: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t number) noexcept {
    return (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
}

[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t number) noexcept {
    return static_cast<std::int64_t>((number >> 1) ^ (0 - (number & 1)));
}

}  // namespace heapwright
