#include "run.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accompany.hpp"
#include "install.hpp"
#include "program_signals.hpp"

#include <apps/launch/launch_report.hpp>

namespace heapwright::cli {
namespace {

using Clock = std::chrono::steady_clock;
using launch::LaunchReport;

void redirect(const std::optional<std::string>& file, int descriptor, int flags) {
    if (!file) {
        return;
    }
    const int opened = open(file->c_str(), flags | O_CLOEXEC, 0644);
    if (opened < 0 || dup2(opened, descriptor) < 0) {
        _exit(126);
    }
    close(opened);
}

std::string with_pid(std::string text) {
    if (const auto at = text.find("%PID%"); at != std::string::npos) {
        text.replace(at, 5, std::to_string(getpid()));
    }
    return text;
}

// "NAME=value" for everything that the program's environment has on top of ours.
std::vector<std::string> assignments(const RunRequest& request) {
    std::vector<std::string> result;
    for (const auto& [name, value] : request.environment) {
        result.push_back(name + "=" + with_pid(value));
    }
    if (!request.preload.empty()) {
        const char* before = std::getenv("LD_PRELOAD");
        const bool any = before != nullptr && *before != '\0';
        result.push_back("LD_PRELOAD=" + (any ? request.preload + ":" + before : request.preload));
    }
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    result.reserve(words.size() + 1);
    std::ranges::transform(words, std::back_inserter(result), [](std::string& word) { return word.data(); });
    result.push_back(nullptr);
    return result;
}

/// In the child: becomes the program, or the launcher that will start it.
[[noreturn]] void become(const RunRequest& request, int report, int failure) {
    redirect(request.input, STDIN_FILENO, O_RDONLY);
    redirect(request.output, STDOUT_FILENO, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(request.errors, STDERR_FILENO, O_WRONLY | O_CREAT | O_TRUNC);
    std::vector<std::string> words;
    std::vector<std::string> environment = assignments(request);
    std::string file = request.program.path;
    if (request.measured) {
        file = find_tool("heapwright-launch");
        words = {file, std::to_string(report)};
        words.insert(words.end(), environment.begin(), environment.end());
        words.insert(words.end(), {"--", request.program.path, request.program.name});
    } else {
        for (std::string& assignment : environment) {
            putenv(assignment.data());
        }
        words = {request.program.name};
    }
    words.insert(words.end(), request.arguments.begin(), request.arguments.end());
    std::vector<char*> argv = pointers(words);
    execv(file.c_str(), argv.data());
    const int reason = errno;
    (void)!write(failure, &reason, sizeof reason);
    _exit(127);
}

/// A pipe whose ends close themselves, in exec too.
struct Pipe {
    int ends[2] = {-1, -1};
    Pipe() { (void)!pipe2(ends, O_CLOEXEC); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    void close_end(int which) {
        if (ends[which] >= 0) {
            close(ends[which]);
            ends[which] = -1;
        }
    }
    template <class T>
    bool receive(T& value) {
        close_end(1);
        ssize_t got = 0;
        while ((got = read(ends[0], &value, sizeof value)) < 0 && errno == EINTR) {}
        return got == static_cast<ssize_t>(sizeof value);
    }
};

void take_over(const LaunchReport& report, RunResult& result) {
    result.start_errno = report.start_errno;
    result.wait_status = report.wait_status;
    result.wall_ns = report.wall_ns;
    result.cpu_ns = report.user_ns + report.system_ns;
    result.peak_resident_bytes = report.peak_resident_bytes;
    result.minor_faults = report.minor_faults;
    result.major_faults = report.major_faults;
    result.left_behind = report.left_behind;
}

}  // namespace

RunResult run(const RunRequest& request) {
    const ProgramSignals signals;
    RunResult result;
    Pipe failure;
    Pipe report;
    const auto begin = Clock::now();
    result.pid = fork();
    if (result.pid == 0) {
        fcntl(report.ends[1], F_SETFD, request.measured ? 0 : FD_CLOEXEC);
        become(request, report.ends[1], failure.ends[1]);
    }
    if (result.pid < 0) {
        result.start_errno = errno;
        return result;
    }
    if (int reason = 0; failure.receive(reason)) {
        result.start_errno = reason;
    }
    if (char begun = 0; request.measured && (!report.receive(begun) || begun != launch::kBegun) && result.start_errno == 0) {
        result.start_errno = ECHILD;  // the launcher fell before the program stood
    }
    signals.forward_to(result.pid);
    accompany(request, signals, result);
    result.interrupted_by = signals.last();
    result.wall_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds{Clock::now() - begin}.count());
    if (LaunchReport measured; request.measured && report.receive(measured)) {
        take_over(measured, result);
    }
    return result;
}

bool RunResult::program_well() const noexcept {
    if (start_errno != 0) {
        return false;
    }
    if (WIFSIGNALED(wait_status)) {
        const int number = WTERMSIG(wait_status);
        return (stopped && number == SIGTERM) || (killed && number == SIGKILL);
    }
    return stopped || WEXITSTATUS(wait_status) == 0;
}

bool RunResult::well() const noexcept { return program_well() && load_status == 0; }

std::string RunResult::ending() const {
    if (program_well() && load_status != 0) {
        return "a load that failed with " + (WIFEXITED(load_status) ? "status " + std::to_string(WEXITSTATUS(load_status))
                                                                    : "signal " + std::to_string(WTERMSIG(load_status)));
    }
    if (WIFSIGNALED(wait_status)) {
        const int number = WTERMSIG(wait_status);
        return "signal " + std::to_string(number) + " (" + strsignal(number) + ")";
    }
    return "exit status " + std::to_string(WEXITSTATUS(wait_status));
}

void exit_like(const RunResult& result) {
    if (WIFSIGNALED(result.wait_status)) {
        const int number = WTERMSIG(result.wait_status);
        const rlimit no_second_core{0, 0};  // the program has left its own
        setrlimit(RLIMIT_CORE, &no_second_core);
        std::signal(number, SIG_DFL);
        std::raise(number);
    }
    std::_Exit(WEXITSTATUS(result.wait_status));
}

}  // namespace heapwright::cli
