#include "candidate_choice.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "plan_candidates.hpp"

namespace heapwright::cli {
namespace {

using study::Experiment;
using study::Metric;
using study::Verdict;

constexpr std::size_t kFastestPeers = 2;  // by the replay, which sees no more than the allocator's own time

/// The list under construction.
class Choice {
public:
    explicit Choice(const BeforeChoice& known) : known_{known} {}

    void add(Candidate candidate) {
        const auto same = [&candidate](const Candidate& other) { return other.label == candidate.label; };
        if (std::ranges::none_of(candidates_, same)) {
            candidates_.push_back(std::move(candidate));
        }
    }
    void add_trial(std::string_view spec) {
        if (auto candidate = candidate_of_trial(spec)) {
            add(std::move(*candidate));
        }
    }

    // A replay shows what a plan does to memory; what the caches make of it only the program itself shows.
    void add_plan() {
        for (const Verdict verdict : {Verdict::proved, Verdict::refuted}) {
            if (auto plan = plan_candidate(known_.suggestions, verdict)) {
                add(std::move(*plan));
                return;
            }
        }
    }

    void add_proved() {
        for (const study::Suggestion& suggestion : known_.suggestions) {
            const auto kind = suggestion.experiment.kind;
            if (suggestion.verdict == Verdict::proved && (kind == Experiment::Kind::allocator || kind == Experiment::Kind::setting)) {
                add_trial(suggestion.experiment.target);
            }
        }
    }

    void add_fastest_peers() {
        std::vector<std::pair<double, std::string_view>> peers;
        for (std::size_t i = 0; known_.comparison != nullptr && i < known_.comparison->trials.size(); ++i) {
            const study::TrialSummary& trial = known_.comparison->trials[i];
            const bool is_peer = !trial.spec.label.starts_with("glibc") && !trial.spec.label.starts_with("heapwright");
            if (is_peer && i != known_.comparison->baseline && trial.good_runs() > 0) {
                peers.emplace_back(trial.spread(Metric::cpu).median, trial.spec.label);
            }
        }
        std::ranges::sort(peers);
        for (std::size_t i = 0; i < std::min(peers.size(), kFastestPeers); ++i) {
            add_trial(peers[i].second);
        }
    }

    void add_leaders() {
        for (const Metric metric : {Metric::peak_rss, Metric::retained, Metric::allocator_time, Metric::cpu}) {
            if (const auto best = known_.comparison == nullptr ? std::nullopt : known_.comparison->best(metric)) {
                add_trial(known_.comparison->trials[*best].spec.label);
            }
        }
    }

    std::vector<Candidate> take() { return std::move(candidates_); }

private:
    const BeforeChoice& known_;
    std::vector<Candidate> candidates_;
};

}  // namespace

std::vector<Candidate> possible_candidates(const BeforeChoice& known) {
    Choice choice{known};
    choice.add_trial("heapwright");
    choice.add_plan();
    if (known.huge_pages_on_wish) {
        choice.add_trial("heapwright:huge_pages=always");
        if (known.uses_glibc) {
            choice.add_trial("glibc:hugetlb=1");
        }
    }
    choice.add_proved();
    choice.add_fastest_peers();
    choice.add_leaders();
    return choice.take();
}

bool huge_pages_on_wish(const std::string& file) {
    std::ifstream stream{file};
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    return text.contains("[madvise]");
}

}  // namespace heapwright::cli
