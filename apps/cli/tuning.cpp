#include "tuning.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "sizes.hpp"

namespace heapwright::cli {
namespace {

using study::PairedChange;

constexpr double kScreenedTime = 0.05;   // a few runs show no smaller loss of time; memory they do
constexpr double kLaterIsBetter = 0.01;  // what comes later in the list is the more complicated change

double shown_logarithm(const PairedChange& change) { return is_shown(change) ? std::log(change.ratio) : 0; }

bool hurts(const PairedChange& change) { return change.p_greater <= kHarmErrorRate && change.ratio > 1 + kTolerableHarm; }

bool says_something_else(const Variant& plain, const Variant& other) {
    return !plain.outputs.empty() && compare_outputs(plain.outputs, other.outputs) == Sameness::differs;
}

/// By estimates, shown or not: for choosing.
double screening_score(const Change& change) {
    return std::log(change.cpu.ratio) + std::log(change.peak.ratio) + std::log(change.idle.ratio);
}

bool costs_little(const Change& change) {
    return std::max(change.cpu.ratio, change.wall.ratio) <= 1 + kScreenedTime &&
           std::max(change.peak.ratio, change.idle.ratio) <= 1 + kTolerableHarm;
}

/// Of what costs something, whatever it saves, the least dear is nearest to being worth it.
double worst_loss(const Change& change) {
    return std::log(std::max({change.cpu.ratio, change.wall.ratio, change.peak.ratio, change.idle.ratio}));
}

struct Rank {
    std::size_t variant;
    bool cheap;
    double score;  ///< the less, the better
};

/// Requires: there is one.
std::size_t best_of(const std::vector<Rank>& ranks) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < ranks.size(); ++i) {
        const bool cheaper = ranks[i].cheap && !ranks[best].cheap;
        if (cheaper || (ranks[i].cheap == ranks[best].cheap && ranks[i].score < ranks[best].score - kLaterIsBetter)) {
            best = i;
        }
    }
    return best;
}

/// "CPU -15 % (-17 % to -13 %), ..." of the figures that `counts` names.
std::string listed(const Change& change, bool (*counts)(const PairedChange&)) {
    std::string text;
    const auto add = [&text, counts](const PairedChange& figure, const char* name) {
        if (counts(figure)) {
            text += (text.empty() ? "" : ", ") + std::string{name} + " " + signed_percent(figure.ratio);
            text += study::has_interval(figure) ? " (" + signed_percent(figure.low) + " to " + signed_percent(figure.high) + ")" : "";
        }
    };
    add(change.cpu, "CPU");
    add(change.wall, "wall");
    add(change.peak, "peak RSS");
    add(change.idle, "RSS after idling");
    return text;
}

bool is_gain(const PairedChange& change) { return is_shown(change) && change.ratio < 1; }

bool is_small_loss(const PairedChange& change) { return is_shown(change) && change.ratio > 1 && !hurts(change); }

std::string pairs_text(const Change& change) {
    return std::to_string(change.cpu.pairs) + (change.cpu.pairs == 1 ? " pair of runs" : " pairs of runs");
}

}  // namespace

double Change::score() const { return shown_logarithm(cpu) + shown_logarithm(peak) + shown_logarithm(idle); }

bool Change::harmless() const { return !hurts(cpu) && !hurts(wall) && !hurts(peak) && !hurts(idle); }

Change change_of(const Variant& plain, const Variant& other) {
    return {study::compare_rounds(plain.cpu_s(), other.cpu_s()), study::compare_rounds(plain.wall_s(), other.wall_s()),
            study::compare_rounds(plain.peak_bytes(), other.peak_bytes()), study::compare_rounds(plain.idle_bytes(), other.idle_bytes())};
}

std::vector<std::size_t> promising(const std::vector<Variant>& variants) {
    std::vector<Rank> ranks;
    for (std::size_t i = 1; i < variants.size(); ++i) {
        if (variants[i].all_well() && !says_something_else(variants.front(), variants[i])) {
            const Change change = change_of(variants.front(), variants[i]);
            const bool cheap = costs_little(change);
            ranks.push_back({i, cheap, cheap ? screening_score(change) : worst_loss(change)});
        }
    }
    std::vector<std::size_t> order;
    while (!ranks.empty()) {
        const std::size_t best = best_of(ranks);
        order.push_back(ranks[best].variant);
        ranks.erase(ranks.begin() + static_cast<std::ptrdiff_t>(best));
    }
    return order;
}

Outcome outcome_of(const Tuning& tuning) {
    if (tuning.finals.size() < 2) {
        return Outcome::nothing_tried;
    }
    const Variant& plain = tuning.finals[0];
    const Variant& tuned = tuning.finals[1];
    if (!plain.all_well()) {
        return Outcome::unsteady;
    }
    if (!tuned.all_well()) {
        return Outcome::failed;
    }
    if (says_something_else(plain, tuned)) {
        return Outcome::other_output;
    }
    const Change change = change_of(plain, tuned);
    if (!change.harmless()) {
        return Outcome::too_dear;
    }
    if (change.cpu.pairs < study::kLeastPairs) {
        return Outcome::too_few_runs;
    }
    return change.score() < std::log(1 - kLeastWin) ? Outcome::worth_it : Outcome::too_little;
}

std::string sentence_of(Outcome outcome, const Tuning& tuning) {
    if (outcome == Outcome::nothing_tried) {
        return tuning.candidates.size() < 2 ? "no change is worth it: there was nothing to try from outside"
                                            : "no change is worth it: the program ran well under none of what was tried";
    }
    const Variant& plain = tuning.finals[0];
    const Variant& tuned = tuning.finals[1];
    const std::string& label = tuning.candidates[tuning.chosen].label;
    const Change change = change_of(plain, tuned);
    const std::string gains = listed(change, is_gain);
    const std::string losses = listed(change, hurts);
    const std::string small = listed(change, is_small_loss);
    const std::string nothing = "no change is worth it: ";
    switch (outcome) {
        case Outcome::worth_it:
            return label + " is worth it: " + gains + (small.empty() ? "" : ", for " + small) + ", in " + pairs_text(change) +
                   " made after the choice";
        case Outcome::too_dear: return nothing + label + (gains.empty() ? "" : " wins " + gains + ", but") + " costs " + losses;
        case Outcome::other_output:
            return nothing + "under " + label + " the program's output is another one; compare " + kept_output(plain) + " with " +
                   kept_output(tuned);
        case Outcome::failed: return nothing + "under " + label + " the program ended with " + tuned.runs.back().ending();
        case Outcome::unsteady:
            return "nothing can be said: the plain program ended with " + plain.runs.back().ending() + " in run " +
                   std::to_string(plain.runs.size());
        case Outcome::too_few_runs:
            return "nothing can be said: in " + pairs_text(change) + " luck explains everything; --runs " +
                   std::to_string(study::kLeastPairs) + " or more can show something";
        default: break;
    }
    return nothing + "the best that was tried, " + label + ", " +
           (gains.empty() ? "differs from the plain program by no more than chance explains" : "wins no more than " + gains) + ", in " +
           pairs_text(change);
}

Candidate recommended(const Tuning& tuning) { return tuning.candidates[outcome_of(tuning) == Outcome::worth_it ? tuning.chosen : 0]; }

}  // namespace heapwright::cli
