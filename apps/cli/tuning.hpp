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
#include <heapwright/study/paired/signed_rank.hpp>
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

/// How one way to run the program compares with the plain one. A figure that was not measured has no pairs.
struct Change {
    study::PairedChange cpu;
    study::PairedChange wall;
    study::PairedChange peak;
    study::PairedChange idle;

    /// Below 0: better. The logarithms of what was shown in CPU and memory, added up: what was not shown counts nothing.
    [[nodiscard]] double score() const;
    /// No figure has a loss of more than kTolerableHarm that is likely to be there.
    [[nodiscard]] bool harmless() const;
};
/// The runs of one round are a pair. Rounds that only one of the two saw are left out.
[[nodiscard]] Change change_of(const Variant& plain, const Variant& other);

/// What a change may cost in any figure and still be recommended, and the least that it has to win.
inline constexpr double kTolerableHarm = 0.02;
inline constexpr double kLeastWin = 0.02;
/// A loss is believed sooner than a gain: the chance of a wrong one, each figure.
inline constexpr double kHarmErrorRate = 0.025;

/// The variants that are worth more runs, the best first: by the estimates of what was run, shown or not. Those that ran well,
/// said what the plain program says and cost little come before those that cost something, of which the least dear comes first; what failed
/// is not among them. A later variant has to be better by a hundredth.
[[nodiscard]] std::vector<std::size_t> promising(const std::vector<Variant>& variants);

/// What is left when all is measured.
enum class Outcome : std::uint8_t {
    worth_it,
    nothing_tried,  ///< no candidate, or none that ran well
    too_few_runs,   ///< with so few pairs nothing can be shown
    too_little,     ///< no gain was shown
    too_dear,       ///< a gain, or none, and a loss
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
