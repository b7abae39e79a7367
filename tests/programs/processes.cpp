// Ways of starting, leaving and replacing a process. The first word says which; each prints what it saw.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

void allocate(int blocks) {
    std::vector<void*> all;
    for (int at = 0; at < blocks; ++at) {
        all.push_back(std::malloc(static_cast<std::size_t>(16 + at % 300)));
    }
    for (void* block : all) {
        std::free(block);
    }
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

void print_status(const char* what, int status) {
    std::printf("%s: exit %d signal %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    std::fflush(stdout);
}

/// `act` in a child of fork.
template <class Act>
void in_child(const char* what, Act act) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        act();
        _exit(99);
    }
    print_status(what, wait_for(child));
}

void fork_storm(int children) {
    std::vector<pid_t> all;
    for (int at = 0; at < children; ++at) {
        const pid_t child = fork();
        if (child == 0) {
            allocate(200 + at);
            std::exit(at % 7);
        }
        all.push_back(child);
        allocate(50);
    }
    int sum = 0;
    for (const pid_t child : all) {
        sum += WEXITSTATUS(wait_for(child));
    }
    std::printf("fork storm: %d\n", sum);
}

void vfork_and_exec(char** words) {
    static int at = 0;  // static, as the child of vfork shares our registers' homes
    for (at = 0; at < 20; ++at) {
        const pid_t child = vfork();
        if (child == 0) {
            char* const arguments[] = {words[0], const_cast<char*>("leaf"), nullptr};
            execv(at % 2 == 0 ? "/does/not/exist" : words[0], arguments);
            if (at % 2 == 0) {
                execv(words[0], arguments);
            }
            _exit(98);
        }
        const int status = wait_for(child);
        if (status != 0) {
            print_status("vfork", status);
        }
        allocate(100);
    }
    std::printf("vfork is done\n");
}

void spawn_with_bare_environment(char** words) {
    char* const arguments[] = {words[0], const_cast<char*>("environment"), nullptr};
    char* const bare[] = {const_cast<char*>("ONLY=this"), nullptr};
    pid_t child = 0;
    posix_spawn(&child, words[0], nullptr, nullptr, arguments, bare);
    print_status("spawn", wait_for(child));
    in_child("execve", [&] { execve(words[0], arguments, bare); });
    in_child("execle", [&] { execle(words[0], words[0], "environment", static_cast<char*>(nullptr), bare); });
    in_child("execl", [&] { execl(words[0], words[0], "leaf", static_cast<char*>(nullptr)); });
    in_child("execlp", [&] { execlp("true", "true", static_cast<char*>(nullptr)); });
    in_child("fexecve", [&] { fexecve(open(words[0], O_RDONLY | O_CLOEXEC), arguments, bare); });
}

void replace_self(char** words) {
    allocate(1000);
    char* const arguments[] = {words[0], const_cast<char*>("leaf"), nullptr};
    std::fflush(stdout);
    execv("/does/not/exist", arguments);
    allocate(500);
    execvp(words[0], arguments);
}

void ways_out() {
    in_child("exit", [] {
        allocate(100);
        std::exit(3);
    });
    in_child("_exit", [] {
        allocate(100);
        _exit(4);
    });
    in_child("_Exit", [] {
        allocate(100);
        _Exit(5);
    });
    in_child("quick_exit", [] {
        allocate(100);
        std::quick_exit(6);
    });
    in_child("abort", [] {
        allocate(100);
        std::abort();
    });
    in_child("segv", [] {
        allocate(100);
        std::raise(SIGSEGV);
    });
    in_child("term", [] {
        allocate(100);
        std::raise(SIGTERM);
    });
    in_child("kill", [] {
        allocate(100);
        std::raise(SIGKILL);
    });
    in_child("bare exit", [] {
        allocate(100);
        syscall(SYS_exit_group, 7);
    });
}

void bare_fork() {
    const long child = syscall(SYS_fork);
    if (child == 0) {
        allocate(30000);
        std::exit(8);
    }
    print_status("bare fork", wait_for(static_cast<pid_t>(child)));
}

void become_daemon() {
    in_child("daemon", [] {
        allocate(10);
        for (int descriptor = 3; descriptor < 1024; ++descriptor) {
            close(descriptor);
        }
        const int file = open("/dev/null", O_RDWR);
        std::printf("first free descriptor: %d\n", file);
        std::fflush(stdout);
        dup2(file, 100);
        allocate(20000);
        std::exit(0);
    });
}

void change_user() {
    in_child("user", [] {
        allocate(100);
        if (setgid(65534) != 0 || setuid(65534) != 0) {
            std::printf("not root\n");
        }
        allocate(20000);
        const pid_t child = fork();
        if (child == 0) {
            allocate(20000);
            std::exit(0);
        }
        std::exit(WEXITSTATUS(wait_for(child)));
    });
}

void new_user_namespace() {
    in_child("unshare", [] {
        allocate(2000);
        const int result = unshare(CLONE_NEWUSER);
        std::printf("unshare: %s\n", result == 0 ? "done" : std::strerror(errno));
        std::fflush(stdout);
        allocate(2000);
        std::exit(0);
    });
}

void print_environment() {
    const char* only = std::getenv("ONLY");
    std::printf("ONLY=%s\n", only == nullptr ? "" : only);
    allocate(10);
}

}  // namespace

int main(int count, char** words) {
    const std::string_view what = count > 1 ? words[1] : "leaf";
    const int amount = count > 2 ? std::atoi(words[2]) : 20;
    allocate(10);
    if (what == "storm") {
        fork_storm(amount);
    } else if (what == "vfork") {
        vfork_and_exec(words);
    } else if (what == "spawn") {
        spawn_with_bare_environment(words);
    } else if (what == "exec") {
        replace_self(words);
    } else if (what == "out") {
        ways_out();
    } else if (what == "barefork") {
        bare_fork();
    } else if (what == "daemon") {
        become_daemon();
    } else if (what == "user") {
        change_user();
    } else if (what == "unshare") {
        new_user_namespace();
    } else if (what == "environment") {
        print_environment();
    } else if (what == "busy") {
        while (true) {
            allocate(1000);
        }
    }
    return 0;
}
