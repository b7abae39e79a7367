// heapwright record: runs a program and keeps what it does with its memory.
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "record_options.hpp"
#include "recording.hpp"
#include "status.hpp"
#include "verbs.hpp"

#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

struct RecordCommand {
    RecordingOptions recording;
    std::vector<std::string> words;
    std::string load;
    bool quiet = false;
};

void say_what_was_recorded(const Recording& recording) {
    std::uint64_t events = 0;
    for (const TraceFile& trace : recording.traces) {
        events += trace.events;
    }
    const TraceFile& first = recording.traces.front();
    remark("recorded " + study::count_text(events) + " events of " + first.program +
           (recording.traces.size() > 1 ? " and its children in " + std::to_string(recording.traces.size()) + " processes" : "") + ": " +
           first.path + " (" + study::bytes_text(first.file_bytes) + "); explain it with 'heapwright report " + first.path + "'");
}

// What the user has to know even if he wanted silence: the trace holds less than he asked for.
void warn_about_gaps(const Recording& recording) {
    for (const TraceFile& trace : recording.traces) {
        if (trace.stopped_by == "disk-full") {
            remark("the disk filled up while '" + trace.path + "' was written: " + study::count_text(trace.events) +
                   " events were kept; free some space and record again");
        } else if (trace.stopped_by == "write-failed") {
            remark("writing '" + trace.path + "' failed: " + study::count_text(trace.events) +
                   " events were kept; check the disk and record again");
        }
    }
}

int record_command(const RecordCommand& command) {
    if (command.words.empty()) {
        return complain(Status::usage, "no program was named; write it after '--': heapwright record -- PROGRAM ARGUMENTS");
    }
    const Lookup found = find_program(command.words.front());
    if (!found.program) {
        return complain(Status::usage, found.refusal.sentence);
    }
    RunRequest request;
    request.program = *found.program;
    request.arguments.assign(command.words.begin() + 1, command.words.end());
    request.load = command.load;
    const Recording recording = record(request, command.recording);
    if (!recording.problem.empty()) {
        const int status = complain(Status::usage, recording.problem);
        if (recording.refused || recording.run.start_errno != 0) {
            return status;
        }
        exit_like(recording.run);
    }
    warn_about_gaps(recording);
    // The program's own output must stay what it is, so a script sees nothing more than it would without us.
    if (!command.quiet && isatty(STDERR_FILENO) == 1) {
        say_what_was_recorded(recording);
    }
    exit_like(recording.run);
}

}  // namespace

void add_record(CLI::App& app, int& status) {
    auto command = std::make_shared<RecordCommand>();
    CLI::App* verb = app.add_subcommand("record", "Run a program and record every allocation into a trace");
    verb->add_option("-o,--output", command->recording.output,
                     "The trace to write; %p becomes the process id (default: heapwright.PROGRAM.%p.hwtrace)");
    add_recording_options(*verb, command->recording);
    verb->add_option("--duration", command->recording.duration_s, "Stop recording, not the program, after so many seconds; 0: never")
        ->check(CLI::NonNegativeNumber);
    verb->add_option("--load", command->load,
                     "A shell command that puts the program to work, for servers; when it ends, the program is asked to end");
    verb->add_flag("-q,--quiet", command->quiet, "Say nothing when it went well");
    verb->add_option("program", command->words, "The program and its arguments, after '--'");
    verb->positionals_at_end();
    verb->footer("The exit status is the program's own. Refusals end with status 2.");
    verb->callback([command, &status] { status = record_command(*command); });
}

}  // namespace heapwright::cli
