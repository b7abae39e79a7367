// Scales what a sampling recorder kept back to what the program did.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace heapwright::study {

/// A recorder that samples every `interval` bytes on average keeps a block of `size` bytes with the chance
/// p = 1 - exp(-size / interval); each block that it kept stands for 1/p blocks. Sums of these weights are unbiased.
///
/// Counters of the pass are whole numbers in units of one(): 1 when every event was kept, 1/4096 of a block otherwise
/// (so a weight is right within 0.013 %). to_count() turns a counter into what it counts.
/// Thread safety: const members from any thread.
class Scale {
public:
    explicit Scale(std::uint64_t interval_bytes = 0) : interval_(interval_bytes) {
        if (interval_ != 0) {
            for (std::size_t size = 0; size < kSmall; ++size) {
                small_[size] = weight_of(size);
            }
        }
    }

    [[nodiscard]] bool is_sampled() const { return interval_ != 0; }
    [[nodiscard]] std::uint64_t interval_bytes() const { return interval_; }
    [[nodiscard]] std::uint64_t one() const { return interval_ == 0 ? 1 : kUnit; }

    /// What one recorded block of `size` bytes counts for.
    [[nodiscard]] std::uint64_t weight(std::uint64_t size) const {
        if (interval_ == 0) {
            return 1;
        }
        return size < kSmall ? small_[size] : weight_of(size);
    }

    /// The same for histograms of whole blocks: rounded up or down by `stamp`, so that the average is the weight.
    [[nodiscard]] std::uint32_t whole_weight(std::uint64_t size, std::uint64_t stamp) const {
        if (interval_ == 0) {
            return 1;
        }
        const std::uint64_t dither = (stamp * 0x9E3779B97F4A7C15ULL) >> (64 - kShift);
        const std::uint64_t whole = (weight(size) + dither) >> kShift;
        return whole < UINT32_MAX ? static_cast<std::uint32_t>(whole) : UINT32_MAX;
    }

    [[nodiscard]] std::uint64_t to_count(std::uint64_t counter) const { return interval_ == 0 ? counter : (counter + kUnit / 2) >> kShift; }

private:
    static constexpr unsigned kShift = 12;
    static constexpr std::uint64_t kUnit = std::uint64_t{1} << kShift;
    static constexpr std::size_t kSmall = 4096;
    // No recorder samples so thinly that a block stands for more; it keeps sums of damaged traces finite.
    static constexpr double kLargestWeight = 1e9;

    /// A request for 0 bytes is taken for one byte, as recorders do that count requests by their bytes.
    [[nodiscard]] std::uint64_t weight_of(std::uint64_t size) const {
        const double bytes = size == 0 ? 1.0 : static_cast<double>(size);
        const double chance = -std::expm1(-bytes / static_cast<double>(interval_));
        const double weight = chance * kLargestWeight > 1 ? 1 / chance : kLargestWeight;
        return static_cast<std::uint64_t>(std::llround(weight * static_cast<double>(kUnit)));
    }

    std::uint64_t interval_;
    std::array<std::uint64_t, kSmall> small_{};
};

}  // namespace heapwright::study
