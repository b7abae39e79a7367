// heapwright tune: its options. What it does is in tune_steps.cpp.
#include <memory>
#include <string>

#include "record_options.hpp"
#include "tune_steps.hpp"
#include "verbs.hpp"

namespace heapwright::cli {

void add_tune(CLI::App& app, int& status) {
    auto command = std::make_shared<TuneCommand>();
    CLI::App* verb = app.add_subcommand("tune", "All in one: run, record, explain, advise, prove, and say what helps most");
    verb->add_option("-o,--output", command->output, "Folder for the report, the trace and the outputs (default: heapwright-PROGRAM)");
    verb->add_option(
            "--runs", command->pairs,
            "Pairs of runs, plain and tuned, at the end; fewer than 8 can show nothing (default: 8 to 25, by how long a run takes)")
        ->check(CLI::Range(1, 100));
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
    verb->callback([command, &status] { status = tune(*command); });
}

}  // namespace heapwright::cli
