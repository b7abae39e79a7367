#include <heapwright/runtime/detail/work.hpp>

#include <cerrno>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright {

namespace {

using namespace std::string_view_literals;
using os::is_failure;
using os::raw_syscall;

constexpr std::uint64_t kSecondNs = 1'000'000'000;
/// Where the thread cannot be woken, it looks so often whether it is to stop.
constexpr std::uint64_t kLookNs = kSecondNs / 4;
/// Whoever asks again sooner sees the same figures.
constexpr std::uint64_t kFreshNs = kSecondNs / 10;
/// A sanitizer's run time works on this thread, too, and writes to stderr.
constexpr bool kKeepsStderr = HEAPWRIGHT_UNDER_ASAN != 0 || HEAPWRIGHT_UNDER_TSAN != 0;

/// %p becomes the process id.
void append_path(TextBuffer& text, std::string_view path) noexcept {
    while (!path.empty()) {
        const std::size_t mark = path.find("%p"sv);
        text.append(head_of(path, mark));
        if (mark == std::string_view::npos) {
            return;
        }
        text.append_decimal(os::current_pid());
        path = tail_of(path, mark + 2);
    }
}

/// The program's stderr as it is now. This thread has none of its own.
os::File stderr_of_program() noexcept {
    const std::uint32_t pid = os::current_pid();
    if (const long process = raw_syscall(SYS_pidfd_open, pid, 0); !is_failure(process)) {
        const os::File held(static_cast<int>(process));
        if (const long copy = raw_syscall(SYS_pidfd_getfd, held.fd(), STDERR_FILENO, 0); !is_failure(copy)) {
            return os::File(static_cast<int>(copy));
        }
    }
    Text<64> path;
    path.append("/proc/"sv).append_decimal(pid).append("/fd/2"sv);
    const long opened = raw_syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY, 0);
    return is_failure(opened) ? os::File() : os::File(static_cast<int>(opened));
}

void tell(TextBuffer& line) noexcept {
    os::File file = stderr_of_program();
    if (file.is_open()) {
        line.append_char('\n');
        static_cast<void>(file.write_all(line.view()));  // nobody is left to tell
    }
}

/// Closes what the program had open, in this thread's table alone. Returns: false when the kernel refuses.
bool leave_descriptors() noexcept {
    const unsigned first = kKeepsStderr ? STDERR_FILENO + 1 : 0;
    if (!is_failure(raw_syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_UNSHARE))) {
        return true;
    }
    // Kernels before 5.9. The table is copied; what is in the copy is closed as far as its number goes.
    constexpr unsigned kDescriptors = 1024;
    if (is_failure(raw_syscall(SYS_unshare, CLONE_FILES))) {
        return false;
    }
    for (unsigned descriptor = first; descriptor < kDescriptors; ++descriptor) {
        raw_syscall(SYS_close, descriptor);
    }
    return true;
}

}  // namespace

/// From here on the program's descriptors are not this thread's, and the other way round.
void MonitorWork::take_own_descriptors() noexcept {
    if (!leave_descriptors()) {
        return;
    }
    // So that no socket of ours is ever taken for stderr. The files stay open as long as the thread.
    for (int standard = kKeepsStderr ? STDERR_FILENO + 1 : 0; standard <= STDERR_FILENO; ++standard) {
        raw_syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
    }
}

void MonitorWork::complain(std::string_view what, std::string_view name, const Error& error) noexcept {
    Text<1024> line;
    line.append("heapwright: the monitor cannot "sv).append(what).append(name).append(": "sv);
    switch (error.kind) {
        case Errc::limit_reached: line.append("it is taken; name another place in [monitor]"sv); break;
        case Errc::disk_full: line.append("the disk is full; free some space"sv); break;
        case Errc::overflow: line.append("the path is longer than 107 letters; name a shorter one"sv); break;
        default: line.append(name_of(error.kind)).append("; check the place in [monitor]"sv); break;
    }
    tell(line.append("; it goes on, and tries again"sv));
}

/// A pipe in the thread's table. Another thread finds its end to write to in /proc, where it can be opened once more.
void MonitorWork::open_wake() noexcept {
    int ends[2] = {-1, -1};
    if (is_failure(raw_syscall(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK))) {
        return;
    }
    wake_ = os::File(ends[0]);
    wake_end_ = os::File(ends[1]);  // kept: a pipe that nobody can write to wakes at once
    Text<64> path;
    path.append("/proc/self/task/"sv).append_decimal(os::current_tid()).append("/fd/"sv).append_decimal(wake_.fd());
    const long opened = raw_syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
    can_be_woken_ = !is_failure(opened);
    if (can_be_woken_) {
        raw_syscall(SYS_close, opened);
        const std::uint64_t place = std::uint64_t{os::current_tid()} << 32U | static_cast<std::uint32_t>(wake_.fd());
        monitor_.wake_place_.store(place, std::memory_order_seq_cst);  // see Monitor::wake()
    }
}

void MonitorWork::open_places() noexcept {
    const MonitorConfig& exports = monitor_.options_.exports;
    if (exports.http_port != 0 && !port_.is_open() && !monitor_.in_child_) {
        if (const auto opened = port_.open_port(static_cast<std::uint16_t>(exports.http_port))) {
            port_grievance_.settle();
            monitor_.port_.store(port_.port(), std::memory_order_relaxed);  // a number, nothing is read through it
        } else if (port_grievance_.rise()) {
            Text<32> name;
            name.append("127.0.0.1:"sv).append_decimal(exports.http_port);
            complain("listen to "sv, name.view(), opened.error());
        }
    }
    const bool shares = monitor_.in_child_ && exports.socket.view().find("%p"sv) == std::string_view::npos;
    if (!exports.socket.empty() && !socket_.is_open() && !shares) {
        socket_path_.clear();
        append_path(socket_path_, exports.socket.view());
        if (const auto opened = socket_.open_path(socket_path_.c_str())) {
            socket_grievance_.settle();
        } else if (socket_grievance_.rise()) {
            complain("listen to "sv, socket_path_.view(), opened.error());
        }
    }
}

/// Whoever reads the path sees the old file or the new one, whole.
Result<void> MonitorWork::replace_file(const char* path, std::string_view text) noexcept {
    Path fresh;
    fresh.append(path).append(".new"sv);
    auto file = os::File::create_truncate(fresh.c_str());
    if (!file) {
        return std::unexpected(file.error());
    }
    auto written = file->write_all(text);
    file->close();
    if (written) {
        written = os::rename_file(fresh.c_str(), path);
    }
    if (!written) {
        static_cast<void>(os::remove_file(fresh.c_str()));  // it may not even be there
    }
    return written;
}

void MonitorWork::write_file(const ConfigText& path, std::string_view text, Grievance& grievance) noexcept {
    Path whole;
    append_path(whole, path.view());
    const auto written = replace_file(whole.c_str(), text);
    if (written) {
        grievance.settle();
        return;
    }
    {
        const os::LockGuard guard(monitor_.figures_lock_);
        ++monitor_.figures_.failed_exports;
    }
    if (grievance.rise()) {
        complain("write "sv, whole.view(), written.error());
    }
}

void MonitorWork::write_files() noexcept {
    const MonitorConfig& exports = monitor_.options_.exports;
    const auto write = [&](const ConfigText& path, runtime::Page page, Grievance& grievance) {
        const bool shares = monitor_.in_child_ && path.view().find("%p"sv) == std::string_view::npos;
        if (!path.empty() && !shares) {
            Page text;
            make_page(text, page);
            write_file(path, text.view(), grievance);
        }
    };
    write(exports.metrics_file, runtime::Page::metrics, metrics_grievance_);
    write(exports.json_file, runtime::Page::json, json_grievance_);
}

void MonitorWork::make_page(Page& text, runtime::Page page) noexcept {
    const MonitorFigures figures = monitor_.figures();
    if (page == runtime::Page::json) {
        append_json(text, figures, monitor_.options_.append_members);
    } else if (page == runtime::Page::metrics) {
        append_openmetrics(text, figures);
        if (monitor_.options_.append_metrics != nullptr) {
            monitor_.options_.append_metrics(text);
        }
        text.append("# EOF\n"sv);
    }
}

void MonitorWork::serve(const runtime::Listener& listener) noexcept {
    const os::File connection = listener.accept();
    if (!connection.is_open()) {
        return;
    }
    bool wants_body = true;
    const runtime::Page page = runtime::read_request(connection, wants_body);
    if (os::monotonic_ns() - measured_ns_ > kFreshNs) {
        monitor_.measure();
        measured_ns_ = os::monotonic_ns();
    }
    {
        const os::LockGuard guard(monitor_.figures_lock_);
        ++monitor_.figures_.requests;
    }
    Page text;
    make_page(text, page);
    runtime::answer(connection, page, text.view(), wants_body);
}

bool MonitorWork::stops() const noexcept {
    return monitor_.wish_.load(std::memory_order_seq_cst) == Monitor::Wish::stop;  // see Monitor::wake()
}

/// Answers requests until it is time. Returns: false when the monitor is to stop.
// NOLINTNEXTLINE(readability-function-cognitive-complexity): one loop over three places, each of which may be silent
bool MonitorWork::wait_until(std::uint64_t due_ns) noexcept {
    while (!stops()) {
        const std::uint64_t now = os::monotonic_ns();
        if (now >= due_ns) {
            return true;
        }
        std::uint64_t left = due_ns - now;
        left = can_be_woken_ || left < kLookNs ? left : kLookNs;
        // A descriptor of -1 is passed over.
        pollfd places[] = {{.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                           {.fd = port_.fd(), .events = POLLIN, .revents = 0},
                           {.fd = socket_.fd(), .events = POLLIN, .revents = 0}};
        timespec timeout{.tv_sec = static_cast<time_t>(left / kSecondNs), .tv_nsec = static_cast<long>(left % kSecondNs)};
        const long ready = raw_syscall(SYS_ppoll, places, 3, &timeout, nullptr, 0);
        if (is_failure(ready)) {
            os::sleep_ns(os::errno_of(ready) == EINTR ? 0 : kLookNs);
            continue;
        }
        if ((places[0].revents & POLLIN) != 0) {
            char word[16];
            static_cast<void>(wake_.read_some(std::as_writable_bytes(std::span(word))));  // the wish is what counts
        }
        if (places[1].revents != 0) {
            serve(port_);
        }
        if (places[2].revents != 0) {
            serve(socket_);
        }
    }
    return false;
}

void MonitorWork::run() noexcept {
    take_own_descriptors();
    open_wake();
    std::uint64_t due = os::monotonic_ns();
    do {
        open_places();
        monitor_.measure();
        measured_ns_ = os::monotonic_ns();
        write_files();
        // What took longer than an interval is not made up for.
        const std::uint64_t now = os::monotonic_ns();
        due += monitor_.options_.fragmentation.analysis_interval_ns;
        due = due > now ? due : now + monitor_.options_.fragmentation.analysis_interval_ns;
    } while (wait_until(due));
    monitor_.wake_place_.store(0, std::memory_order_relaxed);  // stop() has been called already
    monitor_.measure();
    write_files();
    if (socket_.is_open()) {
        static_cast<void>(os::remove_file(socket_path_.c_str()));  // somebody else may have done so
    }
}

}  // namespace heapwright
