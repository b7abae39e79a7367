#include "bench_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "sizes.hpp"
#include <nlohmann/json.hpp>

#include <heapwright/study/paired/median.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

using study::PairedChange;

std::string value_text(BenchFigure::Unit unit, double value) {
    const auto whole = static_cast<std::uint64_t>(std::llround(std::max(value, 0.0)));
    switch (unit) {
        case BenchFigure::Unit::ns: return study::duration_text(whole);
        case BenchFigure::Unit::bytes: return study::bytes_text(whole);
        case BenchFigure::Unit::ratio: break;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", value);
    return text;
}

std::optional<std::size_t> baseline_of(const BenchTable& table) {
    const auto found = std::ranges::find_if(table.rows, [](const BenchRow& row) { return row.failure.empty(); });
    return found == table.rows.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - table.rows.begin())};
}

PairedChange change_of(const BenchRow& baseline, const BenchRow& row, std::size_t figure) {
    return study::compare_rounds(baseline.values[figure], row.values[figure]);
}

std::string cell(const BenchTable& table, std::size_t baseline, std::size_t row, std::size_t figure) {
    std::string text = value_text(table.figures[figure].unit, study::median(table.rows[row].values[figure]));
    if (row == baseline) {
        return text;
    }
    const PairedChange change = change_of(table.rows[baseline], table.rows[row], figure);
    return text + (is_shown(change) ? " " + signed_percent(change.ratio) : " =");
}

std::string rows_text(const BenchTable& table, std::size_t baseline, const study::Terminal& terminal) {
    std::vector<study::Table::Column> columns{{"allocator", study::Table::Align::flexible}};
    for (const BenchFigure& figure : table.figures) {
        columns.push_back({figure.title, study::Table::Align::right});
    }
    study::Table rows{columns};
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        if (!table.rows[row].failure.empty()) {
            continue;
        }
        std::vector<std::string> cells{table.rows[row].label};
        for (std::size_t figure = 0; figure < table.figures.size(); ++figure) {
            cells.push_back(cell(table, baseline, row, figure));
        }
        rows.add(std::move(cells), row == baseline ? study::Ink::strong : study::Ink::plain);
    }
    return rows.text(terminal);
}

/// The row with the least median of those that are shown to be better than the baseline.
std::optional<std::size_t> best_of(const BenchTable& table, std::size_t baseline, std::size_t figure) {
    std::optional<std::size_t> best;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        if (row == baseline || !table.rows[row].failure.empty()) {
            continue;
        }
        const PairedChange change = change_of(table.rows[baseline], table.rows[row], figure);
        const bool is_less = !best || study::median(table.rows[row].values[figure]) < study::median(table.rows[*best].values[figure]);
        best = is_shown(change) && change.ratio < 1 && is_less ? row : best;
    }
    return best;
}

std::string leaders_text(const BenchTable& table, std::size_t baseline) {
    std::string text;
    for (std::size_t figure = 0; figure < table.figures.size(); ++figure) {
        if (const auto best = best_of(table, baseline, figure)) {
            const BenchRow& row = table.rows[*best];
            text += "  least " + table.figures[figure].title + ": " + row.label + " (" +
                    signed_percent(change_of(table.rows[baseline], row, figure).ratio) + ")" +
                    (row.apply.empty() ? "" : ", by " + row.apply) + "\n";
        }
    }
    if (!text.empty()) {
        return text;
    }
    return table.rounds < study::kLeastPairs ? "  with " + study::counted(table.rounds, "round") + " nothing can be shown: it takes " +
                                                   std::to_string(study::kLeastPairs) + "\n"
                                             : "  nothing is shown to be better than " + table.rows[baseline].label + "\n";
}

}  // namespace

std::string bench_text(const BenchTable& table, const study::Terminal& terminal) {
    std::string text = study::inked(terminal, study::Ink::strong, study::harmless(table.title)) + "\n";
    const auto baseline = baseline_of(table);
    if (baseline) {
        text +=
            study::wrapped("medians of " + study::counted(table.rounds, "round") + ", in each of which everybody runs once; change from " +
                               table.rows[*baseline].label + " where Wilcoxon's signed-rank test gives chance less than 1 in 100, else =",
                           terminal.width, 0) +
            "\n\n" + rows_text(table, *baseline, terminal);
    }
    for (const BenchRow& row : table.rows) {
        text += row.failure.empty() ? "" : "  " + row.label + " has no figures: " + row.failure + "\n";
    }
    return baseline ? text + "\n" + leaders_text(table, *baseline) : text;
}

std::string bench_json(const BenchTable& table) {
    nlohmann::ordered_json json{{"what", table.title}, {"rounds", table.rounds}};
    const auto baseline = baseline_of(table);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const BenchRow& told = table.rows[row];
        nlohmann::ordered_json one{{"label", told.label}, {"apply", told.apply}, {"baseline", row == baseline}};
        if (!told.failure.empty()) {
            one["failure"] = told.failure;
        }
        for (std::size_t figure = 0; told.failure.empty() && figure < table.figures.size(); ++figure) {
            const PairedChange change = change_of(table.rows[*baseline], told, figure);
            one["figures"][table.figures[figure].key] = {{"median", study::median(told.values[figure])},
                                                         {"runs", told.values[figure]},
                                                         {"ratio", change.ratio},
                                                         {"p_less", change.p_less},
                                                         {"p_greater", change.p_greater},
                                                         {"shown", is_shown(change)}};
        }
        json["allocators"].push_back(std::move(one));
    }
    return json.dump(1) + "\n";
}

}  // namespace heapwright::cli
