// Writing numbers into a column: varints, with as few branches as the numbers deserve.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/varint.hpp>

namespace heapwright::trace::detail {

/// By the place of the highest bit: how many bytes a varint has, and the bits that say in each that another follows.
struct VarintShapes {
    static constexpr std::size_t kBits = 28;
    std::array<std::uint32_t, kBits> more_follow{};
    std::array<std::uint8_t, kBits> bytes{};
};
inline constexpr VarintShapes kVarintShapes = [] {
    VarintShapes shapes;
    for (std::size_t top_bit = 0; top_bit < VarintShapes::kBits; ++top_bit) {
        shapes.bytes[top_bit] = static_cast<std::uint8_t>(top_bit / 7 + 1);
        shapes.more_follow[top_bit] = 0x808080U & ((1U << (top_bit / 7 * 8)) - 1);
    }
    return shapes;
}();

/// Writes a varint: without branches up to 28 bits, because the lengths are as good as random, and a wrong guess costs
/// more than this.
///
/// Requires: room for the varint and 3 bytes behind it.
HEAPWRIGHT_ALWAYS_INLINE void put_number(std::uint8_t*& cursor, std::uint64_t number) noexcept {
    if (HEAPWRIGHT_UNLIKELY(number >= std::uint64_t{1} << VarintShapes::kBits)) {
        cursor = put_varint(cursor, number);
        return;
    }
    const auto low = static_cast<std::uint32_t>(number);
    const auto top_bit = static_cast<std::size_t>(31 - __builtin_clz(low | 1));
    // Spread in two steps: halves of 14 bits, then quarters of 7.
    std::uint32_t spread = (low & 0x3FFF) | (low & 0xFFFC000) << 2;
    spread = (spread & 0x7F007F) | (spread & 0x3F803F80) << 1;
    spread |= kVarintShapes.more_follow[top_bit];
    __builtin_memcpy(cursor, &spread, sizeof(spread));
    cursor += kVarintShapes.bytes[top_bit];
}

/// The same for numbers below 2^14, without branches.
HEAPWRIGHT_ALWAYS_INLINE void put_short_number(std::uint8_t*& cursor, std::uint32_t number) noexcept {
    const std::uint32_t high = number & ~0x7FU;
    const std::uint32_t more = high != 0 ? 1 : 0;
    const auto spread = static_cast<std::uint16_t>(number + high + (more << 7));
    __builtin_memcpy(cursor, &spread, sizeof(spread));
    cursor += 1 + more;
}

/// The same for numbers that nearly always fit one byte.
HEAPWRIGHT_ALWAYS_INLINE void put_small_number(std::uint8_t*& cursor, std::uint64_t number) noexcept {
    if (HEAPWRIGHT_LIKELY(number < 0x80)) {
        *cursor++ = static_cast<std::uint8_t>(number);
    } else {
        cursor = put_varint(cursor, number);
    }
}

}  // namespace heapwright::trace::detail
