// heapwright report: what a recorded program did with its memory, as text, JSON or one page.
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "report_options.hpp"
#include "status.hpp"
#include "trace_option.hpp"
#include "verbs.hpp"

#include <heapwright/base/version.hpp>
#include <heapwright/study/report/budget.hpp>
#include <heapwright/study/report/exports.hpp>
#include <heapwright/study/report/html.hpp>
#include <heapwright/study/report/text.hpp>

namespace heapwright::cli {
namespace {

struct ReportCommand {
    std::string trace;
    ReportOptions options;
    std::string limits;
};

// Says which limits the findings run into; their own exit status lets a script tell them from a failure of ours.
int judge(const study::Findings& findings, const std::vector<study::Limit>& limits) {
    const auto broken = study::exceeded(findings, limits);
    for (const study::Excess& excess : broken) {
        remark(excess.sentence);
    }
    return static_cast<int>(broken.empty() ? Status::done : Status::findings);
}

int report_command(const ReportCommand& command) {
    const auto limits = study::parse_limits(command.limits);
    if (!limits) {
        return complain(Status::usage, limits.error());
    }
    int status = 0;
    const auto findings = analyse_trace(command.trace, command.options.analysis, status);
    if (!findings) {
        return status;
    }
    if (!command.options.html.empty()) {
        study::DocumentExtras extras;
        extras.generator = std::string{"heapwright "} + kVersionText;
        status = deliver(command.options.html, study::html_text(*findings, extras));
    }
    if (status == 0 && command.options.json) {
        status = deliver("", study::exported(*findings, study::ExportFormat::json));
    }
    if (status == 0 && command.options.wants_text()) {
        status = deliver("", study::text_report(*findings, command.options.text()));
    }
    return status == 0 ? judge(*findings, *limits) : status;
}

}  // namespace

void add_report(CLI::App& app, int& status) {
    auto command = std::make_shared<ReportCommand>();
    CLI::App* verb = app.add_subcommand("report", "Explain a trace: peak, leaks, lifetimes, fragmentation and who is to blame");
    verb->add_option("trace", command->trace, "A trace of 'heapwright record'")->required();
    add_report_options(*verb, command->options);
    verb->add_option("--fail-on", command->limits,
                     "End with status 1 when a limit is broken, such as peak>200MiB,leak>0,fragmentation>30%");
    verb->callback([command, &status] { status = report_command(*command); });
}

}  // namespace heapwright::cli
