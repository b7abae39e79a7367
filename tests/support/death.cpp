// fork, a pipe for stderr, and waitpid.
#include <tests/support/death.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace heapwright::test {
namespace {

[[noreturn]] void run_in_child(const std::function<void()>& act, int stderr_pipe) {
    ::dup2(stderr_pipe, STDERR_FILENO);
    // No core file, and none of doctest's or a sanitizer's handlers between the trap and its signal.
    const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    for (const int number : {SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) {
        std::signal(number, SIG_DFL);
    }
    act();
    ::_exit(0);
}

}  // namespace

Death death_of(const std::function<void()>& act) {
    int ends[2];
    if (::pipe(ends) != 0) {
        std::abort();
    }
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        run_in_child(act, ends[1]);
    }
    ::close(ends[1]);
    Death death;
    char room[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], room, sizeof room)) > 0;) {
        death.last_words.append(room, static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    death.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    death.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    death.died = death.signal != 0 || death.exit_status != 0;
    return death;
}

}  // namespace heapwright::test
