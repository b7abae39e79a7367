// Placement plans that a memory.toml may hold, from the suggestions of a trace.
#pragma once

#include <optional>
#include <vector>

#include "candidate.hpp"

#include <heapwright/study/advice/suggestion.hpp>

namespace heapwright::cli {

/// heapwright's malloc with the entries of every suggested plan that this verdict was given on.
///
/// Returns:  nothing where there is no such plan.
[[nodiscard]] std::optional<Candidate> plan_candidate(const std::vector<study::Suggestion>& suggestions, study::Verdict verdict);

/// What replay proved, as one memory.toml: the plans, else the most promising allocator or setting; else the plain program.
[[nodiscard]] Candidate proved_candidate(const std::vector<study::Suggestion>& suggestions);

/// Sentences on what a file of proved_candidate() rests on: one for each suggestion in it, with its proof.
[[nodiscard]] std::vector<std::string> proofs_of(const Candidate& candidate, const std::vector<study::Suggestion>& suggestions);

}  // namespace heapwright::cli
