#include <heapwright/study/paired/median.hpp>

#include <algorithm>
#include <cstddef>

namespace heapwright::study {

double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace heapwright::study
