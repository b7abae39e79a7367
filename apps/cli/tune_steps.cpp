#include "tune_steps.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "candidate_choice.hpp"
#include "first_run.hpp"
#include "outfit.hpp"
#include "process_tree.hpp"
#include "progress.hpp"
#include "proving.hpp"
#include "schedule.hpp"
#include "standard_streams.hpp"
#include "status.hpp"
#include "trace_option.hpp"
#include "tuning.hpp"

#include <heapwright/base/version.hpp>
#include <heapwright/study/advice/advise.hpp>
#include <heapwright/study/advice/allocator_in_use.hpp>
#include <heapwright/study/replay/prove.hpp>
#include <heapwright/study/replay/replay.hpp>
#include <heapwright/study/report/html.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFewAllocations = 1000;  // below both: a replay's noise is larger than all that there is to win
constexpr std::uint64_t kLittleMemory = std::uint64_t{1} << 20;
constexpr unsigned kOtherRuns = 3;  // the first, the recorded one, and what analysis and replay take

/// Settings of our own heap that a replay tries beside the allocators: free memory back at once; larger pages.
constexpr const char* kOwnSettings[] = {"heapwright:purge_delay=0", "heapwright:huge_pages=always"};

/// The steps of one tune, in order; each returns a status other than 0 when there is no going on.
class Tune {
public:
    explicit Tune(const TuneCommand& command) : command_{command} {}

    int run_all() {
        for (const auto step : {&Tune::prepare, &Tune::run_plain, &Tune::record_once, &Tune::analyse, &Tune::prove, &Tune::try_on_program,
                                &Tune::look_closer, &Tune::compare_in_pairs, &Tune::write_config, &Tune::report}) {
            const int status = (this->*step)();
            if (interrupted_by_ != 0) {
                return complain(Status::program_failed,
                                "interrupted: nothing was decided, and there is no memory.toml; what was run so far "
                                "left its files in '" +
                                    folder_.string() + "'");
            }
            if (status != 0) {
                return status;
            }
            if (disk_is_full(folder_.string())) {
                return complain(Status::usage, "the disk of '" + folder_.string() +
                                                   "' is full, and what the program wrote is cut off, so that "
                                                   "nothing can be compared; free some space or choose another folder with -o");
            }
        }
        return static_cast<int>(Status::done);
    }
    [[nodiscard]] int interrupted_by() const { return interrupted_by_; }

private:
    int prepare();
    int run_plain();
    int record_once();
    int analyse();
    int prove();
    int try_on_program();
    int look_closer();
    int compare_in_pairs();
    int write_config();
    int report();

    [[nodiscard]] std::string file(const std::string& name) const { return (folder_ / name).string(); }
    [[nodiscard]] RunRequest request_for(std::size_t candidate, const std::string& path) const;
    [[nodiscard]] bool allocates_next_to_nothing() const;
    void add_candidate(Candidate candidate);
    void choose_candidates();
    void run_rounds(std::vector<Variant>& variants, const std::vector<std::size_t>& chosen, unsigned rounds);
    void note_interruption(const std::vector<Variant>& variants);

    const TuneCommand& command_;
    fs::path folder_;
    RunRequest request_;
    std::string trace_;
    Tuning tuning_;
    Schedule schedule_;
    int interrupted_by_ = 0;  // the signal that was to end us while a program of the user's ran; 0: none
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
    tuning_.command = command_line(command_.words);
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
    for (const char* const stale : {"memory.toml", "tune.json", "report.html"}) {
        fs::remove(file(stale), failed);  // of an earlier tune: whoever finds one can trust that it is of the last
    }
    request_.output = file("output");
    request_.errors = file("errors");
    request_.duration_s = command_.duration_s;
    request_.load = command_.load;
    request_.load_output = file("load");
    request_.measured = true;
    request_.ends_with_us = true;
    request_.idle_s = command_.load.empty() ? 0 : command_.idle_s;
    return 0;
}

int Tune::run_plain() {
    Candidate plain{.label = "plain", .file = {}};
    plain.file.memory.allocator.enable_custom_allocator = false;
    tuning_.candidates.push_back(std::move(plain));
    tuning_.variants.push_back({.label = "plain", .request = request_, .runs = {}});
    std::vector<Variant> first = tuning_.variants;
    first.front().request.patience_s = kPatienceS;
    first.front().request.impatient = remark_on_waiting;
    run_rounds(first, {0}, 1);
    const RunResult& run = first.front().runs.front();
    if (interrupted_by_ != 0) {
        return 0;
    }
    schedule_ = schedule_for(static_cast<double>(run.wall_ns) / 1e9, command_.pairs);
    const FirstRun told{.program = request_.program.name,
                        .command = tuning_.command,
                        .load = command_.load,
                        .errors = file("errors"),
                        .load_output = file("load"),
                        .runs = kOtherRuns + schedule_.runs()};
    return judge_first_run(run, told);
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
    if (interrupted_by_ = recording.run.interrupted_by; interrupted_by_ != 0) {
        return 0;
    }
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
    const TraceFile& telling = most_telling(recording.traces);
    trace_ = telling.path;
    if (&telling != &recording.traces.front()) {
        remark("explaining " + telling.program + " (process " + std::to_string(telling.pid) + "), which allocates most; '" +
               recording.traces.front().program + "' only starts it");
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
    std::vector<study::TrialSpec> specs = study::installed_trials();
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
    const Outfit outfit = outfit_of(candidate.file.memory.allocator, {});
    const bool is_plain = outfit.preload.empty() && outfit.environment.empty();
    if (tuning_.candidates.size() > schedule_.candidates || !outfit.problem.empty() || is_plain) {
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

void Tune::choose_candidates() {
    using Family = study::AllocatorInUse::Family;
    const BeforeChoice known{.suggestions = tuning_.suggestions,
                             .comparison = tuning_.comparison ? &*tuning_.comparison : nullptr,
                             .uses_glibc = study::allocator_in_use(tuning_.findings.provenance).family == Family::glibc,
                             .huge_pages_on_wish = huge_pages_on_wish()};
    for (Candidate& candidate : possible_candidates(known)) {
        add_candidate(std::move(candidate));
    }
}

void Tune::note_interruption(const std::vector<Variant>& variants) {
    for (const Variant& variant : variants) {
        interrupted_by_ = variant.interrupted_by() != 0 ? variant.interrupted_by() : interrupted_by_;
    }
}

void Tune::run_rounds(std::vector<Variant>& variants, const std::vector<std::size_t>& chosen, unsigned rounds) {
    run_in_turn(variants, chosen, rounds, [this](const std::string& what) { line_.tick(what); });
    note_interruption(variants);
}

int Tune::try_on_program() {
    choose_candidates();
    line_.rename("trying it on the program itself");
    std::vector<std::size_t> all(tuning_.variants.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    run_rounds(tuning_.variants, all, schedule_.rounds);
    return 0;
}

// A few runs seldom show who is best; the best few run on.
int Tune::look_closer() {
    std::vector<std::size_t> leaders = promising(tuning_.variants);
    leaders.resize(std::min(leaders.size(), kCloserLook));
    if (leaders.size() < 2 || !tuning_.variants.front().all_well()) {
        return 0;
    }
    leaders.insert(leaders.begin(), 0);
    line_.rename("looking closer at the best");
    run_rounds(tuning_.variants, leaders, schedule_.closer_rounds);
    return 0;
}

// What was chosen for its figures has figures that flatter it: so both run again.
int Tune::compare_in_pairs() {
    const std::vector<std::size_t> order = promising(tuning_.variants);
    if (order.empty() || !tuning_.variants.front().all_well()) {
        return 0;
    }
    tuning_.chosen = order.front();
    line_.rename("before and after");
    tuning_.finals = {{.label = "plain", .request = request_, .runs = {}},
                      {.label = "tuned", .request = tuning_.variants[tuning_.chosen].request, .runs = {}}};
    run_in_pairs(tuning_.finals[0], tuning_.finals[1], schedule_.pairs, [this](const std::string& what) { line_.tick(what); });
    note_interruption(tuning_.finals);
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

int tune(const TuneCommand& command) {
    int status = 0;
    int interrupted_by = 0;
    {
        Tune steps{command};
        status = steps.run_all();
        interrupted_by = steps.interrupted_by();
    }
    if (interrupted_by != 0) {  // so that a script that runs us ends, too
        std::signal(interrupted_by, SIG_DFL);
        std::raise(interrupted_by);
    }
    return status;
}

}  // namespace heapwright::cli
