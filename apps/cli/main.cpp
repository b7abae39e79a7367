// heapwright: record a program's memory, explain it, advise, and prove the advice.
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "progress.hpp"
#include "status.hpp"
#include "verbs.hpp"

#include <heapwright/base/version.hpp>

namespace {

using namespace heapwright::cli;

constexpr const char* kSummary =
    "Records what a program does with its memory, explains it, advises, and proves the advice by replaying the\n"
    "recording through real allocators. Begin with: heapwright tune -- PROGRAM ARGUMENTS";

int run_command_line(int count, char** words) {
    CLI::App app{kSummary, "heapwright"};
    int status = 0;
    app.set_version_flag("--version", std::string{"heapwright "} + heapwright::kVersionText);
    app.require_subcommand(1);
    app.add_flag_callback("--no-progress", [] { set_progress_wanted(false); }, "No progress lines on the terminal");
    app.fallthrough();
    add_tune(app, status);
    add_run(app, status);
    add_config(app, status);
    add_doctor(app, status);
    add_record(app, status);
    add_report(app, status);
    add_advise(app, status);
    add_replay(app, status);
    add_bench(app, status);
    add_diff(app, status);
    add_export(app, status);
    if (count == 1) {
        std::fputs(app.help().c_str(), stdout);
        return static_cast<int>(Status::usage);
    }
    try {
        app.parse(count, words);
    } catch (const CLI::Success& wanted) {  // --help, --version
        return app.exit(wanted);
    } catch (const CLI::ParseError& error) {
        return complain(Status::usage, std::string{error.what()} + "; see 'heapwright --help'");
    }
    return status;
}

}  // namespace

int main(int count, char** words) {
    try {
        return run_command_line(count, words);
    } catch (const std::bad_alloc&) {
        return complain(Status::our_fault, "out of memory; close other programs or take a smaller trace");
    } catch (const std::exception& failure) {
        return complain(Status::our_fault,
                        std::string{"internal failure: "} + failure.what() + "; please report it with the command that you ran");
    }
}
