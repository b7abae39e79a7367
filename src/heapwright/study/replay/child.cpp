#include <heapwright/study/replay/child.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <heapwright/study/replay/trial.hpp>

extern char** environ;

namespace heapwright::study {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kErrorBytes = std::size_t{64} << 10;

std::vector<std::string> child_environment(const ChildOrder& order) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (!is_allocator_variable(text.substr(0, text.find('=')))) {
            all.emplace_back(text);
        }
    }
    for (const auto& [name, value] : order.environment) {
        all.push_back(name + "=" + value);
    }
    return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

struct Pipe {
    int ends[2] = {-1, -1};
    Pipe() {
        if (pipe2(ends, O_CLOEXEC) != 0) {
            ends[0] = ends[1] = -1;
        }
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    void close_end(int end) {
        if (ends[end] >= 0) {
            close(ends[end]);
            ends[end] = -1;
        }
    }
};

/// In the child, after fork: nothing but system calls.
[[noreturn]] void become(const ChildOrder& order, char** arguments, char** environment, int errors, int report) {
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a replay that was killed leaves nobody behind
    const rlimit no_core{0, 0};        // a crash is a result, not something to keep
    setrlimit(RLIMIT_CORE, &no_core);
    if (order.count_system_calls) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    }
    execve(order.program.c_str(), arguments, environment);
    const int error = errno;
    static_cast<void>(!write(report, &error, sizeof(error)));
    _exit(127);
}

/// Reads stderr until it is closed or the time is over. Returns: false when it is over.
bool drain(int errors, Clock::time_point deadline, std::string& text) {
    char buffer[4096];
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) {
            return false;
        }
        pollfd waiting{.fd = errors, .events = POLLIN, .revents = 0};
        const int ready = poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1 << 30)));
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 0) {
            return false;
        }
        const ssize_t got = read(errors, buffer, sizeof(buffer));
        if (got <= 0) {
            return true;
        }
        if (text.size() < kErrorBytes) {
            text.append(buffer, static_cast<std::size_t>(got));
        }
    }
}

void take_status(int wait_status, ChildResult& result) {
    result.status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
    result.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
}

/// Lets a traced child and its threads run from one system call to the next. Each is seen twice, going in and out.
void trace_to_end(pid_t child, Clock::time_point deadline, ChildResult& result) {
    std::uint64_t stops = 0;
    bool attached = false;
    for (;;) {
        int status = 0;
        const pid_t who = waitpid(-1, &status, __WALL);
        if (who < 0) {
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (who == child) {
                take_status(status, result);
                break;
            }
            continue;
        }
        if (!attached) {
            attached = true;
            ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
        }
        const int stop = WSTOPSIG(status);
        stops += stop == (SIGTRAP | 0x80) ? 1 : 0;
        if (Clock::now() > deadline) {
            result.timed_out = true;
            kill(child, SIGKILL);
        }
        const bool passes = stop != SIGTRAP && stop != (SIGTRAP | 0x80) && stop != SIGSTOP;
        ptrace(PTRACE_SYSCALL, who, nullptr, passes ? stop : 0);
    }
    result.system_calls = stops / 2;
}

}  // namespace

ChildResult run_child(const ChildOrder& order) {
    ChildResult result;
    std::vector<std::string> words{order.program};
    words.insert(words.end(), order.arguments.begin(), order.arguments.end());
    std::vector<std::string> variables = child_environment(order);
    const std::vector<char*> arguments = pointers_to(words);
    const std::vector<char*> environment = pointers_to(variables);
    Pipe errors;
    Pipe report;
    if (errors.ends[0] < 0 || report.ends[0] < 0) {
        result.start_errno = EMFILE;
        return result;
    }
    const auto deadline = Clock::now() + std::chrono::milliseconds(static_cast<long long>(order.limit_s * 1000));
    const pid_t child = fork();
    if (child < 0) {
        result.start_errno = errno;
        return result;
    }
    if (child == 0) {
        become(order, const_cast<char**>(arguments.data()), const_cast<char**>(environment.data()), errors.ends[1], report.ends[1]);
    }
    errors.close_end(1);
    report.close_end(1);
    if (order.count_system_calls) {
        trace_to_end(child, deadline, result);
    } else {
        if (!drain(errors.ends[0], deadline, result.errors)) {
            result.timed_out = true;
            kill(child, SIGKILL);
        }
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
        take_status(status, result);
    }
    if (read(report.ends[0], &result.start_errno, sizeof(result.start_errno)) != static_cast<ssize_t>(sizeof(result.start_errno))) {
        result.start_errno = 0;
    }
    return result;
}

}  // namespace heapwright::study
