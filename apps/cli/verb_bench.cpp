// heapwright bench: a program, or a use case in numbers, under every allocator that is installed, in turns.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "bench_table.hpp"
#include "install.hpp"
#include "plain_runs.hpp"
#include "progress.hpp"
#include "scratch_folder.hpp"
#include "sizes.hpp"
#include "standard_streams.hpp"
#include "status.hpp"
#include "trace_option.hpp"
#include "use_case.hpp"
#include "verbs.hpp"
#include <nlohmann/json.hpp>

#include <heapwright/study/replay/trial.hpp>

namespace heapwright::cli {
namespace {

using Unit = BenchFigure::Unit;

/// What heapwright-workload prints, as columns.
std::vector<BenchFigure> workload_figures() {
    return {{.title = "CPU each", .key = "cpu_ns_per_allocation", .unit = Unit::ns},
            {.title = "slowest 0.1 %", .key = "p999_ns", .unit = Unit::ns},
            {.title = "longest", .key = "longest_ns", .unit = Unit::ns},
            {.title = "RSS / live", .key = "resident_over_live", .unit = Unit::ratio},
            {.title = "RSS once freed", .key = "kept_bytes", .unit = Unit::bytes}};
}

std::vector<BenchFigure> program_figures(bool idles) {
    std::vector<BenchFigure> figures{{.title = "wall", .key = "wall_ns", .unit = Unit::ns},
                                     {.title = "CPU", .key = "cpu_ns", .unit = Unit::ns},
                                     {.title = "peak RSS", .key = "peak_rss_bytes", .unit = Unit::bytes}};
    if (idles) {
        figures.push_back({.title = "RSS after idling", .key = "idle_rss_bytes", .unit = Unit::bytes});
    }
    return figures;
}

struct BenchCommand {
    std::string with;
    unsigned rounds = 9;
    double duration_s = 0;
    double idle_s = 1;
    std::string load;
    bool json = false;
    std::string like = "server";
    std::string sizes;
    std::string order;
    std::optional<unsigned> threads;
    std::optional<std::uint64_t> operations;
    std::optional<unsigned> brief_percent;
    std::optional<unsigned> handed_over_percent;
    std::uint64_t live_bytes = 0;
    std::vector<std::string> words;
};

std::uint64_t machine_bytes() {
    return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// The use case that the options describe, or why there is none.
std::optional<UseCase> wanted_use_case(const BenchCommand& command, std::string& problem) {
    const UseCase* const known = find_use_case(command.like);
    if (known == nullptr) {
        problem = "there is no use case '" + command.like + "'; choose one of";
        for (const UseCase& one : use_cases()) {
            problem += " " + std::string{one.name};
        }
        return std::nullopt;
    }
    UseCase use_case = *known;
    use_case.threads = command.threads.value_or(use_case.threads);
    use_case.operations = command.operations.value_or(use_case.operations);
    use_case.order = command.order.empty() ? use_case.order : command.order;
    use_case.brief_percent = command.brief_percent.value_or(use_case.brief_percent);
    use_case.handed_over_percent = command.handed_over_percent.value_or(use_case.handed_over_percent);
    use_case.live_bytes = command.live_bytes == 0 ? use_case.live_bytes : command.live_bytes;
    problem = command.sizes.empty() ? "" : set_sizes(use_case, command.sizes);
    problem = problem.empty() ? problem_of(use_case, machine_bytes()) : problem;
    return problem.empty() ? std::optional{use_case} : std::nullopt;
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// The steps of one bench, in order; each returns a status other than 0 when there is no going on.
class Bench {
public:
    explicit Bench(const BenchCommand& command) : command_{command} {}

    int run_all() {
        for (int (Bench::* const step)() : {&Bench::prepare, &Bench::prepare_what_runs, &Bench::add_allocators, &Bench::run_rounds}) {
            if (const int status = (this->*step)(); status != 0) {
                return status;
            }
        }
        line_.reset();
        return deliver("", command_.json ? bench_json(table_) : bench_text(table_, study::detect_terminal(STDOUT_FILENO)));
    }

private:
    [[nodiscard]] bool is_use_case() const { return command_.words.empty(); }

    int prepare() {
        if (!folder_.problem().empty()) {
            return complain(Status::usage, folder_.problem());
        }
        table_.rounds = command_.rounds;
        request_.measured = true;
        return 0;
    }
    int prepare_what_runs() { return is_use_case() ? prepare_use_case() : prepare_program(); }
    int prepare_use_case();
    int prepare_program();
    int add_allocators();
    int run_rounds();
    void keep_figures();
    void keep_workload_figures(BenchRow& row, const Variant& variant);
    void judge(BenchRow& row, const Variant& variant) const;

    const BenchCommand& command_;
    ScratchFolder folder_;
    RunRequest request_;
    std::vector<Variant> variants_;  // one for each row that can run
    std::vector<std::size_t> row_of_;
    BenchTable table_;
    std::optional<ProgressLine> line_{std::in_place, "measuring", true};
};

int Bench::prepare_use_case() {
    std::string problem;
    const auto use_case = wanted_use_case(command_, problem);
    if (!use_case) {
        return complain(Status::usage, problem);
    }
    const Lookup found = find_program(find_tool("heapwright-workload"));
    if (!found.program) {
        return complain(Status::our_fault,
                        "the program heapwright-workload does not lie beside this one; install heapwright again, as a whole");
    }
    request_.program = *found.program;
    request_.arguments = workload_words(*use_case, command_.idle_s);
    request_.input = "/dev/null";
    table_.title = std::string{use_case->name} + ": " + use_case_text(*use_case);
    table_.figures = workload_figures();
    return 0;
}

int Bench::prepare_program() {
    const Lookup found = find_program(command_.words.front());
    if (!found.program) {
        return complain(Status::usage, found.refusal.sentence);
    }
    if (const auto refusal = why_not_preloadable(*found.program, "measure", "measured")) {
        return complain(Status::usage, refusal->sentence);
    }
    request_.program = *found.program;
    request_.arguments.assign(command_.words.begin() + 1, command_.words.end());
    table_.title = command_line(command_.words);
    const auto input = keep_standard_input(folder_.path());
    if (!input) {
        return complain(Status::usage,
                        "cannot keep standard input in '" + folder_.path() + "' for the runs to come; set TMPDIR to a folder with room");
    }
    request_.input = *input;
    request_.duration_s = command_.duration_s;
    request_.load = command_.load;
    request_.idle_s = command_.load.empty() ? 0 : command_.idle_s;
    table_.figures = program_figures(request_.idle_s > 0);
    return 0;
}

int Bench::add_allocators() {
    for (const study::TrialSpec& spec : command_.with.empty() ? study::installed_trials() : study::parse_trials(command_.with)) {
        table_.rows.push_back({.label = spec.label, .apply = study::how_to_apply(spec), .values = {}, .failure = spec.problem});
        if (!spec.problem.empty()) {
            continue;
        }
        const std::string number = std::to_string(variants_.size());
        RunRequest request = request_;
        request.preload = spec.preload;
        request.environment = spec.environment;
        request.output = folder_.file("output" + number);
        request.errors = folder_.file("errors" + number);
        table_.rows.back().values.resize(table_.figures.size());
        variants_.push_back({.label = spec.label, .request = std::move(request), .runs = {}});
        row_of_.push_back(table_.rows.size() - 1);
    }
    if (!variants_.empty()) {
        return 0;
    }
    for (const BenchRow& row : table_.rows) {
        remark(row.failure);
    }
    return table_.rows.empty() ? complain(Status::usage, "no allocator was named; write --with glibc,mimalloc")
                               : static_cast<int>(Status::usage);
}

int Bench::run_rounds() {
    std::vector<std::size_t> turn(variants_.size());
    std::iota(turn.begin(), turn.end(), 0);
    for (unsigned round = 0; round < command_.rounds; ++round) {
        const std::string which = ", round " + std::to_string(round + 1) + " of " + std::to_string(command_.rounds);
        run_in_turn(variants_, turn, 1, [this, &which](const std::string& what) { line_->tick(what.substr(0, what.find(',')) + which); });
        for (const Variant& variant : variants_) {
            if (variant.interrupted_by() != 0) {
                return complain(Status::program_failed, "interrupted after " + std::to_string(round) + " whole rounds; nothing is shown");
            }
        }
        keep_figures();
        std::ranges::rotate(turn, turn.begin() + 1);  // everybody begins once
    }
    const bool any_ran = std::ranges::any_of(table_.rows, [](const BenchRow& row) { return row.failure.empty(); });
    if (!any_ran) {
        return complain(Status::program_failed, table_.title + ": " + table_.rows[row_of_.front()].failure);
    }
    return 0;
}

/// Of the round that has just ended.
void Bench::keep_figures() {
    for (std::size_t i = 0; i < variants_.size(); ++i) {
        const Variant& variant = variants_[i];
        BenchRow& row = table_.rows[row_of_[i]];
        judge(row, variant);
        if (!row.failure.empty()) {
            continue;
        }
        if (is_use_case()) {
            keep_workload_figures(row, variant);
            continue;
        }
        const RunResult& run = variant.runs.back();
        const double figures[] = {static_cast<double>(run.wall_ns), static_cast<double>(run.cpu_ns),
                                  static_cast<double>(run.peak_resident_bytes), static_cast<double>(run.idle_resident_bytes)};
        for (std::size_t figure = 0; figure < row.values.size(); ++figure) {
            row.values[figure].push_back(figures[figure]);
        }
    }
}

void Bench::keep_workload_figures(BenchRow& row, const Variant& variant) {
    std::ifstream file(*variant.request.output);
    const nlohmann::json told = nlohmann::json::parse(file, nullptr, false);
    if (told.is_discarded()) {
        row.failure = "heapwright-workload printed no figures; please report it";
        return;
    }
    const auto value = [&told](const char* key) { return told.value(key, 0.0); };
    const double figures[] = {value("cpu_s") * 1e9 / value("operations"), value("p999_ns"), value("longest_ns"),
                              value("resident_bytes") / value("live_bytes"), value("kept_bytes")};
    for (std::size_t figure = 0; figure < row.values.size(); ++figure) {
        row.values[figure].push_back(figures[figure]);
    }
}

/// A run that failed, or said something else than the first allocator's, takes its row out.
void Bench::judge(BenchRow& row, const Variant& variant) const {
    if (!row.failure.empty()) {
        return;
    }
    if (!variant.all_well()) {
        const std::string said = first_line(*variant.request.errors);
        row.failure = "it ended with " + variant.runs.back().ending() + (said.empty() ? "" : ": " + study::harmless(said));
    } else if (!is_use_case() && &variant != &variants_.front() && variants_.front().all_well() &&
               compare_outputs(variants_.front().outputs, variant.outputs) == Sameness::differs) {
        row.failure = "the program's output is another one than under " + variants_.front().label;
    }
}

void add_use_case_options(CLI::App& verb, BenchCommand& command) {
    std::string names;
    for (const UseCase& one : use_cases()) {
        names += "\n  " + std::string{one.name} + ": " + std::string{one.meaning};
    }
    const char* const group = "Without a program: a use case";
    verb.add_option("--like", command.like, "Where the numbers below begin:" + names)->capture_default_str()->group(group);
    verb.add_option("--threads", command.threads, "Threads")->group(group);
    verb.add_option("--sizes", command.sizes, "Of blocks, such as 16..4KiB, evenly over their logarithms")->group(group);
    add_bytes_option(verb, "--live", command.live_bytes, "In blocks that last");
    verb.get_option("--live")->group(group);
    verb.add_option("--operations", command.operations, "Allocations, each freed once")->group(group);
    verb.add_option("--order", command.order, "Which of the blocks that last makes room: random, oldest, newest")->group(group);
    verb.add_option("--brief", command.brief_percent, "Percent of the blocks that are freed within 64 more")->group(group);
    verb.add_option("--handed-over", command.handed_over_percent, "Percent of the others that another thread frees")->group(group);
}

}  // namespace

void add_bench(CLI::App& app, int& status) {
    auto command = std::make_shared<BenchCommand>();
    CLI::App* verb = app.add_subcommand("bench", "Measure a program, or a use case, under every allocator that is installed");
    verb->add_option(
        "--with", command->with,
        "Allocators, separated by commas, with settings as 'heapwright replay' takes them, or /path/to/any.so; the first is what "
        "the others are compared with (default: every allocator that is installed)");
    verb->add_option("--rounds", command->rounds, "Runs of each, in turns; fewer than 8 show nothing")
        ->check(CLI::Range(1U, static_cast<unsigned>(study::kMostPairs)))
        ->capture_default_str();
    verb->add_option("--duration,--stop-after", command->duration_s, "Ask the program to end after so many seconds, in every run")
        ->check(CLI::NonNegativeNumber);
    verb->add_option("--load", command->load,
                     "A shell command that puts the program to work, in every run; when it ends, the program is asked to end");
    verb->add_option("--idle", command->idle_s, "Seconds between the end of the work and the question what is still resident")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
    verb->add_flag("--json", command->json, "Print JSON");
    add_use_case_options(*verb, *command);
    verb->add_option("program", command->words, "The program and its arguments, after '--'");
    verb->positionals_at_end();
    verb->footer("Standard input is read once and given to every run. What the program writes is compared, not shown.");
    verb->callback([command, &status] { status = Bench{*command}.run_all(); });
}

}  // namespace heapwright::cli
