// heapwright export: the findings in the formats of other tools.
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "report_options.hpp"
#include "status.hpp"
#include "trace_option.hpp"
#include "verbs.hpp"

#include <heapwright/study/report/exports.hpp>

namespace heapwright::cli {
namespace {

struct ExportCommand {
    std::string trace;
    std::string format = "pprof";
    std::string output;
    std::string weight = "peak";
    study::AnalysisOptions analysis;
};

template <class Values>
std::vector<std::string> names_of(const Values& values) {
    std::vector<std::string> names;
    for (const auto value : values) {
        names.emplace_back(study::name_of(value));
    }
    return names;
}

int export_command(const ExportCommand& command) {
    const auto format = *study::export_format_of(command.format);
    if (command.output.empty() && format == study::ExportFormat::pprof && isatty(STDOUT_FILENO) == 1) {
        return complain(Status::usage, "a pprof profile is no text for a terminal; name a file with -o");
    }
    int status = 0;
    const auto findings = analyse_trace(command.trace, command.analysis, status);
    return findings ? deliver(command.output, study::exported(*findings, format, *study::weight_of(command.weight))) : status;
}

}  // namespace

void add_export(CLI::App& app, int& status) {
    auto command = std::make_shared<ExportCommand>();
    CLI::App* verb = app.add_subcommand("export", "Write a trace's findings for pprof, speedscope, Perfetto or flame graphs");
    verb->add_option("trace", command->trace, "A trace of 'heapwright record'")->required();
    verb->add_option("--format", command->format, "The format")
        ->check(CLI::IsMember(names_of(study::kExportFormats)))
        ->capture_default_str();
    verb->add_option("-o,--output", command->output, "The file to write (default: standard output)");
    verb->add_option("--weight", command->weight, "What collapsed stacks are weighed by")
        ->check(CLI::IsMember(names_of(study::kWeights)))
        ->capture_default_str();
    add_analysis_options(*verb, command->analysis);
    verb->callback([command, &status] { status = export_command(*command); });
}

}  // namespace heapwright::cli
