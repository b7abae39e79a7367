// The columns of an events chunk's payload, in their order in the file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace heapwright::trace::detail {

enum class Column : std::uint8_t { ops, ticks, addresses, distances, sizes, stacks, rare };
inline constexpr std::size_t kColumns = 7;
/// What one event may need in each column at the worst.
inline constexpr std::array<std::size_t, kColumns> kColumnBytesMax = {1, 10, 11, 5, 10, 5, 32};
/// The lengths of the columns, before the columns themselves.
inline constexpr std::size_t kColumnTableBytes = kColumns * sizeof(std::uint32_t);

}  // namespace heapwright::trace::detail
