// heapwright diff: two traces of one program, compared by call stack.
#include <memory>
#include <string>

#include "report_options.hpp"
#include "trace_option.hpp"
#include "verbs.hpp"

#include <heapwright/base/version.hpp>
#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/html.hpp>
#include <heapwright/study/report/text.hpp>

namespace heapwright::cli {
namespace {

struct DiffCommand {
    std::string before;
    std::string after;
    ReportOptions options;
};

int diff_command(const DiffCommand& command) {
    int status = 0;
    const auto before = analyse_trace(command.before, command.options.analysis, status);
    const auto after = before ? analyse_trace(command.after, command.options.analysis, status) : std::nullopt;
    if (!after) {
        return status;
    }
    const study::TraceDifference difference{*before, *after};
    study::DocumentExtras extras;
    extras.generator = std::string{"heapwright "} + kVersionText;
    if (!command.options.html.empty()) {
        status = deliver(command.options.html, study::html_text(difference, extras));
    }
    if (status == 0 && command.options.json) {
        std::string json;
        study::write_document(difference, extras, {}, [&json](std::string_view part) { json += part; });
        status = deliver("", json);
    }
    if (status == 0 && command.options.wants_text()) {
        status = deliver("", study::text_report(difference, command.options.text()));
    }
    return status;
}

}  // namespace

void add_diff(CLI::App& app, int& status) {
    auto command = std::make_shared<DiffCommand>();
    CLI::App* verb = app.add_subcommand("diff", "Compare two traces of one program, call stack by call stack");
    verb->add_option("before", command->before, "The trace to compare with")->required();
    verb->add_option("after", command->after, "The trace that is compared; differences are after minus before")->required();
    add_report_options(*verb, command->options);
    verb->callback([command, &status] { status = diff_command(*command); });
}

}  // namespace heapwright::cli
