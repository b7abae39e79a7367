// The outcome of `tune` as JSON.
#include <algorithm>
#include <cstddef>
#include <string>

#include "tuning.hpp"
#include <nlohmann/json.hpp>

namespace heapwright::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(Sameness sameness) {
    switch (sameness) {
        case Sameness::same: return "same";
        case Sameness::same_but_numbers: return "same but for numbers";
        case Sameness::varies_by_itself: return "varies by itself";
        case Sameness::cut_off: return "cut off";
        case Sameness::differs: return "differs";
    }
    return "";
}

const char* name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::worth_it: return "worth it";
        case Outcome::nothing_tried: return "nothing tried";
        case Outcome::too_few_runs: return "too few runs";
        case Outcome::too_little: return "too little";
        case Outcome::too_dear: return "too dear";
        case Outcome::other_output: return "other output";
        case Outcome::failed: return "failed";
        case Outcome::unsteady: return "unsteady";
    }
    return "";
}

Json row_of(const std::vector<Variant>& variants, std::size_t index) {
    const Variant& variant = variants[index];
    Json row{{"label", variant.label},
             {"well", variant.all_well()},
             {"ending", variant.runs.empty() ? "not run" : variant.runs.back().ending()},
             {"wall_s", variant.wall_s()},
             {"cpu_s", variant.cpu_s()},
             {"peak_resident_bytes", variant.peak_bytes()},
             {"idle_resident_bytes", variant.idle_bytes()}};
    if (index > 0) {
        const Change change = change_of(variants.front(), variant);
        const auto add = [&row](const std::string& name, const study::PairedChange& figure) {
            row[name + "_ratio"] = figure.ratio;
            row[name + "_interval"] = study::has_interval(figure) ? Json{figure.low, figure.high} : Json(nullptr);
            row[name + "_p"] = std::min({1.0, 2 * figure.p_less, 2 * figure.p_greater});
            row[name + "_real"] = is_shown(figure);
        };
        add("cpu", change.cpu);
        add("wall", change.wall);
        add("peak", change.peak);
        add("idle", change.idle);
        row["pairs"] = change.cpu.pairs;
        if (!variants.front().outputs.empty()) {
            row["output"] = name_of(compare_outputs(variants.front().outputs, variant.outputs));
        }
    }
    return row;
}

}  // namespace

std::string tuning_json(const Tuning& tuning) {
    Json json{{"command", tuning.command}};
    for (std::size_t i = 0; i < tuning.variants.size(); ++i) {
        json["runs"].push_back(row_of(tuning.variants, i));
    }
    json["finals"] = Json::array();
    for (std::size_t i = 0; i < tuning.finals.size(); ++i) {
        json["finals"].push_back(row_of(tuning.finals, i));
    }
    const Outcome outcome = outcome_of(tuning);
    json["chosen"] = tuning.chosen == 0 ? Json(nullptr) : Json(tuning.candidates[tuning.chosen].label);
    json["outcome"] = name_of(outcome);
    json["best"] = outcome == Outcome::worth_it ? Json(tuning.candidates[tuning.chosen].label) : Json(nullptr);
    json["verdict"] = sentence_of(outcome, tuning);
    json["rule"] = {{"test", "Wilcoxon signed rank, exact, two-sided"},
                    {"estimate", "Hodges-Lehmann"},
                    {"level", study::kErrorRate},
                    {"least_gain", kLeastWin},
                    {"tolerated_loss", kTolerableHarm}};
    json["config"] = tuning.config_path;
    json["replay"] = Json::object();
    for (std::size_t i = 0; tuning.comparison && i < tuning.comparison->trials.size(); ++i) {
        const study::TrialSummary& trial = tuning.comparison->trials[i];
        if (trial.good_runs() != 0) {
            json["replay"][trial.spec.label] = {{"cpu_ns", trial.spread(study::Metric::cpu).median},
                                                {"peak_rss_bytes", trial.spread(study::Metric::peak_rss).median},
                                                {"retained_bytes", trial.spread(study::Metric::retained).median}};
        }
    }
    json["suggestions"] = Json::array();
    for (const study::Suggestion& suggestion : tuning.suggestions) {
        json["suggestions"].push_back({{"id", suggestion.experiment.id},
                                       {"rule", suggestion.rule},
                                       {"title", suggestion.title},
                                       {"where", suggestion.where},
                                       {"verdict", study::name_of(suggestion.verdict)},
                                       {"proof", suggestion.proof},
                                       {"how", suggestion.how}});
    }
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heapwright::cli
