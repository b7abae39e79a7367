// How much of an arena its last cycles used, so that trim() can keep what the next one is likely to need.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace heapwright::detail {

/// The last kCycles amounts, the oldest forgotten first.
class UseHistory {
public:
    static constexpr std::size_t kCycles = 16;

    constexpr void add(std::size_t used_bytes) noexcept {
        used_bytes_[added_ % kCycles] = used_bytes;
        ++added_;
    }

    /// The smallest amount that at least `percent` of the remembered cycles did not exceed; 0 when none is remembered.
    ///
    /// Cost:     O(kCycles^2), about 200 comparisons.
    [[nodiscard]] constexpr std::size_t percentile(unsigned percent) const noexcept {
        const std::size_t cycles = added_ < kCycles ? added_ : kCycles;
        std::size_t answer = 0;
        bool found = false;
        for (std::size_t candidate = 0; candidate < cycles; ++candidate) {
            std::size_t covered = 0;
            for (std::size_t cycle = 0; cycle < cycles; ++cycle) {
                covered += used_bytes_[cycle] <= used_bytes_[candidate] ? 1U : 0U;
            }
            if (covered * 100 >= percent * cycles && (!found || used_bytes_[candidate] < answer)) {
                answer = used_bytes_[candidate];
                found = true;
            }
        }
        return answer;
    }

    [[nodiscard]] constexpr std::size_t cycles() const noexcept { return added_; }

private:
    std::array<std::size_t, kCycles> used_bytes_{};
    std::size_t added_ = 0;
};

}  // namespace heapwright::detail
