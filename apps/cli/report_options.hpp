// The options of `report` and `diff`: which parts, how long, and in what form.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <heapwright/study/analysis/analyse.hpp>
#include <heapwright/study/report/text.hpp>

namespace heapwright::cli {

struct ReportOptions {
    bool json = false;
    std::string html;                   ///< file for the page
    std::vector<std::string> sections;  ///< names; empty: the first screen
    std::size_t rows = 20;
    std::size_t frames = 0;
    study::AnalysisOptions analysis;

    /// Text is printed unless another form was asked for.
    [[nodiscard]] bool wants_text() const noexcept { return !json && (html.empty() || !sections.empty()); }
    [[nodiscard]] study::TextOptions text() const;
};

void add_report_options(CLI::App& verb, ReportOptions& options);

/// Only what shapes the analysis: --depth, --no-symbols, --debuginfod.
void add_analysis_options(CLI::App& verb, study::AnalysisOptions& options);

}  // namespace heapwright::cli
