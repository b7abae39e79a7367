// The bytes that make fresh, freed and fenced memory recognisable in a debugger.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright {

/// Odd values with the high bit set: as a pointer they are not canonical, as an index they are absurd, and no two of
/// them are one bit apart.
enum class FillByte : std::uint8_t {
    fresh = 0xCB,  // given, never written
    freed = 0xDF,  // taken back
    fence = 0xFD,  // between two blocks, belongs to nobody
};
static_assert(FillByte::fresh != FillByte::freed && FillByte::freed != FillByte::fence && FillByte::fresh != FillByte::fence);

/// Overwrites `bytes` bytes at `memory`.
inline void fill(void* memory, std::size_t bytes, FillByte value) noexcept { __builtin_memset(memory, static_cast<int>(value), bytes); }

/// Whether all bytes still hold `value`. For fences and audits.
///
/// Cost: O(bytes).
[[nodiscard]] inline bool is_filled(const void* memory, std::size_t bytes, FillByte value) noexcept {
    const auto* byte = static_cast<const std::uint8_t*>(memory);
    for (std::size_t index = 0; index < bytes; ++index) {
        if (byte[index] != static_cast<std::uint8_t>(value)) {
            return false;
        }
    }
    return true;
}

}  // namespace heapwright
