// heapwright tune: runs, records, explains, advises, proves, and tries the best on the program itself.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "progress.hpp"
#include "proving.hpp"
#include "record_options.hpp"
#include "standard_streams.hpp"
#include "status.hpp"
#include "trace_option.hpp"
#include "tuning.hpp"
#include "verbs.hpp"

#include <heapwright/base/version.hpp>
#include <heapwright/study/advice/advise.hpp>
#include <heapwright/study/replay/prove.hpp>
#include <heapwright/study/replay/replay.hpp>
#include <heapwright/study/report/html.hpp>

namespace heapwright::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostVariants = 4;  // besides the plain one: each costs as many runs of the program

struct TuneCommand {
    std::string output;
    unsigned runs = 3;
    double duration_s = 0;
    std::string load;
    bool json = false;
    RecordingOptions recording;
    std::vector<std::string> words;
};

/// The steps of one tune, in order; each returns a status other than 0 when there is no going on.
class Tune {
public:
    explicit Tune(const TuneCommand& command) : command_{command} {}

    int run_all() {
        for (const auto step :
             {&Tune::prepare, &Tune::run_plain, &Tune::record_once, &Tune::analyse, &Tune::prove, &Tune::try_on_program, &Tune::report}) {
            if (const int status = (this->*step)(); status != 0) {
                return status;
            }
        }
        return static_cast<int>(Status::done);
    }

private:
    int prepare();
    int run_plain();
    int record_once();
    int analyse();
    int prove();
    int try_on_program();
    int report();

    [[nodiscard]] std::string file(const std::string& name) const { return (folder_ / name).string(); }
    void add_variant(const study::TrialSpec& spec);
    void choose_variants();

    const TuneCommand& command_;
    fs::path folder_;
    RunRequest request_;
    std::string trace_;
    Tuning tuning_;
    ProgressLine line_{"running the program", true};
};

std::string quoted(const std::string& word) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-./:=,+@%") == std::string::npos;
    return plain ? word : "'" + word + "'";
}

int Tune::prepare() {
    if (command_.words.empty()) {
        return complain(Status::usage, "no program was named; write it after '--': heapwright tune -- PROGRAM ARGUMENTS");
    }
    const Lookup found = find_program(command_.words.front());
    if (!found.program) {
        return complain(Status::usage, found.refusal.sentence);
    }
    if (const auto reason = why_not_recordable(*found.program)) {
        return complain(Status::usage, reason->sentence);
    }
    request_.program = *found.program;
    request_.arguments.assign(command_.words.begin() + 1, command_.words.end());
    for (const std::string& word : command_.words) {
        tuning_.command += (tuning_.command.empty() ? "" : " ") + quoted(word);
    }
    folder_ = command_.output.empty() ? "heapwright-" + fs::path{request_.program.path}.filename().string() : command_.output;
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed || access(folder_.c_str(), W_OK) != 0) {
        return complain(Status::usage, "cannot write to the folder '" + folder_.string() +
                                           "': " + (failed ? failed.message() : std::string{std::strerror(errno)}) +
                                           "; choose another one with -o");
    }
    const auto input = keep_standard_input(folder_.string());
    if (!input) {
        return complain(Status::usage, "cannot keep standard input in '" + folder_.string() +
                                           "' for the runs to come; free some space or choose another folder with -o");
    }
    request_.input = *input;
    request_.output = file("output");
    request_.errors = file("errors");
    request_.duration_s = command_.duration_s;
    request_.load = command_.load;
    request_.measured = true;
    return 0;
}

int Tune::run_plain() {
    tuning_.variants.push_back({"plain", request_, {}});
    tuning_.specs.emplace_back();
    std::vector<Variant> first{tuning_.variants.front()};
    run_in_turn(first, 1, [this](const std::string& what) { line_.tick(what); });
    const RunResult& run = first.front().runs.front();
    if (run.start_errno != 0) {
        return complain(Status::usage,
                        "cannot start '" + request_.program.name + "': " + std::strerror(run.start_errno) + "; check the program");
    }
    if (run.load_status != 0) {
        return complain(Status::program_failed, "the load command failed with status " + std::to_string(run.load_status) + ": " +
                                                    command_.load + "; try it by hand while the program runs");
    }
    if (!run.well()) {
        return complain(Status::program_failed, "'" + tuning_.command + "' ended with " + run.ending() +
                                                    " by itself, so there is nothing to compare; its messages are in " + file("errors"));
    }
    fs::copy_file(file("output"), file("output.plain"), fs::copy_options::overwrite_existing);
    return 0;
}

int Tune::record_once() {
    line_.rename("recording");
    line_.tick("");
    RunRequest request = request_;
    request.measured = false;
    RecordingOptions options = command_.recording;
    trace_ = file("trace.hwtrace");
    options.output = trace_;
    const Recording recording = record(request, options);
    if (!recording.problem.empty()) {
        return complain(Status::usage, recording.problem);
    }
    if (!recording.run.well()) {
        return complain(Status::our_fault, "'" + tuning_.command + "' ended with " + recording.run.ending() +
                                               " under the recorder, but not without it; please report it");
    }
    if (!same_contents(file("output"), file("output.plain"))) {
        remark("the program's output differs from run to run; its memory may differ too, so read small differences with care");
    }
    // A shell that only starts the real program has a trace too: the one with the most events is meant.
    for (const TraceFile& trace : recording.traces) {
        trace_ = trace.events > 10 * recording.traces.front().events ? trace.path : trace_;
        if (trace.path == trace_ && trace.path != recording.traces.front().path) {
            remark("explaining " + trace.program + " (process " + std::to_string(trace.pid) + "), which allocates most; '" +
                   recording.traces.front().program + "' only starts it");
            break;
        }
    }
    return 0;
}

int Tune::analyse() {
    int status = 0;
    auto findings = analyse_trace(trace_, {}, status);
    if (!findings) {
        return status;
    }
    tuning_.findings = std::move(*findings);
    tuning_.suggestions = study::advise(tuning_.findings);
    return 0;
}

int Tune::prove() {
    line_.rename("replaying through the installed allocators");
    std::vector<study::TrialSpec> specs;
    for (const std::string& name : study::installed_allocators()) {
        specs.push_back(study::parse_trial(name));
    }
    const auto progress = [this](double fraction, std::uint64_t events) { line_.update(fraction, events); };
    if (auto comparison = study::replay(trace_, specs, {}, progress)) {
        tuning_.comparison = std::move(*comparison);
    } else {
        remark(replay_sentence(comparison.error(), trace_));
    }
    line_.rename("proving the advice");
    if (const auto proof = study::prove(trace_, tuning_.findings.provenance, tuning_.suggestions, {}, progress); !proof) {
        remark(replay_sentence(proof.error(), trace_) + "; the advice stays unproved");
    }
    return 0;
}

void Tune::add_variant(const study::TrialSpec& spec) {
    const auto known = [&spec](const study::TrialSpec& other) { return other.label == spec.label; };
    if (tuning_.variants.size() > kMostVariants || !spec.problem.empty() || spec.placement.kind != study::PlacementKind::none ||
        (spec.environment.empty() && spec.preload.empty()) || std::ranges::any_of(tuning_.specs, known)) {
        return;
    }
    RunRequest request = request_;
    request.environment = spec.environment;
    request.preload = spec.preload;
    tuning_.variants.push_back({spec.label, std::move(request), {}});
    tuning_.specs.push_back(spec);
}

// What was proved comes first, then what led a column of the comparison.
void Tune::choose_variants() {
    using Kind = study::Experiment::Kind;
    for (const study::Suggestion& suggestion : tuning_.suggestions) {
        const Kind kind = suggestion.experiment.kind;
        if (suggestion.verdict == study::Verdict::proved && (kind == Kind::allocator || kind == Kind::setting)) {
            add_variant(study::parse_trial(suggestion.experiment.target));
        }
    }
    if (tuning_.comparison) {
        for (const auto metric : {study::Metric::allocator_time, study::Metric::peak_rss, study::Metric::retained}) {
            if (const auto best = tuning_.comparison->best(metric)) {
                add_variant(tuning_.comparison->trials[*best].spec);
            }
        }
    }
}

int Tune::try_on_program() {
    choose_variants();
    line_.rename("trying it on the program itself");
    run_in_turn(tuning_.variants, command_.runs, [this](const std::string& what) { line_.tick(what); });
    return 0;
}

int Tune::report() {
    line_.rename("writing the report");
    study::DocumentExtras extras;
    extras.generator = std::string{"heapwright "} + kVersionText;
    extras.suggestions = &tuning_.suggestions;
    extras.comparison = tuning_.comparison ? &*tuning_.comparison : nullptr;
    const std::string page = file("report.html");
    for (const auto& [path, text] :
         {std::pair{page, study::html_text(tuning_.findings, extras)}, std::pair{file("tune.json"), tuning_json(tuning_)}}) {
        if (const int status = deliver(path, text); status != 0) {
            return status;
        }
    }
    if (command_.json) {
        return deliver("", tuning_json(tuning_));
    }
    return deliver("", verdict_text(tuning_, study::detect_terminal(STDOUT_FILENO)) + "report: " + page + "\ntrace:  " + trace_ + "\n");
}

}  // namespace

void add_tune(CLI::App& app, int& status) {
    auto command = std::make_shared<TuneCommand>();
    CLI::App* verb = app.add_subcommand("tune", "All in one: run, record, explain, advise, prove, and say what helps most");
    verb->add_option("-o,--output", command->output, "Folder for the report, the trace and the outputs (default: heapwright-PROGRAM)");
    verb->add_option("--runs", command->runs, "Runs of the program in each variant, in turns")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    verb->add_option("--stop-after", command->duration_s, "Ask the program to end after so many seconds, in every run; for servers")
        ->check(CLI::NonNegativeNumber);
    verb->add_option("--load", command->load,
                     "A shell command that puts the program to work, in every run; when it ends, the program is asked to end");
    verb->add_flag("--json", command->json, "Print the outcome as JSON");
    add_recording_options(*verb, command->recording);
    verb->add_option("program", command->words, "The program and its arguments, after '--'");
    verb->positionals_at_end();
    verb->footer("Standard input is read once and given to every run. The program's output goes to the folder.");
    verb->callback([command, &status] { status = Tune{*command}.run_all(); });
}

}  // namespace heapwright::cli
