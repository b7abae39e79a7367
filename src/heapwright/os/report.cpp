// Lines on stderr by one raw write.
#include <heapwright/os/report.hpp>

#include <errno.h>
#include <sys/syscall.h>

#include <heapwright/base/check.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::os {
namespace {

constexpr int kStderr = 2;
constexpr std::size_t kLineBytes = 4096;  // what a pipe takes in one piece

void report_failure(const Failure& failure) noexcept {
    Text<kLineBytes> line;
    describe(failure, line);
    write_stderr_line(line.view());
}

}  // namespace

void write_stderr_line(std::string_view text) noexcept {
    Text<kLineBytes> line;
    line.append(head_of(text, kLineBytes - 2)).append_char('\n');
    std::string_view left = line.view();
    while (!left.empty()) {
        const long written = raw_syscall(SYS_write, kStderr, left.data(), left.size());
        if (written == -EINTR) {
            continue;
        }
        if (is_failure(written)) {
            return;  // nobody listens, and there is nobody else to tell
        }
        left.remove_prefix(static_cast<std::size_t>(written));
    }
}

void report_failures_to_stderr() noexcept { set_failure_handler(&report_failure); }

bool report_failures_by_default() noexcept {
    const FailureHandler before = set_failure_handler(&report_failure);
    if (before != nullptr) {
        set_failure_handler(before);
    }
    return true;
}

}  // namespace heapwright::os
