#include "report_options.hpp"

#include <algorithm>
#include <string_view>

#include <unistd.h>

namespace heapwright::cli {
namespace {

std::vector<std::string> section_names() {
    std::vector<std::string> names{"all"};
    for (const study::Section section : study::kSections) {
        names.emplace_back(study::name_of(section));
    }
    return names;
}

}  // namespace

study::TextOptions ReportOptions::text() const {
    study::TextOptions options;
    options.terminal = study::detect_terminal(STDOUT_FILENO);
    options.rows = rows;
    options.stack_frames = frames;
    if (std::ranges::find(sections, std::string_view{"all"}) != sections.end()) {
        options.sections.assign(study::kSections.begin(), study::kSections.end());
    } else if (!sections.empty()) {
        options.sections.clear();
        for (const std::string& name : sections) {
            options.sections.push_back(*study::section_of(name));
        }
    }
    return options;
}

void add_report_options(CLI::App& verb, ReportOptions& options) {
    verb.add_flag("--json", options.json, "Print everything as JSON");
    verb.add_option("--html", options.html, "Write one self-contained page to this file")->type_name("FILE");
    verb.add_option("--show", options.sections, "Sections instead of the first screen, separated by commas")
        ->delimiter(',')
        ->check(CLI::IsMember(section_names()));
    verb.add_option("--rows", options.rows, "Rows of each table")->check(CLI::Range(1, 100000))->capture_default_str();
    verb.add_option("--frames", options.frames, "Frames shown below each call site; 0: only the chain of your own functions")
        ->check(CLI::Range(0, 512))
        ->capture_default_str();
    add_analysis_options(verb, options.analysis);
}

void add_analysis_options(CLI::App& verb, study::AnalysisOptions& options) {
    verb.add_option("--depth", options.depth, "Frames that tell one call site from another, innermost first")
        ->check(CLI::Range(1, 512))
        ->capture_default_str();
    verb.add_flag("!--no-symbols", options.symbolize, "Leave addresses as they are; open no file but the trace");
    verb.add_flag("--debuginfod", options.debuginfod, "Fetch missing debug information from $DEBUGINFOD_URLS");
}

}  // namespace heapwright::cli
