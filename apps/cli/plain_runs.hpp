// Runs a program several times, in turn with other ways to run it, and keeps medians and spreads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "run.hpp"

namespace heapwright::cli {

/// One figure over several runs.
struct Spread {
    double median = 0;
    double least = 0;
    double most = 0;

    /// The two ranges do not touch: with three or more runs each, more than noise.
    [[nodiscard]] bool apart_from(const Spread& other) const noexcept {
        return most < other.least || other.most < least;
    }
};

[[nodiscard]] Spread spread_of(std::vector<double> values);

/// A way to run the program and what it cost.
struct Variant {
    std::string label;    ///< "plain", "mimalloc", "glibc:arena_max=1"
    RunRequest request;
    std::vector<RunResult> runs;

    [[nodiscard]] Spread wall_s() const;
    [[nodiscard]] Spread cpu_s() const;
    [[nodiscard]] Spread peak_bytes() const;
    [[nodiscard]] bool all_well() const;
};

/// Runs every variant once a round. Stops a variant at its first failure.
void run_in_turn(std::vector<Variant>& variants, unsigned rounds,
                 const std::function<void(const std::string& what)>& progress);

}  // namespace heapwright::cli
