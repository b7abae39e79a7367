#include "plan_candidates.hpp"

#include <algorithm>
#include <string>

namespace heapwright::cli {
namespace {

using study::Experiment;
using study::Suggestion;
using study::Verdict;

bool is_from_outside(const Suggestion& suggestion) {
    return suggestion.experiment.kind == Experiment::Kind::allocator || suggestion.experiment.kind == Experiment::Kind::setting;
}

bool is_plan(const Suggestion& suggestion) { return suggestion.experiment.kind == Experiment::Kind::plan; }

}  // namespace

std::optional<Candidate> plan_candidate(const std::vector<Suggestion>& suggestions, Verdict verdict) {
    Candidate candidate;
    for (const Suggestion& suggestion : suggestions) {
        if (is_plan(suggestion) && suggestion.verdict == verdict) {
            const auto& entries = suggestion.experiment.entries;
            candidate.file.plan.insert(candidate.file.plan.end(), entries.begin(), entries.end());
        }
    }
    if (candidate.file.plan.empty()) {
        return std::nullopt;
    }
    // The first entry that fits decides, so the more exact ones go first.
    std::ranges::stable_sort(candidate.file.plan, [](const PlannedSite& a, const PlannedSite& b) {
        return a.returns.count + a.callers.count > b.returns.count + b.callers.count;
    });
    const std::size_t sites = candidate.file.plan.size();
    candidate.label = "heapwright with a plan of " + std::to_string(sites) + (sites == 1 ? " site" : " sites");
    return candidate;
}

Candidate proved_candidate(const std::vector<Suggestion>& suggestions) {
    if (auto plan = plan_candidate(suggestions, Verdict::proved)) {
        return std::move(*plan);
    }
    for (const Suggestion& suggestion : suggestions) {
        if (suggestion.verdict == Verdict::proved && is_from_outside(suggestion)) {
            if (auto candidate = candidate_of_trial(suggestion.experiment.target)) {
                return std::move(*candidate);
            }
        }
    }
    Candidate plain{.label = "plain", .file = {}};
    plain.file.memory.allocator.enable_custom_allocator = false;
    return plain;
}

std::vector<std::string> proofs_of(const Candidate& candidate, const std::vector<Suggestion>& suggestions) {
    std::vector<std::string> sentences;
    for (const Suggestion& suggestion : suggestions) {
        const bool in_plan = is_plan(suggestion) && !candidate.file.plan.empty();
        const bool is_this = is_from_outside(suggestion) && suggestion.experiment.target == candidate.label;
        if (suggestion.verdict == Verdict::proved && (in_plan || is_this)) {
            sentences.push_back(suggestion.title + "; " + suggestion.proof);
        }
    }
    return sentences;
}

}  // namespace heapwright::cli
