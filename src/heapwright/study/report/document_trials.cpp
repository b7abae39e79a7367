// The document's `comparison`: what replaying the trace through other allocators and settings measured.
#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/study/replay/comparison.hpp>
#include <heapwright/study/report/detail/document_parts.hpp>

namespace heapwright::study::detail {
namespace {

struct Measure {
    std::string_view name;
    std::uint64_t TrialRun::* value;
};

constexpr std::array<Measure, 13> kMeasures = {{{"peak_rss_bytes", &TrialRun::peak_rss_bytes},
                                                {"mean_rss_bytes", &TrialRun::mean_rss_bytes},
                                                {"end_rss_bytes", &TrialRun::end_rss_bytes},
                                                {"retained_bytes", &TrialRun::retained_bytes},
                                                {"floor_bytes", &TrialRun::floor_bytes},
                                                {"wall_ns", &TrialRun::wall_ns},
                                                {"cpu_ns", &TrialRun::cpu_ns},
                                                {"allocator_ns", &TrialRun::allocator_ns},
                                                {"minor_faults", &TrialRun::minor_faults},
                                                {"major_faults", &TrialRun::major_faults},
                                                {"voluntary_switches", &TrialRun::voluntary_switches},
                                                {"involuntary_switches", &TrialRun::involuntary_switches},
                                                {"syscalls", &TrialRun::system_calls}}};

std::vector<double> values_of(const TrialSummary& trial, std::uint64_t TrialRun::* value) {
    std::vector<double> values;
    bool counted = false;
    for (const TrialRun& run : trial.runs) {
        if (run.failure.empty()) {
            values.push_back(static_cast<double>(run.*value));
            counted = counted || run.*value != 0;
        }
    }
    if (value == &TrialRun::system_calls && !counted) {
        values.clear();  // not asked for
    }
    return values;
}

Spread spread_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return {values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2, values.front(), values.back()};
}

void write_metrics(JsonWriter& json, const TrialSummary& trial, const TrialSummary* baseline) {
    json.begin_object();
    for (const Measure& measure : kMeasures) {
        const std::vector<double> values = values_of(trial, measure.value);
        if (values.empty()) {
            continue;
        }
        const std::vector<double> against = baseline == nullptr ? std::vector<double>{} : values_of(*baseline, measure.value);
        const Difference change = against.empty() || baseline == &trial ? Difference{} : compare(against, values);
        const Spread spread = spread_of(values);
        json.key(measure.name);
        json.begin_object();
        json.member("median", spread.median);
        json.member("min", spread.least);
        json.member("max", spread.most);
        json.member("difference", change.by);
        json.member("real", change.real);
        json.end_object();
    }
    json.end_object();
}

void write_curve(JsonWriter& json, const TrialRun& run) {
    json.begin_object();
    json.key("progress");
    json.begin_array();
    for (const CurvePoint& point : run.curve) {
        json.value(point.progress);
    }
    json.end_array();
    json.key("rss_bytes");
    json.begin_array();
    for (const CurvePoint& point : run.curve) {
        json.value(point.resident_bytes);
    }
    json.end_array();
    json.end_object();
}

}  // namespace

void write_comparison(JsonWriter& json, const Comparison& comparison, const std::function<std::string(const std::string&)>& experiment_of) {
    const TrialSummary* baseline = comparison.baseline < comparison.trials.size() ? &comparison.trials[comparison.baseline] : nullptr;
    json.begin_object();
    json.member("baseline", comparison.baseline);
    json.key("trials");
    json.begin_array();
    for (const TrialSummary& trial : comparison.trials) {
        json.begin_object();
        json.member("label", trial.spec.label);
        json.key("environment");
        json.begin_object();
        for (const auto& [name, value] : trial.spec.environment) {
            json.member(name, value);
        }
        json.end_object();
        if (!trial.spec.preload.empty()) {
            json.member("preload", trial.spec.preload);
        }
        if (const std::string experiment = experiment_of(trial.spec.label); !experiment.empty()) {
            json.member("experiment", experiment);
        }
        json.member("runs", trial.good_runs());
        if (const std::string failure = trial.failure(); !failure.empty()) {
            json.member("failure", failure);
        }
        json.key("metrics");
        write_metrics(json, trial, baseline);
        if (const TrialRun* typical = trial.typical(); typical != nullptr && !typical->curve.empty()) {
            json.key("curve");
            write_curve(json, *typical);
        }
        json.end_object();
    }
    json.end_array();
    if (!comparison.note.empty()) {
        json.member("note", comparison.note);
    }
    json.end_object();
}

}  // namespace heapwright::study::detail
