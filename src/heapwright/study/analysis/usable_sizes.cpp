// The step function from requested to usable sizes.
#include <heapwright/study/analysis/usable_sizes.hpp>

#include <algorithm>
#include <iterator>

#include <heapwright/study/timeline/live_blocks.hpp>

namespace heapwright::study {

void UsableSizes::add(std::span<const trace::UsableSize> pairs) {
    for (const trace::UsableSize& pair : pairs) {
        // The second half guards against damage: no class wastes more than it holds, a few pages aside.
        if (pair.usable < pair.requested || pair.usable > kLargestSize || pair.usable - pair.requested > pair.requested + 65536) {
            continue;
        }
        const auto [place, is_new] = pairs_.try_emplace(pair.requested, pair.usable);
        if (!is_new) {
            place->second = std::min(place->second, pair.usable);
        }
    }
}

void UsableSizes::finish() {
    if (pairs_.empty()) {
        return;
    }
    // A larger request cannot have a smaller class: a pair above its successor is a block that was given more by chance, as
    // glibc does when a remainder would be too small to use.
    std::uint64_t least = kLargestSize;
    for (auto pair = pairs_.rbegin(); pair != pairs_.rend(); ++pair) {
        least = std::min(least, pair->second);
        pair->second = least;
    }
    std::vector<std::uint32_t> small(kSmall);
    for (std::size_t size = 0; size < kSmall; ++size) {
        small[size] = static_cast<std::uint32_t>(usable_slow(size) - size);
    }
    small_ = std::move(small);
}

std::uint64_t UsableSizes::usable_slow(std::uint64_t size) const {
    if (pairs_.empty()) {
        return size;
    }
    const auto above = pairs_.upper_bound(size);
    if (above != pairs_.begin()) {
        const auto below = std::prev(above);
        if (below->first == size || size <= below->second) {
            return below->second;
        }
    }
    return (size + 7) / 8 * 8;
}

}  // namespace heapwright::study
