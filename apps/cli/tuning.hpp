// What `tune` has gathered, and the verdict that follows from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "candidate.hpp"
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
    std::vector<Candidate> candidates;            ///< [0] changes nothing
    std::vector<Variant> variants;                ///< the program itself under each of them, same index: who is chosen
    std::size_t chosen = 0;                       ///< index of the candidate that went on; 0: there was none
    std::vector<Variant> finals;                  ///< runs made after the choice, in turns: plain and tuned; empty without a choice
    std::string config_path;                      ///< of the memory.toml
};

/// How one variant of the real program compares with the plain one. `idle` is that of equals where it was not measured.
struct RealDifference {
    study::Difference cpu;
    study::Difference wall;
    study::Difference peak;
    study::Difference idle;

    /// Below 0: better. The logarithms of the real differences in CPU and memory, added up: what is not real counts nothing.
    [[nodiscard]] double score() const;
    /// No figure is really worse by more than kTolerableHarm.
    [[nodiscard]] bool harmless() const;
};
[[nodiscard]] RealDifference real_difference(const Variant& plain, const Variant& other);

/// What a change may cost in any figure and still be recommended, and the least that it has to win.
inline constexpr double kTolerableHarm = 0.02;
inline constexpr double kLeastWin = 0.02;

/// The variant to run again beside the plain one: the best by medians among those that ran well, said what the plain program
/// says, and cost little; without such, the best of those that ran well. Nothing when none did. A later variant has to be
/// better by a hundredth.
[[nodiscard]] std::optional<std::size_t> most_promising(const std::vector<Variant>& variants);

/// What is left when all is measured.
enum class Outcome : std::uint8_t {
    worth_it,
    nothing_tried,  ///< no candidate, or none that ran well
    too_little,     ///< no real gain
    too_dear,       ///< a gain, or none, and a real loss
    other_output,   ///< the program says something else under it
    failed,         ///< the program fails under it
    unsteady,       ///< the plain program itself failed in one of the runs
};
[[nodiscard]] Outcome outcome_of(const Tuning& tuning);
/// One sentence, without a full stop.
[[nodiscard]] std::string sentence_of(Outcome outcome, const Tuning& tuning);

/// What the memory.toml holds: the chosen candidate where it is worth it, else the plain program.
[[nodiscard]] Candidate recommended(const Tuning& tuning);

/// A few lines: what the memory is, before and after, what the change is worth, the lines to paste.
[[nodiscard]] std::string verdict_text(const Tuning& tuning, const study::Terminal& terminal);

[[nodiscard]] std::string tuning_json(const Tuning& tuning);

}  // namespace heapwright::cli
