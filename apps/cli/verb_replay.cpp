// heapwright replay: the recorded events through real allocators and settings, each run in a fresh process.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "bounds_text.hpp"
#include "comparison_text.hpp"
#include "progress.hpp"
#include "proving.hpp"
#include "status.hpp"
#include "suggestions_text.hpp"
#include "trace_option.hpp"
#include "verbs.hpp"

#include <heapwright/study/replay/replay.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

struct ReplayCommand {
    std::string trace;
    std::string with;
    std::string experiment;
    bool bounds = false;
    std::vector<double> at_s;
    bool json = false;
    study::ReplayOptions options;
};

// Tries the one suggestion of `heapwright advise` that bears this name.
int replay_experiment(const ReplayCommand& command) {
    int status = 0;
    auto advice = advice_on(command.trace, status);
    if (!advice) {
        return status;
    }
    std::string known;
    for (const study::Suggestion& suggestion : advice->suggestions) {
        known += (known.empty() ? "" : ", ") + suggestion.experiment.id;
    }
    std::erase_if(advice->suggestions,
                  [&command](const study::Suggestion& suggestion) { return suggestion.experiment.id != command.experiment; });
    if (advice->suggestions.empty()) {
        return complain(Status::usage, "there is no experiment '" + command.experiment + "' for this trace; " +
                                           (known.empty() ? "'heapwright advise' suggests nothing here" : "choose one of " + known));
    }
    status = try_by_replay(command.trace, *advice, command.options);
    const int delivered = deliver("", command.json ? suggestions_json(advice->suggestions)
                                                   : suggestions_text(advice->suggestions, study::detect_terminal(STDOUT_FILENO)));
    return status != 0 ? status : delivered;
}

// Without any allocator: what the recorded blocks themselves would need.
int replay_bounds(const ReplayCommand& command) {
    study::AnalysisOptions options{.symbolize = false, .key_moments = 0, .bounds = study::BoundsMoments{}};
    if (!command.at_s.empty()) {
        options.bounds->evenly = 0;
    }
    for (const double seconds : command.at_s) {
        options.bounds->times_ns.push_back(static_cast<std::uint64_t>(seconds * 1e9));
    }
    int status = 0;
    const auto findings = analyse_trace(command.trace, options, status);
    if (!findings) {
        return status;
    }
    if (findings->health.sample_interval_bytes != 0) {
        return complain(Status::usage, "'" + command.trace +
                                           "' is a sample, and the blocks between are not in it, so nobody knows what shares their pages; "
                                           "record without --sample");
    }
    if (findings->totals.events == 0) {
        return complain(Status::usage, "'" + command.trace + "' holds no allocation, so there is nothing to compute");
    }
    for (const std::uint64_t time_ns : options.bounds->times_ns) {
        if (time_ns > findings->totals.duration_ns) {
            return complain(Status::usage, "--at " + study::duration_text(time_ns) + " is after the end of the recording, which lasts " +
                                               study::duration_text(findings->totals.duration_ns));
        }
    }
    return deliver("", command.json ? bounds_json(findings->bounds) : bounds_text(findings->bounds, study::detect_terminal(STDOUT_FILENO)));
}

int replay_command(const ReplayCommand& command) {
    if (command.bounds || !command.at_s.empty()) {
        return replay_bounds(command);
    }
    if (!command.experiment.empty()) {
        return replay_experiment(command);
    }
    const auto specs = command.with.empty() ? study::installed_trials() : study::parse_trials(command.with);
    bool any_can_run = false;
    for (const study::TrialSpec& spec : specs) {
        if (!spec.problem.empty()) {
            remark(spec.problem);
        }
        any_can_run = any_can_run || spec.problem.empty();
    }
    if (!any_can_run) {
        return specs.empty() ? complain(Status::usage, "no allocator was named; write --with glibc,mimalloc")
                             : static_cast<int>(Status::usage);
    }
    ProgressLine line{"replaying " + command.trace, true};
    const auto comparison = study::replay(command.trace, specs, command.options,
                                          [&line](double fraction, std::uint64_t events) { line.update(fraction, events); });
    if (!comparison) {
        return complain(status_for(comparison.error()), replay_sentence(comparison.error(), command.trace));
    }
    return deliver("", command.json ? comparison_json(*comparison) : comparison_text(*comparison, study::detect_terminal(STDOUT_FILENO)));
}

}  // namespace

void add_replay(CLI::App& app, int& status) {
    auto command = std::make_shared<ReplayCommand>();
    CLI::App* verb = app.add_subcommand("replay", "Replay a trace through other allocators and settings, measured");
    verb->add_option("trace", command->trace, "A trace of 'heapwright record'")->required();
    verb->add_option("--with", command->with,
                     "Trials, separated by commas: glibc, glibc:arena_max=2, mimalloc, jemalloc, tcmalloc, tbbmalloc, "
                     "/path/to/any.so; the first is the baseline (default: every allocator that is installed)");
    verb->add_option("--experiment", command->experiment, "Instead, the experiment of one suggestion of 'heapwright advise'");
    verb->add_flag("--bounds", command->bounds,
                   "Instead, with how much memory the recorded blocks could have done: where they lay, with pages shared, moved");
    verb->add_option("--at", command->at_s, "Seconds since the first event, separated by commas: the bounds of these moments")
        ->delimiter(',')
        ->check(CLI::NonNegativeNumber);
    verb->add_option("--runs", command->options.runs, "Runs of each trial, in turns; fewer than 3 prove nothing")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    verb->add_option("--pace", command->options.pace, "0: as fast as it goes; 1: as long as the recording took")
        ->check(CLI::Range(0.0, 100.0));
    verb->add_option("--limit", command->options.limit_s, "Seconds after which a run counts as hung")->capture_default_str();
    verb->add_flag("--count-system-calls", command->options.count_system_calls, "One more run of each, traced, to count them");
    verb->add_flag("--json", command->json, "Print JSON");
    verb->callback([command, &status] { status = replay_command(*command); });
}

}  // namespace heapwright::cli
