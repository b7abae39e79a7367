// Runs a program and refuses memory to its malloc at a chosen system call: `refused_calls N one|on PROGRAM WORD...` fails the Nth mmap, mprotect
// or mremap that the code of libheapwright*.so makes with ENOMEM, or that and all later ones; 0: none. Prints how many there were, and ends as
// the program did; 77: this kernel allows no such thing.
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kNotPossible = 77;
constexpr int kSignalled = 128;

/// From now on this process and its children ask who holds the descriptor that is returned, before such a call is made.
int begin_to_ask() {
    constexpr auto kNumber = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
    std::array<sock_filter, 6> steps{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    }};
    const sock_fprog program{.len = steps.size(), .filter = steps.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

/// Whether the code there is of a library of ours.
bool is_of_the_heap(std::uint32_t process, std::uint64_t code) {
    char path[32];
    std::snprintf(path, sizeof(path), "/proc/%u/maps", process);
    std::FILE* const maps = std::fopen(path, "r");
    if (maps == nullptr) {
        return false;
    }
    bool is_found = false;
    char line[4400];
    while (std::fgets(line, sizeof(line), maps) != nullptr) {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        if (std::sscanf(line, "%lx-%lx", &begin, &end) == 2 && begin <= code && code < end) {
            is_found = std::string_view(line).find("/libheapwright") != std::string_view::npos;
            break;
        }
    }
    std::fclose(maps);
    return is_found;
}

/// Answers until nobody is left who could ask. Returns how many calls the heap made.
std::uint64_t answer(int listener, std::uint64_t refused, bool goes_on) {
    std::uint64_t calls = 0;
    pollfd waiting{.fd = listener, .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, -1) > 0 && (waiting.revents & POLLIN) != 0) {
        seccomp_notif asked{};
        if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
            continue;  // who asked is gone
        }
        seccomp_notif_resp said{.id = asked.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        if (is_of_the_heap(asked.pid, asked.data.instruction_pointer)) {
            ++calls;
            if (refused != 0 && (calls == refused || (goes_on && calls > refused))) {
                said.error = -ENOMEM;
                said.flags = 0;
            }
        }
        static_cast<void>(::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said));
    }
    return calls;
}

[[noreturn]] void become(char** program, int listener_out, int may_go) {
    const int listener = begin_to_ask();
    char word = 0;
    if (::write(listener_out, &listener, sizeof(listener)) != sizeof(listener) || listener < 0 || ::read(may_go, &word, 1) != 1) {
        ::_exit(kNotPossible);
    }
    ::execv(program[0], program);
    ::_exit(kNotPossible);
}

}  // namespace

int main(int count, char** words) {
    if (count < 4) {
        return 2;
    }
    int told[2];
    int go[2];
    if (::pipe(told) != 0 || ::pipe(go) != 0) {
        return 2;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        become(words + 3, told[1], go[0]);
    }
    int number = -1;
    static_cast<void>(!::read(told[0], &number, sizeof(number)));
    const long process = number < 0 ? -1 : ::syscall(SYS_pidfd_open, child, 0);
    const long listener = process < 0 ? -1 : ::syscall(SYS_pidfd_getfd, process, number, 0);
    if (listener < 0) {
        ::close(go[1]);
        ::waitpid(child, nullptr, 0);
        return kNotPossible;
    }
    static_cast<void>(!::write(go[1], "", 1));
    const std::uint64_t calls =
        answer(static_cast<int>(listener), std::strtoull(words[1], nullptr, 10), std::string_view(words[2]) == "on");
    int status = 0;
    ::waitpid(child, &status, 0);
    std::printf("%lu\n", calls);
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}
