#include <heapwright/study/replay/prove.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <heapwright/study/advice/allocator_in_use.hpp>

namespace heapwright::study {

namespace {

Metric metric_of(Gain gain) {
    switch (gain) {
        case Gain::peak: return Metric::peak_rss;
        case Gain::mean: return Metric::mean_rss;
        case Gain::retained: return Metric::retained;
        case Gain::time: return Metric::cpu;
    }
    return Metric::peak_rss;
}

PlacementKind placement_of(Experiment::Kind kind) {
    switch (kind) {
        case Experiment::Kind::arena_at_site: return PlacementKind::arena;
        case Experiment::Kind::pool_at_site: return PlacementKind::pool;
        case Experiment::Kind::reserve_at_site: return PlacementKind::reserve;
        case Experiment::Kind::stack_at_site: return PlacementKind::stack;
        case Experiment::Kind::resize_at_site: return PlacementKind::resize;
        case Experiment::Kind::remove_at_site: return PlacementKind::remove;
        case Experiment::Kind::trim: return PlacementKind::trim;
        case Experiment::Kind::plan: return PlacementKind::planned;
        default: return PlacementKind::none;
    }
}

std::string amount(double value, Metric metric) {
    char text[48];
    if (is_time(metric)) {
        std::snprintf(text, sizeof(text), value < 1e9 ? "%.1f ms" : "%.2f s", value < 1e9 ? value / 1e6 : value / 1e9);
    } else if (value < 1024.0 * 1024) {
        std::snprintf(text, sizeof(text), "%.0f KiB", value / 1024);
    } else {
        std::snprintf(text, sizeof(text), "%.1f MiB", value / 1024 / 1024);
    }
    return text;
}

/// "peak RSS 12.4 MiB to 9.1 MiB (-26.6 %)", with "within noise" where it is.
std::string change_text(const Comparison& comparison, std::size_t trial, Metric metric) {
    const Spread before = comparison.trials[comparison.baseline].spread(metric);
    const Spread after = comparison.trials[trial].spread(metric);
    const Difference change = comparison.difference(trial, metric);
    char percent[48];
    if (before.median <= 0) {
        std::snprintf(percent, sizeof(percent), "from nothing");
    } else {
        std::snprintf(percent, sizeof(percent), "%+.1f %%%s", (change.ratio - 1) * 100, change.real ? "" : ", within noise");
    }
    return std::string(name_of(metric)) + " " + amount(before.median, metric) + " to " + amount(after.median, metric) + " (" + percent +
           ")";
}

/// What a change is weighed against: all that the program had resident, and all the time that it took. A replay does
/// nothing but allocate, so a ratio of its time would make any cost look many times as large as the program would feel it.
double whole_of(const Comparison& comparison, Metric metric) {
    const double replayed = comparison.trials[comparison.baseline].spread(is_time(metric) ? Metric::cpu : Metric::peak_rss).median;
    const std::uint64_t resident =
        comparison.recorded_peak_rss_bytes - std::min(comparison.recorded_peak_rss_bytes, comparison.recorder_rss_bytes);
    return std::max({1.0, static_cast<double>(is_time(metric) ? comparison.recorded_cpu_ns : resident), replayed});
}

double share_of_whole(const Comparison& comparison, const Difference& change, Metric metric) {
    return change.real ? std::fabs(change.by) / whole_of(comparison, metric) : 0;
}

/// What the trial really takes more of; 0 when that is nothing. Time is compared by the fastest runs: whatever else the
/// machine does only ever adds to it, and here that would be held against the suggestion.
double cost_of(const Comparison& comparison, std::size_t trial, Metric metric) {
    const Difference cost = comparison.difference(trial, metric);
    if (!cost.real) {
        return 0;
    }
    const double least = comparison.trials[trial].spread(metric).least - comparison.trials[comparison.baseline].spread(metric).least;
    return std::max(0.0, is_time(metric) ? least : cost.by);
}

/// "it costs 12.0 ms more, 4.1 % of the program's 290.0 ms".
std::string cost_text(const Comparison& comparison, double cost, Metric metric) {
    const double whole = whole_of(comparison, metric);
    char share[32];
    std::snprintf(share, sizeof(share), "%.1f %%", 100 * cost / whole);
    return "it costs " + amount(cost, metric) + " more, " + share + " of the program's " + amount(whole, metric);
}

void refuse(Suggestion& suggestion, const std::string& why) {
    suggestion.verdict = Verdict::not_tried;
    suggestion.proof = "not tried: " + why;
}

/// Why an experiment that ran says nothing; empty when it does say something.
std::string no_answer(const Suggestion& suggestion, const TrialSummary& trial) {
    if (suggestion.experiment.kind == Experiment::Kind::trim && trial.good_runs() > 0 && !trial.runs.front().trim_works) {
        return "this allocator offers no way to ask for it";
    }
    return trial.failure();
}

/// Longer than our heap keeps what is free: a plan decides which pages become free at all.
constexpr double kPlanIdleS = 1;

/// What a plan is compared with: the same malloc, left alone for as long.
TrialSpec without_plan(const Experiment& experiment) {
    TrialSpec spec = parse_trial(experiment.target);
    spec.label += " without the plan";
    spec.idle_s = kPlanIdleS;
    return spec;
}

/// Returns: the index of this trial among the specs, to which it is added where it is missing.
std::size_t add_trial(std::vector<TrialSpec>& specs, TrialSpec spec) {
    const auto same = std::find_if(specs.begin(), specs.end(), [&spec](const TrialSpec& known) { return known.label == spec.label; });
    const auto index = static_cast<std::size_t>(same - specs.begin());
    if (same == specs.end()) {
        specs.push_back(std::move(spec));
    }
    return index;
}

}  // namespace

TrialSpec trial_of(const Experiment& experiment, const std::string& own) {
    if (experiment.kind == Experiment::Kind::allocator || experiment.kind == Experiment::Kind::setting) {
        return parse_trial(experiment.target);
    }
    const bool is_plan = experiment.kind == Experiment::Kind::plan;
    TrialSpec spec = parse_trial(is_plan ? experiment.target : own);
    spec.label = experiment.id;
    spec.placement.kind = placement_of(experiment.kind);
    spec.placement.stacks = experiment.stacks;
    spec.placement.pool_block_bytes = experiment.pool_block_bytes;
    spec.placement.pool_alignment = experiment.pool_alignment;
    spec.placement.from_size = experiment.from_size;
    spec.placement.to_size = experiment.to_size;
    spec.placement.usual_alignment = experiment.usual_alignment;
    if (is_plan && !experiment.entries.empty()) {
        spec.idle_s = kPlanIdleS;
        spec.placement.place = experiment.entries.front().place;
        spec.placement.min_bytes = experiment.entries.front().min_bytes;
        spec.placement.max_bytes = experiment.entries.front().max_bytes;
    }
    return spec;
}

void judge(Suggestion& suggestion, const Comparison& comparison, std::size_t trial) {
    if (const std::string why = no_answer(suggestion, comparison.trials[trial]); !why.empty()) {
        refuse(suggestion, why);
        return;
    }
    if (const std::string why = comparison.trials[comparison.baseline].failure(); !why.empty()) {
        refuse(suggestion, why);
        return;
    }
    const Metric wanted = metric_of(suggestion.experiment.gain);
    const Metric other = suggestion.experiment.gain == Gain::time ? Metric::peak_rss : Metric::cpu;
    const Difference gain = comparison.difference(trial, wanted);
    const Difference cost = comparison.difference(trial, other);
    const double bytes = suggestion.experiment.gain == Gain::time ? -cost.by : -gain.by;
    const double nanoseconds = suggestion.experiment.gain == Gain::time ? -gain.by : -cost.by;
    suggestion.measured_bytes = bytes;
    suggestion.measured_seconds = nanoseconds / 1e9;
    const bool better = gain.real && gain.by < 0;
    const double won = share_of_whole(comparison, gain, wanted);
    const double extra = cost_of(comparison, trial, other);
    const double paid = extra / whole_of(comparison, other);
    const bool dear = paid > kTolerableCost || paid > won;
    const bool small = won < kLeastGain;
    suggestion.verdict = better && !dear && !small ? Verdict::proved : Verdict::refuted;
    const char* const verdict = !better ? (gain.real ? "refuted, it gets worse: " : "refuted, no difference beyond noise: ")
                                : dear  ? "refuted, it costs more than it is worth: "
                                : small ? "refuted, too little to be worth a change: "
                                        : "proved: ";
    std::string text = change_text(comparison, trial, wanted) + ", " + change_text(comparison, trial, other);
    if (better && paid > 0) {
        text += "; " + cost_text(comparison, extra, other);
    }
    const double expected = suggestion.experiment.gain == Gain::time ? suggestion.expected_seconds * 1e9 : suggestion.expected_bytes;
    if (expected > 0) {
        text += "; " + amount(expected, wanted) + " less was expected";
    }
    suggestion.proof = verdict + text + " (median of " + std::to_string(comparison.trials[trial].good_runs()) + " replays each)";
}

Result<Comparison> prove(const std::string& trace_path, const std::map<std::string, std::string>& provenance,
                         std::vector<Suggestion>& suggestions, const ReplayOptions& options, const Progress& progress) {
    const std::string own = allocator_in_use(provenance).spec;
    std::vector<TrialSpec> specs{parse_trial(own)};
    std::vector<std::size_t> trial_of_suggestion(suggestions.size(), 0);
    std::vector<std::size_t> baseline_of_suggestion(suggestions.size(), 0);
    for (std::size_t i = 0; i < suggestions.size(); ++i) {
        const Experiment& experiment = suggestions[i].experiment;
        if (experiment.kind == Experiment::Kind::none) {
            continue;
        }
        trial_of_suggestion[i] = add_trial(specs, trial_of(experiment, own));
        if (experiment.kind == Experiment::Kind::plan) {
            baseline_of_suggestion[i] = add_trial(specs, without_plan(experiment));
        }
    }
    Result<Comparison> comparison;
    if (specs.size() == 1) {
        std::for_each(suggestions.begin(), suggestions.end(),
                      [](Suggestion& suggestion) { refuse(suggestion, "there is no replay for it"); });
        return comparison;
    }
    ReplayOptions ours = options;
    ours.baseline = 0;
    ours.runs = std::max(3U, options.runs);
    comparison = replay(trace_path, specs, ours, progress);
    if (!comparison) {
        return comparison;
    }
    for (std::size_t i = 0; i < suggestions.size(); ++i) {
        if (trial_of_suggestion[i] == 0) {
            refuse(suggestions[i], "there is no replay for it");
        } else {
            comparison->baseline = baseline_of_suggestion[i];
            judge(suggestions[i], *comparison, trial_of_suggestion[i]);
        }
    }
    comparison->baseline = 0;
    return comparison;
}

}  // namespace heapwright::study
