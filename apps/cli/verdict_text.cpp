// The few lines that `tune` ends with: for somebody who reads nothing else.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "sizes.hpp"
#include "tuning.hpp"

#include <heapwright/study/paired/median.hpp>
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

std::string rule_sentence(const Change& change) {
    return "change: Hodges-Lehmann estimate of the ratios of " + std::to_string(change.cpu.pairs) +
           " pairs of runs; real where Wilcoxon's signed-rank test gives chance less than 1 in 100; = is no more than chance explains";
}

struct Figure {
    const char* title;
    std::vector<double> (Variant::*values)() const;
    study::PairedChange Change::* change;
    std::string (*text)(double value);
};

constexpr Figure kFigures[] = {
    {"wall", &Variant::wall_s, &Change::wall, [](double value) { return study::duration_text(whole(value * 1e9)); }},
    {"CPU", &Variant::cpu_s, &Change::cpu, [](double value) { return study::duration_text(whole(value * 1e9)); }},
    {"peak RSS", &Variant::peak_bytes, &Change::peak, [](double value) { return study::bytes_text(whole(value)); }},
    {"RSS after idling", &Variant::idle_bytes, &Change::idle, [](double value) { return study::bytes_text(whole(value)); }},
};

std::vector<Figure> measured_figures(const Variant& plain) {
    std::vector<Figure> figures;
    std::ranges::copy_if(kFigures, std::back_inserter(figures),
                         [&plain](const Figure& figure) { return !(plain.*figure.values)().empty(); });
    return figures;
}

Table table_for(const std::vector<Figure>& figures, const char* title) {
    std::vector<Table::Column> columns{{title, Table::Align::flexible}};
    for (const Figure& figure : figures) {
        columns.push_back({figure.title, Table::Align::right});
    }
    return Table{columns};
}

/// Medians of every variant, and how they seem to differ from the first.
std::string runs_table(const std::vector<Variant>& variants, const char* title, const Terminal& terminal) {
    const std::vector<Figure> figures = measured_figures(variants.front());
    Table table = table_for(figures, title);
    for (std::size_t i = 0; i < variants.size(); ++i) {
        const Variant& variant = variants[i];
        std::vector<std::string> cells{variant.label};
        const Change change = change_of(variants.front(), variant);
        for (const Figure& figure : figures) {
            cells.push_back(figure.text(study::median((variant.*figure.values)())) +
                            (i == 0 ? "" : " " + signed_percent((change.*figure.change).ratio)));
        }
        if (!variant.all_well()) {
            cells.assign(figures.size() + 1, "-");
            cells[0] = variant.label;
            cells[1] = variant.runs.empty() ? "not run" : variant.runs.back().ending();
        }
        table.add(std::move(cells), i == 0 ? Ink::strong : Ink::plain);
    }
    return table.text(terminal);
}

/// The two that were run after the choice: each figure with the least and the most that was seen, the change with its interval.
std::string finals_table(const Tuning& tuning, const Terminal& terminal) {
    const std::vector<Figure> figures = measured_figures(tuning.finals.front());
    Table table = table_for(figures, "before and after");
    for (const Variant& variant : tuning.finals) {
        std::vector<std::string> medians{variant.label};
        std::vector<std::string> ranges{""};
        for (const Figure& figure : figures) {
            const std::vector<double> values = (variant.*figure.values)();
            medians.push_back(figure.text(study::median(values)));
            ranges.push_back(values.empty() ? "-"
                                            : figure.text(*std::ranges::min_element(values)) + " to " +
                                                  figure.text(*std::ranges::max_element(values)));
        }
        table.add(std::move(medians), Ink::strong);
        table.add(std::move(ranges), Ink::faint);
    }
    std::vector<std::string> changes{"change"};
    std::vector<std::string> intervals{"99 % sure"};
    const Change change = change_of(tuning.finals[0], tuning.finals[1]);
    for (const Figure& figure : figures) {
        const study::PairedChange& one = change.*figure.change;
        changes.push_back(is_shown(one) ? signed_percent(one.ratio) : "= " + signed_percent(one.ratio));
        intervals.push_back(study::has_interval(one) ? signed_percent(one.low) + " to " + signed_percent(one.high) : "too few runs");
    }
    table.add(std::move(changes), Ink::strong);
    table.add(std::move(intervals), Ink::faint);
    return table.text(terminal) + study::inked(terminal, Ink::faint, "  " + study::wrapped(rule_sentence(change), terminal.width, 2)) +
           "\n";
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

const study::Suggestion* best_code_change(const Tuning& tuning) {
    const study::Suggestion* best = nullptr;
    for (const study::Suggestion& suggestion : tuning.suggestions) {
        const auto kind = suggestion.experiment.kind;
        const bool from_outside =
            kind == study::Experiment::Kind::allocator || kind == study::Experiment::Kind::setting || kind == study::Experiment::Kind::plan;
        if (!from_outside && suggestion.verdict == study::Verdict::proved && best == nullptr) {
            best = &suggestion;  // they come ranked
        }
    }
    return best;
}

/// What is said about outputs; nothing where they are the same.
std::string output_line(const Tuning& tuning) {
    std::vector<OutputFacts> plain = tuning.variants.front().outputs;
    if (!tuning.finals.empty()) {
        plain.insert(plain.end(), tuning.finals.front().outputs.begin(), tuning.finals.front().outputs.end());
    }
    std::string different;
    bool cut_off = false;
    for (std::size_t i = 1; !plain.empty() && i < tuning.variants.size(); ++i) {
        const Sameness sameness = compare_outputs(plain, tuning.variants[i].outputs);
        if (sameness == Sameness::varies_by_itself) {
            return "the program's output differs from run to run by itself, so it says nothing about a change; its memory may differ, too";
        }
        cut_off = cut_off || sameness == Sameness::cut_off;
        if (sameness == Sameness::differs) {
            different += (different.empty() ? "" : ", ") + tuning.variants[i].label;
        }
    }
    if (different.empty()) {
        return cut_off ? "the program was ended while it ran, so its output is cut off at another place each time and was not compared"
                       : "";
    }
    return "the program's output is another one under " + different + ", so that is no change to make";
}

std::string idle_line(const Tuning& tuning) {
    return tuning.variants.front().idle_bytes().empty()
               ? "RSS after idling is not measured: the program ends by itself (--load and --duration keep it running)"
               : "";
}

std::string change_lines(const Tuning& tuning, const Terminal& terminal) {
    const Outcome outcome = outcome_of(tuning);
    std::string text = study::inked(terminal, Ink::strong, "verdict") + "\n";
    text += "  " +
            study::inked(terminal, outcome == Outcome::worth_it ? Ink::good : Ink::plain,
                         study::wrapped(sentence_of(outcome, tuning), terminal.width, 2)) +
            "\n";
    if (outcome == Outcome::worth_it) {
        text += "  apply:  heapwright run --config " + tuning.config_path + " -- " + tuning.command + "\n";
    }
    for (const std::string& line : {output_line(tuning), idle_line(tuning)}) {
        text += line.empty() ? "" : "  " + study::wrapped(line, terminal.width, 2) + "\n";
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
    return "\n" + study::inked(terminal, Ink::strong, tuning.command) + "\n\n" + memory_lines(tuning, terminal) + "\n" +
           suggestion_lines(tuning, terminal) + (tuning.suggestions.empty() ? "" : "\n") +
           runs_table(tuning.variants, "tried on the program", terminal) + "\n" +
           (tuning.finals.empty() ? "" : finals_table(tuning, terminal) + "\n") + change_lines(tuning, terminal) + "\n";
}

}  // namespace heapwright::cli
