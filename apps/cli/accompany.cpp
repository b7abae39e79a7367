#include "accompany.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_tree.hpp"

namespace heapwright::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLoadDelay = std::chrono::milliseconds{500};  // a server has to open its socket first
constexpr auto kKilledGrace = std::chrono::seconds{5};       // for the launcher's report on a program that was killed
constexpr auto kUnderWayLimit = std::chrono::seconds{10};    // a program that will not be under way is no reason to wait for ever
constexpr auto kUnderWayBeat = std::chrono::milliseconds{5};
constexpr auto kLoadGrace = std::chrono::seconds{5};  // for a load whose program is gone
constexpr auto kForEver = Clock::time_point::max();

Clock::duration seconds(double count) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{count}); }

/// Milliseconds for poll(); -1: without end.
int left_until(Clock::time_point deadline) {
    if (deadline == kForEver) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 1'000'000));
}

/// A child of ours as poll() sees it.
class Handle {
public:
    explicit Handle(pid_t pid) : pid_{pid}, descriptor_{static_cast<int>(syscall(SYS_pidfd_open, pid, 0))} {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { close(descriptor_); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    pid_t pid_;
    int descriptor_;
};

/// For poll(), which passes over descriptors below 0.
pollfd readable(int descriptor) { return {.fd = descriptor, .events = POLLIN, .revents = 0}; }

/// Waits for one process, or until `also` (a descriptor, or -1) can be read. Returns: whether it has ended; then it was waited for.
bool wait_until(const Handle& process, int also, Clock::time_point deadline, int& status) {
    pollfd ready[2] = {readable(process.descriptor()), readable(also)};
    for (;;) {
        const int found = poll(ready, 2, left_until(deadline));
        if (found > 0 || (found == 0 && Clock::now() >= deadline) || (found < 0 && errno != EINTR)) {
            return waitpid(process.pid(), &status, WNOHANG) == process.pid();
        }
    }
}

void wait_for(pid_t pid, int& status) {
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
}

pid_t start_load(const RunRequest& request) {
    const pid_t pid = fork();
    if (pid == 0) {
        if (request.load_output) {
            const int file = open(request.load_output->c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
            if (file < 0 || dup2(file, STDOUT_FILENO) < 0 || dup2(file, STDERR_FILENO) < 0) {
                _exit(126);
            }
        }
        execl("/bin/sh", "sh", "-c", request.load.c_str(), nullptr);
        _exit(127);
    }
    return pid;
}

/// One running program, and everything that the request wants to happen to it.
class Companion {
public:
    Companion(const RunRequest& request, const ProgramSignals& signals, RunResult& result)
        : request_{request}, signals_{signals}, result_{result}, program_{result.pid} {}

    void stay() {
        const bool ended = request_.load.empty() && request_.duration_s <= 0 ? ends_by_itself() : ends_before_its_time();
        if (!ended) {
            end_program();
        }
    }

private:
    // All of these return whether the program has ended, and was waited for. They return early when we are to end.
    bool ends_by_itself();
    bool ends_before_its_time();
    bool ends_before_under_way();
    bool ends_during_load();
    bool ends_while_idle();
    bool ends_until(Clock::time_point deadline) {
        return wait_until(program_, request_.ends_with_us ? signals_.arrival() : -1, deadline, result_.wait_status);
    }
    [[nodiscard]] bool must_end() const { return request_.ends_with_us && signals_.last() != 0; }
    [[nodiscard]] std::vector<pid_t> processes() const;
    void end_program();

    const RunRequest& request_;
    const ProgramSignals& signals_;
    RunResult& result_;
    Handle program_;
};

bool Companion::ends_by_itself() {
    if (request_.patience_s > 0) {
        if (ends_until(Clock::now() + seconds(request_.patience_s))) {
            return true;
        }
        double cpu_s = 0;
        for (const pid_t process : processes()) {
            cpu_s += static_cast<double>(cpu_ns_of(process)) / 1e9;
        }
        if (!must_end()) {
            request_.impatient(cpu_s);
        }
    }
    return ends_until(kForEver);
}

bool Companion::ends_before_its_time() {
    if (ends_before_under_way()) {
        return true;
    }
    const auto begin = Clock::now();
    if (!request_.load.empty() && !must_end() && (ends_until(begin + kLoadDelay) || ends_during_load())) {
        return true;
    }
    if (request_.duration_s > 0 && !must_end() && ends_until(begin + seconds(request_.duration_s))) {
        return true;
    }
    return !must_end() && ends_while_idle();
}

bool Companion::ends_before_under_way() {
    const auto limit = Clock::now() + kUnderWayLimit;
    while (request_.under_way && !must_end() && !request_.under_way() && Clock::now() < limit) {
        if (ends_until(Clock::now() + kUnderWayBeat)) {
            return true;
        }
    }
    return false;
}

// Until the load has ended, or the program before it: a client may wait for ever for a server that crashed.
bool Companion::ends_during_load() {
    if (must_end()) {
        return false;
    }
    const pid_t pid = start_load(request_);
    const Handle load{pid};
    pollfd ready[3] = {readable(load.descriptor()), readable(program_.descriptor()),
                       readable(request_.ends_with_us ? signals_.arrival() : -1)};
    while (poll(ready, 3, -1) < 0 && errno == EINTR) {}
    if ((ready[0].revents & POLLIN) == 0) {
        kill(pid, must_end() ? SIGTERM : 0);
        if (!wait_until(load, -1, Clock::now() + kLoadGrace, result_.load_status)) {
            kill(pid, SIGKILL);
            wait_for(pid, result_.load_status);
        }
    } else {
        wait_for(pid, result_.load_status);
    }
    return waitpid(result_.pid, &result_.wait_status, WNOHANG) == result_.pid;
}

bool Companion::ends_while_idle() {
    if (request_.idle_s > 0 && ends_until(Clock::now() + seconds(request_.idle_s))) {
        return true;
    }
    for (const pid_t process : processes()) {
        result_.idle_resident_bytes += proportional_bytes(process);
    }
    return false;
}

// Parents before their children: so none that is killed is replaced.
std::vector<pid_t> Companion::processes() const {
    std::vector<pid_t> all = descendants_of(result_.pid);
    if (!request_.measured) {
        all.insert(all.begin(), result_.pid);  // otherwise it is the launcher
    }
    return all;
}

// Asks first and kills later: the program itself, so that its launcher still reports.
void Companion::end_program() {
    result_.stopped = true;
    kill(result_.pid, SIGTERM);
    if (wait_until(program_, -1, Clock::now() + seconds(request_.grace_s), result_.wait_status)) {
        return;
    }
    result_.killed = true;
    for (const pid_t process : processes()) {
        kill(process, SIGKILL);
    }
    if (!wait_until(program_, -1, Clock::now() + kKilledGrace, result_.wait_status)) {
        kill(result_.pid, SIGKILL);
        wait_for(result_.pid, result_.wait_status);
    }
}

}  // namespace

void accompany(const RunRequest& request, const ProgramSignals& signals, RunResult& result) { Companion{request, signals, result}.stay(); }

}  // namespace heapwright::cli
