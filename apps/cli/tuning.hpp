// What `tune` has gathered, and the verdict that follows from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plain_runs.hpp"

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/replay/comparison.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {

/// Everything that one `tune` found out.
struct Tuning {
    std::string command;  ///< as the user would type it
    study::Findings findings;
    std::vector<study::Suggestion> suggestions;   ///< with their verdicts
    std::optional<study::Comparison> comparison;  ///< the recording through every installed allocator
    std::vector<Variant> variants;                ///< the program itself: [0] plain, the rest changed from outside
    std::vector<study::TrialSpec> specs;          ///< of the variants, same index; [0] is the baseline
};

/// How one variant of the real program compares with the plain one.
struct RealDifference {
    study::Difference cpu;
    study::Difference wall;
    study::Difference peak;

    /// Below 0: better. The logarithms of the real differences, added up: what is not real counts nothing.
    [[nodiscard]] double score() const;
    /// No figure is really worse by more than a twentieth.
    [[nodiscard]] bool harmless() const;
};
[[nodiscard]] RealDifference real_difference(const Tuning& tuning, std::size_t variant);

/// The variant that helps most without harm; nothing when none is worth a change.
[[nodiscard]] std::optional<std::size_t> best_variant(const Tuning& tuning);

/// A few lines: what the memory is, the one change that helps most, what it is worth, the line to paste.
[[nodiscard]] std::string verdict_text(const Tuning& tuning, const study::Terminal& terminal);

[[nodiscard]] std::string tuning_json(const Tuning& tuning);

}  // namespace heapwright::cli
