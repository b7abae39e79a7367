#include "comparison_text.hpp"

#include <array>
#include <cmath>

#include "sizes.hpp"
#include <nlohmann/json.hpp>

#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

using study::Comparison;
using study::Metric;
using study::Table;

constexpr std::array kColumns{Metric::peak_rss,       Metric::mean_rss, Metric::retained,
                              Metric::allocator_time, Metric::cpu,      Metric::minor_faults};
constexpr std::array kAll{Metric::peak_rss, Metric::mean_rss, Metric::end_rss,        Metric::retained,     Metric::floor,
                          Metric::cpu,      Metric::wall,     Metric::allocator_time, Metric::minor_faults, Metric::system_calls};

std::string value_text(Metric metric, double value) {
    const auto whole = static_cast<std::uint64_t>(std::llround(value));
    if (study::is_bytes(metric)) {
        return study::bytes_text(whole);
    }
    return study::is_time(metric) ? study::duration_text(whole) : study::count_text(whole);
}

std::string cell(const Comparison& comparison, std::size_t trial, Metric metric) {
    std::string text = value_text(metric, comparison.trials[trial].spread(metric).median);
    if (trial == comparison.baseline) {
        return text;
    }
    const study::Difference difference = comparison.difference(trial, metric);
    return text + (difference.real ? " " + signed_percent(difference.ratio) : " =");
}

std::string rows(const Comparison& comparison, const study::Terminal& terminal) {
    std::vector<Table::Column> columns{{"allocator", Table::Align::flexible}};
    for (const Metric metric : kColumns) {
        columns.push_back({study::name_of(metric), Table::Align::right});
    }
    Table table{columns};
    for (std::size_t trial = 0; trial < comparison.trials.size(); ++trial) {
        const study::TrialSummary& summary = comparison.trials[trial];
        if (!summary.failure().empty()) {
            continue;
        }
        std::vector<std::string> cells{summary.spec.label};
        for (const Metric metric : kColumns) {
            cells.push_back(cell(comparison, trial, metric));
        }
        table.add(std::move(cells), trial == comparison.baseline ? study::Ink::strong : study::Ink::plain);
    }
    return table.empty() ? std::string{} : table.text(terminal);
}

std::string failures(const Comparison& comparison) {
    std::string text;
    for (const study::TrialSummary& summary : comparison.trials) {
        if (const std::string failure = summary.failure(); !failure.empty()) {
            text += "  " + summary.spec.label + " has no figures: " + failure + "\n";
        }
    }
    return text;
}

std::string leaders(const Comparison& comparison) {
    std::string text;
    for (const Metric metric : {Metric::peak_rss, Metric::retained, Metric::allocator_time}) {
        const auto best = comparison.best(metric);
        if (!best) {
            continue;
        }
        const study::TrialSummary& summary = comparison.trials[*best];
        const std::string apply = study::how_to_apply(summary.spec);
        text += "  least " + std::string{study::name_of(metric)} + ": " + summary.spec.label + " (" +
                signed_percent(comparison.difference(*best, metric).ratio) + ")" + (apply.empty() ? "" : ", by " + apply) + "\n";
    }
    return text.empty() ? "  no trial is really better than " + comparison.trials[comparison.baseline].spec.label + "\n" : text;
}

nlohmann::ordered_json trial_json(const Comparison& comparison, std::size_t trial) {
    const study::TrialSummary& summary = comparison.trials[trial];
    nlohmann::ordered_json json{{"label", summary.spec.label},
                                {"baseline", trial == comparison.baseline},
                                {"apply", study::how_to_apply(summary.spec)},
                                {"runs", summary.good_runs()}};
    if (const std::string failure = summary.failure(); !failure.empty()) {
        json["failure"] = failure;
        return json;
    }
    for (const Metric metric : kAll) {
        const study::Spread spread = summary.spread(metric);
        const study::Difference difference = comparison.difference(trial, metric);
        json["metrics"][study::name_of(metric)] = {{"median", spread.median},   {"least", spread.least}, {"most", spread.most},
                                                   {"ratio", difference.ratio}, {"p", difference.p},     {"real", difference.real}};
    }
    if (const double predicted = comparison.predicted_peak_rss_bytes(trial); predicted > 0) {
        json["predicted_peak_rss_bytes"] = predicted;
    }
    if (const study::TrialRun* typical = summary.typical()) {
        for (const study::CurvePoint& point : typical->curve) {
            json["curve"].push_back({point.progress, point.resident_bytes});
        }
    }
    return json;
}

}  // namespace

std::string comparison_text(const Comparison& comparison, const study::Terminal& terminal) {
    std::string text = study::count_text(comparison.events) + " events replayed; resident memory of the heap alone, medians of " +
                       std::to_string(comparison.trials[comparison.baseline].runs.size()) +
                       " runs taken in turns; = is no real difference\n\n";
    text += rows(comparison, terminal) + failures(comparison) + "\n" + leaders(comparison);
    return comparison.note.empty() ? text : text + "\n" + comparison.note + "\n";
}

std::string comparison_json(const Comparison& comparison) {
    nlohmann::ordered_json json{{"events", comparison.events},
                                {"recorded_ns", comparison.recorded_ns},
                                {"recorded_peak_live_bytes", comparison.recorded_peak_live_bytes},
                                {"recorded_peak_rss_bytes", comparison.recorded_peak_rss_bytes},
                                {"note", comparison.note}};
    for (std::size_t trial = 0; trial < comparison.trials.size(); ++trial) {
        json["trials"].push_back(trial_json(comparison, trial));
    }
    return json.dump(1) + "\n";
}

}  // namespace heapwright::cli
