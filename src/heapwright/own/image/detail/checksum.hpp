// A 64-bit checksum that keeps up with memory, and never misses a change within one word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace heapwright::detail {

/// Eight lanes, each a chain of steps that no two inputs of a step leave with the same result: whatever changes in a single word of
/// 8 bytes changes the checksum, and so does nearly everything else. It guards against accidents, not against forgers.
///
/// Requires: the size is a multiple of 8.
[[nodiscard]] std::uint64_t image_checksum(std::span<const std::byte> bytes, std::uint64_t seed) noexcept;

}  // namespace heapwright::detail
