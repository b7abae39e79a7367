#include "run.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "install.hpp"
#include "process_tree.hpp"

#include <apps/launch/launch_report.hpp>

namespace heapwright::cli {
namespace {

using Clock = std::chrono::steady_clock;
using launch::LaunchReport;

constexpr auto kLoadDelay = std::chrono::milliseconds{500};  // a server has to open its socket first
constexpr auto kKilledGrace = std::chrono::seconds{5};       // for the launcher's report on a program that was killed
constexpr auto kUnderWayLimit = std::chrono::seconds{10};    // a program that will not be under way is no reason to wait for ever
constexpr auto kUnderWayBeat = std::chrono::milliseconds{5};
constexpr auto kLoadGrace = std::chrono::seconds{5};  // for a load whose program is gone

volatile sig_atomic_t child_for_signals = 0;

volatile sig_atomic_t signal_for_child = 0;  // came before there was one, or before its launcher could pass it on

void forward(int signal_number) {
    if (child_for_signals > 0) {
        kill(child_for_signals, signal_number);
    } else {
        signal_for_child = signal_number;
    }
}

void forward_to(pid_t child) {
    child_for_signals = child;
    if (signal_for_child != 0) {
        kill(child, signal_for_child);
    }
}

void keep_alive(int) {}

/// While the program runs, our own signals are its business. Handlers, not SIG_IGN: exec resets a handler, but hands
/// an ignored signal down to the program.
class SignalsForProgram {
public:
    SignalsForProgram() {
        signal_for_child = 0;
        install(SIGINT, keep_alive, 0);
        install(SIGQUIT, keep_alive, 1);
        install(SIGTERM, forward, 2);
        install(SIGHUP, forward, 3);
    }
    SignalsForProgram(const SignalsForProgram&) = delete;
    SignalsForProgram& operator=(const SignalsForProgram&) = delete;
    ~SignalsForProgram() {
        child_for_signals = 0;
        for (int i = 0; i < 4; ++i) {
            sigaction(kSignals[i], &before_[i], nullptr);
        }
    }

private:
    static constexpr int kSignals[4] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    void install(int number, void (*handler)(int), int slot) {
        sigaction(number, nullptr, &before_[slot]);
        if (before_[slot].sa_handler == SIG_IGN) {
            return;  // nohup: the program inherits the ignored signal as it would without us
        }
        struct sigaction action{};
        action.sa_handler = handler;
        sigaction(number, &action, nullptr);
    }
    struct sigaction before_[4]{};
};

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

pid_t start_load(const std::string& command) {
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        _exit(127);
    }
    return pid;
}

bool wait_until(pid_t pid, int& status, Clock::time_point deadline) {
    const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    while (handle >= 0) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd ready{handle, POLLIN, 0};
        const int found = poll(&ready, 1, static_cast<int>(std::clamp<long long>(left, 0, 1'000'000)));
        if (found > 0 || (found == 0 && Clock::now() >= deadline)) {
            break;
        }
    }
    close(handle);
    return waitpid(pid, &status, WNOHANG) == pid;
}

void wait_for(pid_t pid, int& status) {
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
}

Clock::duration seconds(double count) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{count}); }

// Ends when the load has ended, or the program before it: a client may wait for ever for a server that crashed.
// Returns: whether the program has ended.
bool work_on(const RunRequest& request, RunResult& result) {
    const pid_t load = start_load(request.load);
    const int handles[2] = {static_cast<int>(syscall(SYS_pidfd_open, load, 0)), static_cast<int>(syscall(SYS_pidfd_open, result.pid, 0))};
    pollfd ready[2] = {{handles[0], POLLIN, 0}, {handles[1], POLLIN, 0}};
    while (poll(ready, 2, -1) < 0 && errno == EINTR) {}
    close(handles[0]);
    close(handles[1]);
    if ((ready[0].revents & POLLIN) == 0 && !wait_until(load, result.load_status, Clock::now() + kLoadGrace)) {
        kill(load, SIGKILL);
        wait_for(load, result.load_status);
    } else if ((ready[0].revents & POLLIN) != 0) {
        wait_for(load, result.load_status);
    }
    return waitpid(result.pid, &result.wait_status, WNOHANG) == result.pid;
}

// Parents before their children: so none that is killed is replaced.
std::vector<pid_t> processes_of(const RunRequest& request, const RunResult& result) {
    std::vector<pid_t> processes = descendants_of(result.pid);
    if (!request.measured) {
        processes.insert(processes.begin(), result.pid);  // otherwise it is the launcher
    }
    return processes;
}

// Returns: whether it ended meanwhile.
bool idle(const RunRequest& request, RunResult& result) {
    if (request.idle_s > 0 && wait_until(result.pid, result.wait_status, Clock::now() + seconds(request.idle_s))) {
        return true;
    }
    for (const pid_t process : processes_of(request, result)) {
        result.idle_resident_bytes += proportional_bytes(process);
    }
    return false;
}

void wait_for_the_end(const RunRequest& request, RunResult& result) {
    if (request.patience_s > 0) {
        if (wait_until(result.pid, result.wait_status, Clock::now() + seconds(request.patience_s))) {
            return;
        }
        double cpu_s = 0;
        for (const pid_t process : processes_of(request, result)) {
            cpu_s += static_cast<double>(cpu_ns_of(process)) / 1e9;
        }
        request.impatient(cpu_s);
    }
    wait_for(result.pid, result.wait_status);
}

// Returns: whether it ended meanwhile.
bool ended_before_under_way(const RunRequest& request, RunResult& result) {
    const auto limit = Clock::now() + kUnderWayLimit;
    while (request.under_way && !request.under_way() && Clock::now() < limit) {
        if (wait_until(result.pid, result.wait_status, Clock::now() + kUnderWayBeat)) {
            return true;
        }
    }
    return false;
}

// Asks first and kills later: the program itself, so that its launcher still reports.
void end_program(const RunRequest& request, RunResult& result) {
    result.stopped = true;
    kill(result.pid, SIGTERM);
    if (wait_until(result.pid, result.wait_status, Clock::now() + seconds(request.grace_s))) {
        return;
    }
    result.killed = true;
    for (const pid_t process : processes_of(request, result)) {
        kill(process, SIGKILL);
    }
    if (!wait_until(result.pid, result.wait_status, Clock::now() + kKilledGrace)) {
        kill(result.pid, SIGKILL);
        wait_for(result.pid, result.wait_status);
    }
}

// Waits for the end by itself, by the clock, or by the end of the load; the last two ask first and kill later.
void accompany(const RunRequest& request, RunResult& result) {
    if (request.load.empty() && request.duration_s <= 0) {
        wait_for_the_end(request, result);
        return;
    }
    if (ended_before_under_way(request, result)) {
        return;
    }
    const auto begin = Clock::now();
    if (!request.load.empty()) {
        if (wait_until(result.pid, result.wait_status, begin + kLoadDelay) || work_on(request, result)) {
            return;  // it did not live long enough
        }
    }
    if (request.duration_s > 0 && wait_until(result.pid, result.wait_status, begin + seconds(request.duration_s))) {
        return;
    }
    if (idle(request, result)) {
        return;
    }
    end_program(request, result);
}

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
    const SignalsForProgram signals;
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
    forward_to(result.pid);
    accompany(request, result);
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
