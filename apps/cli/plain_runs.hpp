// Runs a program several times, in turn with other ways to run it, and keeps every figure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "output_facts.hpp"
#include "run.hpp"

namespace heapwright::cli {

/// A way to run the program and what it cost.
struct Variant {
    std::string label;  ///< "plain", "mimalloc", "glibc:arena_max=1"
    RunRequest request;
    std::vector<RunResult> runs;
    std::vector<OutputFacts> outputs{};  ///< of each run

    [[nodiscard]] std::vector<double> wall_s() const;
    [[nodiscard]] std::vector<double> cpu_s() const;
    [[nodiscard]] std::vector<double> peak_bytes() const;
    [[nodiscard]] std::vector<double> idle_bytes() const;  ///< resident after idling; empty when that was not asked for
    [[nodiscard]] bool all_well() const;
    [[nodiscard]] int interrupted_by() const;  ///< the signal that ended the last run and was meant for us; 0: none
};

/// Runs every variant once a round, beginning with another one each time, so that whatever changes on the machine meets all
/// alike. `chosen` are indices into `variants`. Stops a variant at its first failure, and all of them at a signal that was meant
/// to end this program (RunResult::interrupted_by). What a variant wrote first is kept beside the output, as kept_output() says.
void run_in_turn(std::vector<Variant>& variants, const std::vector<std::size_t>& chosen, unsigned rounds,
                 const std::function<void(const std::string& what)>& progress);

/// Runs the two as often as `pairs` says, one of each a pair. A lot decides who goes first, each time anew: then no drift and no
/// pattern of the machine can favour one of them. Stops at the first failure of either.
void run_in_pairs(Variant& one, Variant& other, unsigned pairs, const std::function<void(const std::string& what)>& progress);

/// Where the output of a variant's first run is kept: "out/output.jemalloc" for "out/output".
[[nodiscard]] std::string kept_output(const Variant& variant);

}  // namespace heapwright::cli
