#include <heapwright/study/report/nearest_name.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace heapwright::study {
namespace {

// Letters inserted, deleted, replaced, or swapped with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> older;
    std::vector<std::size_t> above(b.size() + 1);
    std::iota(above.begin(), above.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::vector<std::size_t> row(b.size() + 1, i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], older[j - 2] + 1);
            }
        }
        older = std::move(above);
        above = std::move(row);
    }
    return above.back();
}

}  // namespace

std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates) {
    std::string_view best;
    std::size_t fewest = std::max<std::size_t>(1, (word.size() + 1) / 2) + 1;
    for (const std::string_view candidate : candidates) {
        const bool abbreviated = word.size() >= 3 && candidate.starts_with(word);
        const std::size_t changes = abbreviated ? 1 : distance(word, candidate);
        if (changes < fewest) {
            fewest = changes;
            best = candidate;
        }
    }
    return best;
}

}  // namespace heapwright::study
