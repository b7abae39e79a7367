// Random distances for sampling, without a mathematics library.
#pragma once

#include <cstdint>

namespace heapwright::trace::record {

/// Draws the bytes until the next sampled byte: exponentially distributed, so that every byte that is requested has
/// the same chance, whatever block it lies in.
class ExponentialDraw {
public:
    void seed(std::uint64_t seed) noexcept { state_ = seed; }

    /// Returns: at least 1; `mean` on average.
    [[nodiscard]] std::int64_t next(std::uint64_t mean) noexcept {
        // -ln(u) * mean = (53 - log2(n)) * ln 2 * mean, n uniform in [1, 2^53].
        const std::uint64_t n = (random() >> 11) + 1;
        const double bytes = (53.0 - log2(static_cast<double>(n))) * 0.69314718055994531 * static_cast<double>(mean);
        return bytes < 9.0e18 ? static_cast<std::int64_t>(bytes) + 1 : INT64_MAX;
    }

    /// log2 of a positive normal number, right to 1e-7.
    [[nodiscard]] static double log2(double number) noexcept {
        const auto bits = __builtin_bit_cast(std::uint64_t, number);
        auto exponent = static_cast<double>(static_cast<std::int64_t>(bits >> 52) - 1023);
        double mantissa = __builtin_bit_cast(double, (bits & 0xFFFFFFFFFFFFFU) | 0x3FF0000000000000U);
        if (mantissa > 1.4142135623730951) {
            mantissa *= 0.5;
            exponent += 1;
        }
        // ln(m) = 2 artanh(r), r = (m - 1) / (m + 1): |r| < 0.172, so five terms suffice.
        const double r = (mantissa - 1) / (mantissa + 1);
        const double square = r * r;
        const double series = 1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square * (1.0 / 9))));
        return exponent + 2 * r * series * 1.4426950408889634;
    }

private:
    [[nodiscard]] std::uint64_t random() noexcept {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
        return mixed ^ (mixed >> 31);
    }

    std::uint64_t state_ = 0;
};

}  // namespace heapwright::trace::record
