// Random numbers for tests: repeatable, and repeated by setting HEAPWRIGHT_SEED to the seed that a failed run printed.
#pragma once

#include <cstdint>

namespace heapwright::test {

/// HEAPWRIGHT_SEED, or one taken from the clock. The same all through a run; main prints it.
[[nodiscard]] std::uint64_t seed();

/// A small generator (splitmix64) whose numbers do not depend on the standard library's version.
class Random {
public:
    /// `salt` sets two generators of one test program apart.
    explicit Random(std::uint64_t salt = 0) : state_(seed() + salt * 0x9E3779B97F4A7C15U) {}

    [[nodiscard]] std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
        return mixed ^ (mixed >> 31);
    }

    /// Requires: bound > 0. Slightly uneven for huge bounds, which tests do not mind.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    /// Both ends included.
    [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    /// True once in `times`.
    [[nodiscard]] bool one_in(std::uint64_t times) { return below(times) == 0; }
    /// Sizes as programs ask for them: many small, few large, each power of two as likely as the other.
    [[nodiscard]] std::uint64_t size_up_to(std::uint64_t largest) {
        const std::uint64_t size = next() >> between(1, 63);
        return size % (largest + 1);
    }

private:
    std::uint64_t state_;
};

}  // namespace heapwright::test
