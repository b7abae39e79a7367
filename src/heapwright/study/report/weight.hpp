// What a call stack can be weighed by, in flame graphs, exports and tables alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// The order is that of the columns in the JSON document's `tree`.
enum class Weight : std::uint8_t {
    peak,              ///< requested bytes live at the process's peak
    leaked,            ///< requested bytes never freed
    allocated,         ///< requested bytes ever
    allocations,       ///< blocks ever
    temporary,         ///< blocks freed before the same thread's next allocation
    pinned_free_peak,  ///< free bytes on pages that only this stack's blocks keep in use, at the peak
    pinned_free_end,   ///< the same at the end
};
inline constexpr std::size_t kWeightCount = 7;
inline constexpr std::array<Weight, kWeightCount> kWeights = {Weight::peak,           Weight::leaked,    Weight::allocated,
                                                              Weight::allocations,    Weight::temporary, Weight::pinned_free_peak,
                                                              Weight::pinned_free_end};

/// One value for each weight, in their order.
using Weights = std::array<std::uint64_t, kWeightCount>;

[[nodiscard]] std::string_view name_of(Weight weight);

/// The weight of that name; nothing when there is none.
[[nodiscard]] std::optional<Weight> weight_of(std::string_view name);

/// True for bytes, false for a count of blocks.
[[nodiscard]] bool is_bytes(Weight weight);

[[nodiscard]] std::uint64_t value_of(const Site& site, Weight weight);
[[nodiscard]] Weights weights_of(const Site& site);

}  // namespace heapwright::study
