// heapwright-launch: starts one program, waits for it and reports what the kernel counted.
//
// Why a program of its own: the kernel's high-water mark of a child begins with the resident size of the process that
// called exec. Started from here, a small program's peak is its own and not the tool's.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launch_report.hpp"

namespace {

using heapwright::launch::LaunchReport;

volatile pid_t program = -1;

void forward(int signal_number) {
    if (program > 0) {
        kill(program, signal_number);
    }
}

// The terminal sends SIGINT and SIGQUIT to the program itself; only what is sent to us alone is passed on.
void keep_alive(int) {}

/// Until the program runs there is nobody to pass a signal on to: it waits.
class SignalsWait {
public:
    SignalsWait() {
        sigset_t passed_on;
        sigemptyset(&passed_on);
        sigaddset(&passed_on, SIGTERM);
        sigaddset(&passed_on, SIGHUP);
        sigprocmask(SIG_BLOCK, &passed_on, &before_);
    }
    void end() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

// What our caller ignores stays ignored, by the program too: that is how nohup works.
void handle(int signal_number, void (*handler)(int)) {
    struct sigaction action{};
    sigaction(signal_number, nullptr, &action);
    if (action.sa_handler == SIG_IGN) {
        return;
    }
    action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal_number, &action, nullptr);
}

std::uint64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t nanoseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_usec) * 1000U;
}

/// The command line, taken apart.
struct Order {
    int descriptor;
    char** assignments;  // "NAME=value" for the program alone: a preload must not reach this process
    char** end_of_assignments;
    const char* path;
    char** command;
};

bool parse(int count, char** words, Order& order) {
    int separator = 2;
    while (separator < count && std::strcmp(words[separator], "--") != 0) {
        ++separator;
    }
    if (separator + 2 >= count) {
        return false;
    }
    order = {std::atoi(words[1]), words + 2, words + separator, words[separator + 1], words + separator + 2};
    return true;
}

// A pipe that exec closes carries errno back when there is no exec.
int start(const Order& order, const SignalsWait& signals) {
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) != 0) {
        return errno;
    }
    program = fork();
    if (program == 0) {
        for (char** assignment = order.assignments; assignment != order.end_of_assignments; ++assignment) {
            putenv(*assignment);
        }
        handle(SIGTERM, SIG_DFL);
        handle(SIGHUP, SIG_DFL);
        signals.end();
        execv(order.path, order.command);
        const int reason = errno;
        (void)!write(failure[1], &reason, sizeof reason);
        _exit(127);
    }
    if (program < 0) {
        return errno;
    }
    close(failure[1]);
    int reason = 0;
    if (read(failure[0], &reason, sizeof reason) != static_cast<ssize_t>(sizeof reason)) {
        reason = 0;
    }
    close(failure[0]);
    return reason;
}

void add(const rusage& used, LaunchReport& report) {
    const auto resident = static_cast<std::uint64_t>(used.ru_maxrss) * 1024U;
    report.user_ns += nanoseconds(used.ru_utime);
    report.system_ns += nanoseconds(used.ru_stime);
    report.peak_resident_bytes = report.peak_resident_bytes > resident ? report.peak_resident_bytes : resident;
    report.minor_faults += static_cast<std::uint64_t>(used.ru_minflt);
    report.major_faults += static_cast<std::uint64_t>(used.ru_majflt);
}

// Orphans of the program become our children, and are waited for as init would.
void wait_for_program(LaunchReport& report) {
    for (;;) {
        int status = 0;
        rusage used{};
        const pid_t ended = wait4(-1, &status, 0, &used);
        if (ended > 0) {
            add(used, report);
        }
        if (ended == program) {
            report.wait_status = status;
            return;
        }
        if (ended < 0 && errno != EINTR) {
            return;
        }
    }
}

// Returns: whether nobody is left, at once or after so many hundredths of a second.
bool nobody_left(int hundredths) {
    for (int i = 0;; ++i) {
        pid_t ended = 0;
        while ((ended = waitpid(-1, nullptr, WNOHANG)) > 0) {}
        if (ended < 0) {
            return true;
        }
        if (i == hundredths) {
            return false;
        }
        const timespec moment{0, 10'000'000};
        nanosleep(&moment, nullptr);
    }
}

// Our children as the kernel lists them. Returns: how many got the signal.
unsigned signal_children(int number) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/children", static_cast<int>(getpid()));
    std::FILE* list = std::fopen(path, "re");
    unsigned count = 0;
    for (int child = 0; list != nullptr && std::fscanf(list, "%d", &child) == 1;) {
        count += kill(child, number) == 0 ? 1U : 0U;
    }
    if (list != nullptr) {
        std::fclose(list);
    }
    return count;
}

// A program that went into the background would hold its port, and run beside the next one.
void end_who_is_left(LaunchReport& report) {
    constexpr int kGrace = 100;
    if (nobody_left(kGrace)) {
        return;
    }
    report.left_behind = signal_children(SIGTERM);
    for (int tries = 0; tries < 3 && !nobody_left(kGrace); ++tries) {
        signal_children(SIGKILL);
    }
}

}  // namespace

// heapwright-launch DESCRIPTOR [NAME=value ...] -- PATH ARGV0 [ARGUMENT ...]
int main(int count, char** words) {
    Order order{};
    if (!parse(count, words, order)) {
        return 2;
    }
    const SignalsWait signals;
    fcntl(order.descriptor, F_SETFD, FD_CLOEXEC);
    handle(SIGINT, keep_alive);
    handle(SIGQUIT, keep_alive);
    handle(SIGTERM, forward);
    handle(SIGHUP, forward);

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    LaunchReport report;
    const std::uint64_t begin = now_ns();
    report.start_errno = start(order, signals);
    (void)!write(order.descriptor, &heapwright::launch::kBegun, 1);
    signals.end();
    if (program > 0) {
        wait_for_program(report);
    }
    report.wall_ns = now_ns() - begin;
    if (program > 0) {
        end_who_is_left(report);
    }
    return write(order.descriptor, &report, sizeof report) == static_cast<ssize_t>(sizeof report) ? 0 : 4;
}
