#include <heapwright/study/replay/prove.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <heapwright/study/advice/allocator_in_use.hpp>

namespace heapwright::study {

namespace {

Metric metric_of(Gain gain) {
    switch (gain) {
        case Gain::peak:
            return Metric::peak_rss;
        case Gain::mean:
            return Metric::mean_rss;
        case Gain::retained:
            return Metric::retained;
        case Gain::time:
            return Metric::cpu;
    }
    return Metric::peak_rss;
}

PlacementKind placement_of(Experiment::Kind kind) {
    switch (kind) {
        case Experiment::Kind::arena_at_site:
            return PlacementKind::arena;
        case Experiment::Kind::pool_at_site:
            return PlacementKind::pool;
        case Experiment::Kind::reserve_at_site:
            return PlacementKind::reserve;
        case Experiment::Kind::stack_at_site:
            return PlacementKind::stack;
        case Experiment::Kind::resize_at_site:
            return PlacementKind::resize;
        case Experiment::Kind::remove_at_site:
            return PlacementKind::remove;
        case Experiment::Kind::trim:
            return PlacementKind::trim;
        default:
            return PlacementKind::none;
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

/// "peak RSS 12.4 -> 9.1 MiB (-26.6 %)", with "within noise" where it is.
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
    return std::string(name_of(metric)) + " " + amount(before.median, metric) + " to " + amount(after.median, metric) + " (" + percent + ")";
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

}  // namespace

TrialSpec trial_of(const Experiment& experiment, const std::string& own) {
    if (experiment.kind == Experiment::Kind::allocator || experiment.kind == Experiment::Kind::setting) {
        return parse_trial(experiment.target);
    }
    TrialSpec spec = parse_trial(own);
    spec.label = experiment.id;
    spec.placement.kind = placement_of(experiment.kind);
    spec.placement.stacks = experiment.stacks;
    spec.placement.pool_block_bytes = experiment.pool_block_bytes;
    spec.placement.from_size = experiment.from_size;
    spec.placement.to_size = experiment.to_size;
    spec.placement.usual_alignment = experiment.usual_alignment;
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
    const bool dear = cost.real && cost.ratio > 1 + kTolerableCost;
    suggestion.verdict = better && !dear ? Verdict::proved : Verdict::refuted;
    std::string text = change_text(comparison, trial, wanted) + ", " + change_text(comparison, trial, other);
    const double expected = suggestion.experiment.gain == Gain::time ? suggestion.expected_seconds * 1e9 : suggestion.expected_bytes;
    if (expected > 0) {
        text += "; " + amount(expected, wanted) + " less was expected";
    }
    const std::string runs = std::to_string(comparison.trials[trial].good_runs());
    const char* const verdict = better && dear ? "refuted, it costs more than it is worth: " : better ? "proved: " : gain.real ? "refuted, it gets worse: " : "refuted, no difference beyond noise: ";
    suggestion.proof = verdict + text + " (median of " + runs + " replays each)";
}

Result<Comparison> prove(const std::string& trace_path, const std::map<std::string, std::string>& provenance, std::vector<Suggestion>& suggestions,
                         const ReplayOptions& options, const Progress& progress) {
    const std::string own = allocator_in_use(provenance).spec;
    std::vector<TrialSpec> specs{parse_trial(own)};
    std::vector<std::size_t> trial_of_suggestion(suggestions.size(), 0);
    for (std::size_t i = 0; i < suggestions.size(); ++i) {
        const Experiment& experiment = suggestions[i].experiment;
        if (experiment.kind == Experiment::Kind::none) {
            continue;
        }
        TrialSpec spec = trial_of(experiment, own);
        const auto same = std::find_if(specs.begin() + 1, specs.end(), [&spec](const TrialSpec& known) { return known.label == spec.label; });
        trial_of_suggestion[i] = static_cast<std::size_t>(same - specs.begin());
        if (same == specs.end()) {
            specs.push_back(std::move(spec));
        }
    }
    ReplayOptions ours = options;
    ours.baseline = 0;
    ours.runs = std::max(3U, options.runs);
    auto comparison = replay(trace_path, specs, ours, progress);
    if (!comparison) {
        return comparison;
    }
    for (std::size_t i = 0; i < suggestions.size(); ++i) {
        if (trial_of_suggestion[i] == 0) {
            refuse(suggestions[i], "there is no replay for it");
        } else {
            judge(suggestions[i], *comparison, trial_of_suggestion[i]);
        }
    }
    return comparison;
}

}  // namespace heapwright::study
