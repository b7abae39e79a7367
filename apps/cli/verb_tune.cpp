// heapwright tune: runs, records, explains, advises, proves, tries the best on the program itself, and writes the memory.toml.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "first_run.hpp"
#include "outfit.hpp"
#include "plan_candidates.hpp"
#include "process_tree.hpp"
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
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostVariants = 5;         // besides the plain one: each costs as many runs of the program
constexpr unsigned kScreeningRuns = 3;           // of each variant, before one of them is chosen
constexpr std::uint64_t kFewAllocations = 1000;  // below both: a replay's noise is larger than all that there is to win
constexpr std::uint64_t kLittleMemory = std::uint64_t{1} << 20;
constexpr unsigned kOtherRuns = 3;  // the first, the recorded one, and what analysis and replay take

/// Settings of our own heap that a replay tries beside the allocators: free memory back at once; larger pages.
constexpr const char* kOwnSettings[] = {"heapwright:purge_delay=0", "heapwright:huge_pages=always"};

struct TuneCommand {
    std::string output;
    unsigned runs = 5;
    double duration_s = 0;
    double idle_s = 2;
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
        for (const auto step : {&Tune::prepare, &Tune::run_plain, &Tune::record_once, &Tune::analyse, &Tune::prove, &Tune::try_on_program,
                                &Tune::compare_once_more, &Tune::write_config, &Tune::report}) {
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
    int compare_once_more();
    int write_config();
    int report();

    [[nodiscard]] std::string file(const std::string& name) const { return (folder_ / name).string(); }
    [[nodiscard]] RunRequest request_for(std::size_t candidate, const std::string& path) const;
    [[nodiscard]] bool allocates_next_to_nothing() const;
    void add_trial(const std::string& spec);
    void add_candidate(Candidate candidate);
    void choose_candidates();

    const TuneCommand& command_;
    fs::path folder_;
    RunRequest request_;
    std::string trace_;
    Tuning tuning_;
    ProgressLine line_{"running the program", true};
};

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
        tuning_.command += (tuning_.command.empty() ? "" : " ") + shell_word(word);
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
    request_.idle_s = command_.load.empty() ? 0 : command_.idle_s;
    return 0;
}

int Tune::run_plain() {
    Candidate plain{.label = "plain", .file = {}};
    plain.file.memory.allocator.enable_custom_allocator = false;
    tuning_.candidates.push_back(std::move(plain));
    tuning_.variants.push_back({.label = "plain", .request = request_, .runs = {}});
    std::vector<Variant> first{tuning_.variants.front()};
    first.front().request.patience_s = kPatienceS;
    first.front().request.impatient = remark_on_waiting;
    run_in_turn(first, 1, [this](const std::string& what) { line_.tick(what); });
    const FirstRun told{.program = request_.program.name,
                        .command = tuning_.command,
                        .load = command_.load,
                        .errors = file("errors"),
                        .runs = kOtherRuns + kScreeningRuns * (1 + static_cast<unsigned>(kMostVariants)) + 2 * command_.runs};
    return judge_first_run(first.front().runs.front(), told);
}

int Tune::record_once() {
    line_.rename("recording");
    line_.tick("");
    RunRequest request = request_;
    request.measured = false;
    RecordingOptions options = command_.recording;
    trace_ = file("trace.hwtrace");
    options.output = trace_;
    adopt_orphans();  // there is no launcher here to see what goes into the background
    const Recording recording = record(request, options);
    static_cast<void>(end_orphans());
    if (recording.refused || recording.run.start_errno != 0) {
        return complain(Status::usage, recording.problem);
    }
    if (!recording.run.well()) {
        return complain(Status::our_fault, "'" + tuning_.command + "' ended with " + recording.run.ending() +
                                               " under the recorder, but not without it; please report it");
    }
    if (!recording.problem.empty()) {
        remark(recording.problem + "; going on without explanation and advice");
        trace_.clear();
        return 0;
    }
    if (std::ranges::all_of(recording.traces, [](const TraceFile& trace) { return trace.events == 0; })) {
        remark(recording.run.stopped ? "the program was asked to end before it had allocated anything, so nothing is known of its memory; "
                                       "give it a longer --duration"
                                     : "the program allocated nothing through malloc, so nothing is known of its memory");
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
    if (trace_.empty()) {
        return 0;
    }
    int status = 0;
    auto findings = analyse_trace(trace_, {}, status);
    if (!findings) {
        return status;
    }
    tuning_.findings = std::move(*findings);
    tuning_.suggestions = study::advise(tuning_.findings);
    return 0;
}

bool Tune::allocates_next_to_nothing() const {
    const study::Totals& totals = tuning_.findings.totals;
    if (totals.allocations >= kFewAllocations || totals.peak_requested >= kLittleMemory) {
        return false;
    }
    if (totals.events != 0) {
        remark("the program makes " + study::counted(totals.allocations, "allocation") + ", of " +
               study::bytes_text(totals.peak_requested) + " at most: too few for a replay to tell allocators apart, so there was none");
    }
    return true;
}

int Tune::prove() {
    if (trace_.empty() || allocates_next_to_nothing()) {
        return 0;
    }
    line_.rename("replaying through the installed allocators");
    std::vector<study::TrialSpec> specs;
    for (const std::string& name : study::installed_allocators()) {
        specs.push_back(study::parse_trial(name));
    }
    for (const char* const own : kOwnSettings) {
        if (study::TrialSpec spec = study::parse_trial(own); spec.problem.empty()) {
            specs.push_back(std::move(spec));
        }
    }
    const auto progress = [this](double fraction, std::uint64_t events) { line_.update(fraction, events); };
    if (auto comparison = study::replay(trace_, specs, {}, progress)) {
        tuning_.comparison = std::move(*comparison);
    } else {
        remark(replay_sentence(comparison.error(), trace_) + "; the advice stays unproved");
        return 0;
    }
    line_.rename("proving the advice");
    if (const auto proof = study::prove(trace_, tuning_.findings.provenance, tuning_.suggestions, {}, progress); !proof) {
        remark(replay_sentence(proof.error(), trace_) + "; the advice stays unproved");
    }
    return 0;
}

RunRequest Tune::request_for(std::size_t candidate, const std::string& path) const {
    RunRequest request = request_;
    const Candidate& wanted = tuning_.candidates[candidate];
    if (!wanted.changes_nothing()) {
        Outfit outfit = outfit_of(wanted.file.memory.allocator, path);
        request.preload = std::move(outfit.preload);
        request.environment = std::move(outfit.environment);
    }
    return request;
}

void Tune::add_candidate(Candidate candidate) {
    const auto known = [&candidate](const Candidate& other) { return other.label == candidate.label; };
    const Outfit outfit = outfit_of(candidate.file.memory.allocator, {});
    const bool is_plain = outfit.preload.empty() && outfit.environment.empty();
    if (tuning_.candidates.size() > kMostVariants || !outfit.problem.empty() || is_plain ||
        std::ranges::any_of(tuning_.candidates, known)) {
        return;
    }
    const std::string path = file("try-" + std::to_string(tuning_.candidates.size()) + ".toml");
    if (deliver(path, candidate_text(candidate, {"tried by heapwright tune: " + candidate.label})) != 0) {
        return;  // which was said
    }
    tuning_.candidates.push_back(std::move(candidate));
    const std::size_t index = tuning_.candidates.size() - 1;
    tuning_.variants.push_back({.label = tuning_.candidates[index].label, .request = request_for(index, path), .runs = {}});
}

void Tune::add_trial(const std::string& spec) {
    if (auto candidate = candidate_of_trial(spec)) {
        add_candidate(std::move(*candidate));
    }
}

// Our own heap comes first, then what was proved, then what led a column of the comparison.
void Tune::choose_candidates() {
    using Kind = study::Experiment::Kind;
    add_trial("heapwright");
    // A replay shows what a plan does to memory; what the caches make of it only the program itself shows.
    for (const study::Verdict verdict : {study::Verdict::proved, study::Verdict::refuted}) {
        if (auto plan = plan_candidate(tuning_.suggestions, verdict)) {
            add_candidate(std::move(*plan));
            break;
        }
    }
    for (const study::Suggestion& suggestion : tuning_.suggestions) {
        const Kind kind = suggestion.experiment.kind;
        if (suggestion.verdict == study::Verdict::proved && (kind == Kind::allocator || kind == Kind::setting)) {
            add_trial(suggestion.experiment.target);
        }
    }
    if (tuning_.comparison) {
        for (const auto metric : {study::Metric::allocator_time, study::Metric::peak_rss, study::Metric::retained, study::Metric::cpu}) {
            if (const auto best = tuning_.comparison->best(metric)) {
                add_trial(tuning_.comparison->trials[*best].spec.label);
            }
        }
    }
}

int Tune::try_on_program() {
    choose_candidates();
    line_.rename("trying it on the program itself");
    run_in_turn(tuning_.variants, std::min(kScreeningRuns, command_.runs), [this](const std::string& what) { line_.tick(what); });
    return 0;
}

// What was chosen for its figures has figures that flatter it: so both run again.
int Tune::compare_once_more() {
    const auto best = most_promising(tuning_.variants);
    if (!best || !tuning_.variants.front().all_well()) {
        return 0;
    }
    tuning_.chosen = *best;
    line_.rename("before and after");
    tuning_.finals = {{.label = "plain", .request = request_, .runs = {}},
                      {.label = "tuned", .request = tuning_.variants[*best].request, .runs = {}}};
    run_in_turn(tuning_.finals, command_.runs, [this](const std::string& what) { line_.tick(what); });
    return 0;
}

int Tune::write_config() {
    const Candidate winner = recommended(tuning_);
    tuning_.config_path = file("memory.toml");
    std::vector<std::string> remarks{"written by heapwright " + std::string{kVersionText} + " tune for: " + tuning_.command,
                                     sentence_of(outcome_of(tuning_), tuning_)};
    if (winner.changes_nothing()) {
        remarks.emplace_back("so this file leaves the program as it is; " + file("try-1.toml") + " and its like are what was tried");
    }
    return deliver(tuning_.config_path, candidate_text(winner, remarks));
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
    return deliver("", verdict_text(tuning_, study::detect_terminal(STDOUT_FILENO)) + "config: " + tuning_.config_path +
                           "\nreport: " + page + (trace_.empty() ? "" : "\ntrace:  " + trace_) + "\n");
}

}  // namespace

void add_tune(CLI::App& app, int& status) {
    auto command = std::make_shared<TuneCommand>();
    CLI::App* verb = app.add_subcommand("tune", "All in one: run, record, explain, advise, prove, and say what helps most");
    verb->add_option("-o,--output", command->output, "Folder for the report, the trace and the outputs (default: heapwright-PROGRAM)");
    verb->add_option("--runs", command->runs,
                     "Runs of the plain program and of the tuned one at the end, in turns; fewer than 5 show little")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    verb->add_option("--duration,--stop-after", command->duration_s,
                     "Ask the program to end after so many seconds, in every run; for servers and for what runs for hours")
        ->check(CLI::NonNegativeNumber);
    verb->add_option("--idle", command->idle_s, "Seconds between the end of the load and the question what is still resident")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
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
