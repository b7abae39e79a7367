#include "standard_streams.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "status.hpp"

namespace heapwright::cli {
namespace {

constexpr std::size_t kCopyBytes = 64 << 10;
constexpr int kPatienceMs = 2000;

// A pipe that stays open and silent would keep us waiting without a word.
void say_what_we_wait_for() {
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    if (poll(&ready, 1, kPatienceMs) == 0) {
        remark("waiting for standard input, which every run is to read; add '</dev/null' if the program needs none");
    }
}

bool copy_all(int from, int to) {
    char buffer[kCopyBytes];
    for (;;) {
        const ssize_t got = read(from, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0;
        }
        for (ssize_t done = 0; done < got;) {
            const ssize_t put = write(to, buffer + done, static_cast<std::size_t>(got - done));
            if (put < 0 && errno != EINTR) {
                return false;
            }
            done += std::max<ssize_t>(put, 0);
        }
    }
}

}  // namespace

std::optional<std::string> keep_standard_input(const std::string& folder) {
    if (isatty(STDIN_FILENO) == 1 || fcntl(STDIN_FILENO, F_GETFD) < 0) {
        return "/dev/null";
    }
    const std::string path = folder + "/stdin";
    const int copy = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (copy < 0) {
        return std::nullopt;
    }
    say_what_we_wait_for();
    const bool copied = copy_all(STDIN_FILENO, copy);
    close(copy);
    return copied ? std::optional{path} : std::nullopt;
}

bool disk_is_full(const std::string& folder) {
    struct statvfs disk{};
    return statvfs(folder.c_str(), &disk) == 0 && disk.f_blocks != 0 && disk.f_bavail == 0;
}

}  // namespace heapwright::cli
