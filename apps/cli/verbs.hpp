// The verbs of the command line, one file each. Every function adds its options to the application; what the verb does
// runs after parsing and leaves the exit status in `status`.
#pragma once

#include <CLI/CLI.hpp>

namespace heapwright::cli {

void add_record(CLI::App& app, int& status);
void add_report(CLI::App& app, int& status);
void add_diff(CLI::App& app, int& status);
void add_advise(CLI::App& app, int& status);
void add_replay(CLI::App& app, int& status);
void add_export(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_tune(CLI::App& app, int& status);
void add_run(CLI::App& app, int& status);
void add_config(CLI::App& app, int& status);
void add_bench(CLI::App& app, int& status);

}  // namespace heapwright::cli
