// The few lines that `tune` ends with: for somebody who reads nothing else.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "sizes.hpp"
#include "tuning.hpp"
#include <nlohmann/json.hpp>

#include <heapwright/study/report/summary.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

using study::Ink;
using study::Table;
using study::Terminal;

constexpr std::size_t kOtherSuggestions = 4;

std::uint64_t whole(double value) { return static_cast<std::uint64_t>(std::llround(std::max(value, 0.0))); }

double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

std::string seconds_text(double seconds) { return study::duration_text(whole(seconds * 1e9)); }

std::string with_change(const std::string& value, const study::Difference& difference) {
    return value + (difference.real ? " " + signed_percent(difference.ratio) : " =");
}

std::string runs_table(const Tuning& tuning, const Terminal& terminal) {
    Table table{{{"the program itself", Table::Align::flexible},
                 {"wall", Table::Align::right},
                 {"CPU", Table::Align::right},
                 {"peak RSS", Table::Align::right}}};
    for (std::size_t i = 0; i < tuning.variants.size(); ++i) {
        const Variant& variant = tuning.variants[i];
        if (!variant.all_well()) {
            table.add({variant.label, variant.runs.empty() ? "not run" : variant.runs.back().ending(), "-", "-"});
            continue;
        }
        const std::string wall = seconds_text(median(variant.wall_s()));
        const std::string cpu = seconds_text(median(variant.cpu_s()));
        const std::string peak = study::bytes_text(whole(median(variant.peak_bytes())));
        const RealDifference difference = real_difference(tuning, i);
        table.add(i == 0 ? std::vector{variant.label, wall, cpu, peak}
                         : std::vector{variant.label, with_change(wall, difference.wall), with_change(cpu, difference.cpu),
                                       with_change(peak, difference.peak)},
                  i == 0 ? Ink::strong : Ink::plain);
    }
    return table.text(terminal);
}

std::string memory_lines(const Tuning& tuning, const Terminal& terminal) {
    std::string text = study::inked(terminal, Ink::strong, "what its memory is") + "\n";
    const study::MemoryVerdict verdict = study::verdict_of(tuning.findings);
    text += "  " + study::wrapped(verdict.headline, terminal.width, 2) + "\n";
    for (const std::string& sentence : verdict.sentences) {
        text += "  " + study::wrapped(sentence, terminal.width, 2) + "\n";
    }
    return text;
}

std::string worth(const RealDifference& difference) {
    std::string text;
    const auto add = [&text](const study::Difference& figure, const char* name) {
        if (figure.real) {
            text += (text.empty() ? "" : ", ") + std::string{name} + " " + signed_percent(figure.ratio);
        }
    };
    add(difference.cpu, "CPU");
    add(difference.wall, "wall");
    add(difference.peak, "peak RSS");
    return text;
}

const study::Suggestion* best_code_change(const Tuning& tuning) {
    const study::Suggestion* best = nullptr;
    for (const study::Suggestion& suggestion : tuning.suggestions) {
        const auto kind = suggestion.experiment.kind;
        const bool from_outside = kind == study::Experiment::Kind::allocator || kind == study::Experiment::Kind::setting;
        if (!from_outside && suggestion.verdict == study::Verdict::proved && best == nullptr) {
            best = &suggestion;  // they come ranked
        }
    }
    return best;
}

std::string change_lines(const Tuning& tuning, const Terminal& terminal) {
    std::string text = study::inked(terminal, Ink::strong, "the change that helps most") + "\n";
    if (const auto best = best_variant(tuning)) {
        text += "  " + tuning.variants[*best].label + ": " + worth(real_difference(tuning, *best)) +
                ", measured on the program itself in " + std::to_string(tuning.variants[*best].runs.size()) +
                " runs taken in turns with the plain one\n  paste: " +
                study::inked(terminal, Ink::good, study::how_to_apply(tuning.specs[*best])) + "\n";
    } else if (tuning.variants.size() > 1) {
        text += "  no setting and no other allocator is worth a change: what was tried is above\n";
    } else {
        text += "  nothing could be tried from outside\n";
    }
    if (const study::Suggestion* code = best_code_change(tuning)) {
        text += "  in the code: " +
                study::wrapped(code->title + (code->where.empty() ? "" : ", " + code->where) + "; " + code->proof, terminal.width, 2) +
                "\n";
    }
    return text;
}

std::string suggestion_lines(const Tuning& tuning, const Terminal& terminal) {
    if (tuning.suggestions.empty()) {
        return {};
    }
    std::string text = study::inked(terminal, Ink::strong, "all suggestions") + "\n";
    std::size_t shown = 0;
    for (const study::Suggestion& suggestion : tuning.suggestions) {
        if (++shown > kOtherSuggestions) {
            text += "  and " + std::to_string(tuning.suggestions.size() - kOtherSuggestions) + " more in the report\n";
            break;
        }
        text += "  " + std::string{study::name_of(suggestion.verdict)} + ": " + suggestion.title + "\n";
    }
    return text;
}

}  // namespace

std::string verdict_text(const Tuning& tuning, const Terminal& terminal) {
    return "\n" + study::inked(terminal, Ink::strong, tuning.command) + "\n\n" + runs_table(tuning, terminal) + "\n" +
           memory_lines(tuning, terminal) + "\n" + change_lines(tuning, terminal) + "\n" + suggestion_lines(tuning, terminal);
}

std::string tuning_json(const Tuning& tuning) {
    nlohmann::ordered_json json{{"command", tuning.command}};
    for (std::size_t i = 0; i < tuning.variants.size(); ++i) {
        const Variant& variant = tuning.variants[i];
        nlohmann::ordered_json row{{"label", variant.label},
                                   {"well", variant.all_well()},
                                   {"wall_s", variant.wall_s()},
                                   {"cpu_s", variant.cpu_s()},
                                   {"peak_resident_bytes", variant.peak_bytes()}};
        if (i > 0) {
            const RealDifference difference = real_difference(tuning, i);
            row["cpu_ratio"] = difference.cpu.ratio;
            row["peak_ratio"] = difference.peak.ratio;
            row["apply"] = study::how_to_apply(tuning.specs[i]);
        }
        json["runs"].push_back(std::move(row));
    }
    const auto best = best_variant(tuning);
    json["best"] = best ? nlohmann::ordered_json(tuning.variants[*best].label) : nlohmann::ordered_json(nullptr);
    for (const study::Suggestion& suggestion : tuning.suggestions) {
        json["suggestions"].push_back({{"id", suggestion.experiment.id},
                                       {"rule", suggestion.rule},
                                       {"title", suggestion.title},
                                       {"where", suggestion.where},
                                       {"verdict", study::name_of(suggestion.verdict)},
                                       {"proof", suggestion.proof},
                                       {"how", suggestion.how}});
    }
    return json.dump(1) + "\n";
}

}  // namespace heapwright::cli
