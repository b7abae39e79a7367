// Buckets by powers of two, for sizes and lifetimes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace heapwright::study {

/// Bucket b holds [2^b, 2^(b+1)); 0 goes to bucket 0, and what is too large to the last.
[[nodiscard]] constexpr std::size_t log2_bucket(std::uint64_t value, std::size_t buckets) {
    const std::size_t bucket = value < 2 ? 0 : static_cast<std::size_t>(std::bit_width(value)) - 1;
    return bucket < buckets ? bucket : buckets - 1;
}

/// Adds without running over.
template <std::size_t Buckets>
constexpr void count_in(std::array<std::uint32_t, Buckets>& histogram, std::size_t bucket, std::uint32_t count) {
    std::uint32_t& cell = histogram[bucket];
    cell = count <= UINT32_MAX - cell ? cell + count : UINT32_MAX;
}

}  // namespace heapwright::study
