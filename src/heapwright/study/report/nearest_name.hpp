// The known word that a user most likely meant.
#pragma once

#include <span>
#include <string_view>

namespace heapwright::study {

/// The candidate with the fewest single-letter changes from `word`, or an empty view when none is near (more than half of
/// the letters would have to change).
[[nodiscard]] std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace heapwright::study
