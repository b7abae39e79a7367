// The middle of what was measured.
#pragma once

#include <vector>

namespace heapwright::study {

/// Of an even number of values, the mean of the two in the middle; of none, 0. Cost: O(n log n).
[[nodiscard]] double median(std::vector<double> values);

}  // namespace heapwright::study
