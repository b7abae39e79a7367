#include "first_run.hpp"

#include <cstdint>
#include <cstring>

#include "status.hpp"

#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

constexpr double kLongS = 600;  // all runs together, before the user is told how long they take
constexpr double kIdleShare = 0.05;

void say_how_long(const RunResult& run, unsigned runs) {
    if (static_cast<double>(run.wall_ns) / 1e9 * runs > kLongS) {
        remark("one run takes " + study::duration_text(run.wall_ns) + ", and there may be " + std::to_string(runs) +
               " of them: " + study::duration_text(run.wall_ns * runs) + "; --duration SECONDS makes each shorter, a smaller load, too");
    }
}

int no_ground(const std::string& sentence) { return complain(Status::program_failed, sentence); }

}  // namespace

int judge_first_run(const RunResult& run, const FirstRun& told) {
    if (run.start_errno != 0) {
        return complain(Status::usage, "cannot start '" + told.program + "': " + std::strerror(run.start_errno) + "; check the program");
    }
    if (!run.program_well()) {
        return no_ground("'" + told.command + "' ended with " + run.ending() + (run.stopped ? " when it was asked to end" : " by itself") +
                         ", so there is nothing to compare; its messages are in " + told.errors);
    }
    if (!told.load.empty() && !run.stopped) {
        return no_ground("'" + told.command +
                         "' ended before its load did, so nothing worked on it; start it in the foreground, or leave --load out");
    }
    if (run.load_status != 0) {
        return no_ground("nothing can be compared under " + run.ending() + ": " + told.load + "; what it said is in " + told.load_output);
    }
    if (run.killed) {
        remark("the program did not end within 10 s of SIGTERM and was killed, as it will be in every run");
    }
    if (run.left_behind != 0) {
        remark("the program left " + study::counted(run.left_behind, "process") +
               " in the background, which tune ended and did not measure; start a server in the foreground");
    }
    say_how_long(run, told.runs);
    return 0;
}

void remark_on_waiting(double cpu_s) {
    const bool waits = cpu_s < kPatienceS * kIdleShare;
    remark(std::string{"the program has been running for 10 s"} + (waits ? " and does next to nothing" : "") +
           "; a server is put to work by --load 'COMMAND', and --duration SECONDS ends each run");
}

}  // namespace heapwright::cli
