#include "tuning.hpp"

#include <algorithm>
#include <cmath>

#include "sizes.hpp"

namespace heapwright::cli {
namespace {

using study::Difference;

constexpr double kScreenedHarm = 0.05;   // a few runs show no more than this
constexpr double kLaterIsBetter = 0.01;  // what comes later in the list is the more complicated change

double logarithm(double ratio) { return ratio > 0 ? std::log(ratio) : 0; }

double real_logarithm(const Difference& difference) { return difference.real ? logarithm(difference.ratio) : 0; }

bool hurts(const Difference& difference) { return difference.real && difference.ratio > 1 + kTolerableHarm; }

Difference compared(const std::vector<double>& plain, const std::vector<double>& other) {
    return plain.empty() || other.empty() ? Difference{} : study::compare(plain, other);
}

bool says_something_else(const Variant& plain, const Variant& other) {
    return !plain.outputs.empty() && compare_outputs(plain.outputs, other.outputs) == Sameness::differs;
}

/// By medians, real or not: for choosing.
double screening_score(const RealDifference& difference) {
    return logarithm(difference.cpu.ratio) + logarithm(difference.peak.ratio) + logarithm(difference.idle.ratio);
}

bool costs_little(const RealDifference& difference) {
    return std::max({difference.cpu.ratio, difference.peak.ratio, difference.idle.ratio}) <= 1 + kScreenedHarm;
}

std::string real_changes(const RealDifference& difference, bool losses) {
    std::string text;
    const auto add = [&text, losses](const Difference& figure, const char* name) {
        if (figure.real && (figure.ratio > 1) == losses) {
            text += (text.empty() ? "" : ", ") + std::string{name} + " " + signed_percent(figure.ratio);
        }
    };
    add(difference.cpu, "CPU");
    add(difference.wall, "wall");
    add(difference.peak, "peak RSS");
    add(difference.idle, "RSS after idling");
    return text;
}

std::string runs_text(const Variant& variant) { return std::to_string(variant.runs.size()) + " runs"; }

}  // namespace

double RealDifference::score() const { return real_logarithm(cpu) + real_logarithm(peak) + real_logarithm(idle); }

bool RealDifference::harmless() const { return !hurts(cpu) && !hurts(wall) && !hurts(peak) && !hurts(idle); }

RealDifference real_difference(const Variant& plain, const Variant& other) {
    return {compared(plain.cpu_s(), other.cpu_s()), compared(plain.wall_s(), other.wall_s()),
            compared(plain.peak_bytes(), other.peak_bytes()), compared(plain.idle_bytes(), other.idle_bytes())};
}

std::optional<std::size_t> most_promising(const std::vector<Variant>& variants) {
    std::optional<std::size_t> best;
    bool best_is_cheap = false;
    double least = 0;
    for (std::size_t i = 1; i < variants.size(); ++i) {
        if (!variants[i].all_well() || says_something_else(variants.front(), variants[i])) {
            continue;
        }
        const RealDifference difference = real_difference(variants.front(), variants[i]);
        const double score = screening_score(difference);
        const bool cheap = costs_little(difference);
        if (!best || (cheap && !best_is_cheap) || (cheap == best_is_cheap && score < least - kLaterIsBetter)) {
            best = i;
            best_is_cheap = cheap;
            least = score;
        }
    }
    return best;
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
    const RealDifference difference = real_difference(plain, tuned);
    if (!difference.harmless()) {
        return Outcome::too_dear;
    }
    return difference.score() < -kLeastWin ? Outcome::worth_it : Outcome::too_little;
}

std::string sentence_of(Outcome outcome, const Tuning& tuning) {
    if (outcome == Outcome::nothing_tried) {
        return tuning.candidates.size() < 2 ? "no change is worth it: there was nothing to try from outside"
                                            : "no change is worth it: the program ran well under none of what was tried";
    }
    const Variant& plain = tuning.finals[0];
    const Variant& tuned = tuning.finals[1];
    const std::string& label = tuning.candidates[tuning.chosen].label;
    const RealDifference difference = real_difference(plain, tuned);
    const std::string gains = real_changes(difference, false);
    const std::string losses = real_changes(difference, true);
    const std::string nothing = "no change is worth it: ";
    switch (outcome) {
        case Outcome::worth_it:
            return label + " is worth it: " + gains + (losses.empty() ? "" : ", for " + losses) + ", in " + runs_text(tuned) +
                   " each, taken in turns after the choice was made";
        case Outcome::too_dear: return nothing + label + (gains.empty() ? "" : " wins " + gains + ", but") + " costs " + losses;
        case Outcome::other_output:
            return nothing + "under " + label + " the program's output is another one; compare " + kept_output(plain) + " with " +
                   kept_output(tuned);
        case Outcome::failed: return nothing + "under " + label + " the program ended with " + tuned.runs.back().ending();
        case Outcome::unsteady:
            return "nothing can be said: the plain program ended with " + plain.runs.back().ending() + " in run " +
                   std::to_string(plain.runs.size());
        default: break;
    }
    return nothing + "the best that was tried, " + label + ", " +
           (gains.empty() ? "differs from the plain program by no more than noise" : "wins no more than " + gains) +
           (losses.empty() ? "" : " and costs " + losses);
}

Candidate recommended(const Tuning& tuning) { return tuning.candidates[outcome_of(tuning) == Outcome::worth_it ? tuning.chosen : 0]; }

}  // namespace heapwright::cli
