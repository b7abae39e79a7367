// Runs a program several times, in turn with other ways to run it, and keeps every figure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "run.hpp"

namespace heapwright::cli {

/// A way to run the program and what it cost.
struct Variant {
    std::string label;  ///< "plain", "mimalloc", "glibc:arena_max=1"
    RunRequest request;
    std::vector<RunResult> runs;

    [[nodiscard]] std::vector<double> wall_s() const;
    [[nodiscard]] std::vector<double> cpu_s() const;
    [[nodiscard]] std::vector<double> peak_bytes() const;
    [[nodiscard]] bool all_well() const;
};

/// Runs every variant once a round. Stops a variant at its first failure.
void run_in_turn(std::vector<Variant>& variants, unsigned rounds, const std::function<void(const std::string& what)>& progress);

}  // namespace heapwright::cli
