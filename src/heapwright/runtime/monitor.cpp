#include <heapwright/runtime/monitor.hpp>

#include <algorithm>
#include <cstdint>

#include <fcntl.h>
#include <sys/syscall.h>

#include <heapwright/base/check.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/runtime/detail/work.hpp>

namespace heapwright {

namespace {

using namespace std::string_view_literals;

/// Less than this is fragmented in any small program, and nothing is gained by acting on it.
constexpr std::uint64_t kWorthwhileBytes = std::uint64_t{1} << 20;

std::string_view file_name_of(std::string_view path) noexcept {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : tail_of(path, slash + 1);
}

/// By the name of the program's file, or by the name that it was started under.
bool runs_as(std::string_view name) noexcept {
    Text<4096> path;
    if (os::append_program_path(path) && file_name_of(path.view()) == name) {
        return true;
    }
    Text<4096> line;
    if (!os::append_command_line(line, '\n')) {
        return false;
    }
    return file_name_of(head_of(line.view(), line.view().find('\n'))) == name;
}

}  // namespace

MonitorOptions monitor_options(const MemoryConfig& config) noexcept {
    MonitorOptions options;
    options.fragmentation = config.fragmentation;
    options.exports = config.monitor;
    return options;
}

bool wants_monitor(const MemoryConfig& config) noexcept {
    const bool asks = config.fragmentation.monitor_enabled || config.monitor.exports_anything();
    return asks && (config.monitor.program.empty() || runs_as(config.monitor.program.view()));
}

Result<void> Monitor::start(const MonitorOptions& options) noexcept {
    HEAPWRIGHT_CHECK(!is_running(), "a monitor is started once; stop it first");
    options_ = options;
    owner_pid_ = os::current_pid();
    useless_vacant_bytes_ = 0;
    {
        const os::LockGuard guard(figures_lock_);
        figures_ = MonitorFigures();
    }
    port_.store(0, std::memory_order_relaxed);            // no thread of ours exists yet
    wake_place_.store(0, std::memory_order_relaxed);      // as above
    wish_.store(Wish::go_on, std::memory_order_relaxed);  // as above
    const auto body = [](void* monitor) noexcept { MonitorWork(*static_cast<Monitor*>(monitor)).run(); };
    const auto started = thread_.start(body, this, "heapwright-mon");
    if (!started) {
        wish_.store(Wish::none, std::memory_order_relaxed);  // there is no thread
    }
    return started;
}

void Monitor::wake() noexcept {
    // In one order with the store of the wish, and with the thread's own two: either the place is seen here, or the wish there,
    // before the thread waits.
    const std::uint64_t place = wake_place_.load(std::memory_order_seq_cst);
    if (place == 0) {
        return;
    }
    Text<64> path;
    path.append("/proc/self/task/"sv).append_decimal(place >> 32U).append("/fd/"sv).append_decimal(place & UINT32_MAX);
    const long opened = os::raw_syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (!os::is_failure(opened)) {
        os::raw_syscall(SYS_write, opened, "", 1);
        os::raw_syscall(SYS_close, opened);
    }
}

void Monitor::stop() noexcept {
    if (!is_running()) {
        return;
    }
    if (owner_pid_ != os::current_pid()) {
        forget();
        return;
    }
    wish_.store(Wish::stop, std::memory_order_seq_cst);  // against MonitorWork::open_wake() and stops()
    wake();
    thread_.join();
    wish_.store(Wish::none, std::memory_order_relaxed);  // the thread has ended
    port_.store(0, std::memory_order_relaxed);           // as above
}

Result<void> Monitor::add_duty(const MonitorDuty& duty) noexcept {
    const os::LockGuard guard(duties_lock_);
    if (duty_count_ == kDutiesMax) {
        return fail_with(Errc::limit_reached, kDutiesMax);
    }
    duties_[duty_count_++] = duty;
    return {};
}

void Monitor::remove_duty(void* context) noexcept {
    const os::LockGuard guard(duties_lock_);  // held while duties run
    std::size_t kept = 0;
    for (std::size_t i = 0; i < duty_count_; ++i) {
        if (duties_[i].context != context) {
            duties_[kept++] = duties_[i];
        }
    }
    duty_count_ = kept;
}

void Monitor::look_now(const MonitorOptions& options) noexcept {
    HEAPWRIGHT_CHECK(!is_running(), "a monitor that runs looks by itself; stop it first");
    options_ = options;
    measure();
}

bool Monitor::is_too_much(const Measurement& look) const noexcept {
    const std::uint64_t vacant = look.vacant_bytes();
    return vacant >= kWorthwhileBytes &&
           options_.fragmentation.defragmentation_threshold.is_exceeded_by(vacant, look.heap.active_bytes + look.heap.dirty_bytes);
}

Result<Share> Monitor::fragmentation() const noexcept {
    const Measurement look = figures().latest;
    if (is_too_much(look)) {
        return fail_with(Errc::limit_reached, look.vacant_bytes());
    }
    return look.fragmentation();
}

void Monitor::measure() noexcept {
    Measurement now;
    now.wall_ms = os::wall_ns() / 1'000'000;
    now.heap = options_.statistics();
    if (const auto memory = os::resident_memory()) {
        now.resident_bytes = memory->resident_bytes;
    }
    // The kernel counts the two apart, and late.
    now.peak_resident_bytes = std::max<std::uint64_t>(os::resource_use().peak_resident_bytes, now.resident_bytes);
    const std::uint64_t vacant = now.vacant_bytes();
    const FragmentationConfig& wanted = options_.fragmentation;
    const bool exceeds = is_too_much(now);
    {
        const os::LockGuard guard(figures_lock_);
        figures_.latest = now;
        ++figures_.measurements;
        figures_.exceeded += exceeds ? 1 : 0;
    }
    {
        const os::LockGuard guard(duties_lock_);
        for (std::size_t i = 0; i < duty_count_; ++i) {
            if (duties_[i].tick != nullptr) {
                duties_[i].tick(duties_[i].context);
            }
        }
    }
    // What did not help is not done again until more is vacant: a walk over the heap each time for nothing.
    if (exceeds && wanted.enable_auto_defragmentation &&
        vacant >= useless_vacant_bytes_ + (useless_vacant_bytes_ != 0 ? kWorthwhileBytes : 0)) {
        act(vacant);
    } else if (!exceeds) {
        useless_vacant_bytes_ = 0;
    }
}

void Monitor::act(std::uint64_t vacant_bytes) noexcept {
    std::uint64_t given_back = 0;
    {
        const os::LockGuard guard(duties_lock_);
        for (std::size_t i = 0; i < duty_count_; ++i) {
            given_back += duties_[i].compact != nullptr ? duties_[i].compact(duties_[i].context) : 0;
        }
    }
    given_back += options_.give_back();
    useless_vacant_bytes_ = given_back == 0 ? vacant_bytes : 0;
    const os::LockGuard guard(figures_lock_);
    ++figures_.defragmentations;
    figures_.given_back_bytes += given_back;
}

MonitorFigures Monitor::figures() const noexcept {
    const os::LockGuard guard(figures_lock_);
    return figures_;
}

void Monitor::forget() noexcept {
    thread_.forget_after_fork();
    figures_lock_.reset_after_fork();
    duties_lock_.reset_after_fork();
    wish_.store(Wish::none, std::memory_order_relaxed);  // the only thread
    port_.store(0, std::memory_order_relaxed);           // as above
}

void Monitor::after_fork_in_child() noexcept {
    const bool ran = is_running();
    forget();
    if (ran && options_.exports.in_children) {
        in_child_ = true;
        const MonitorOptions options = options_;
        static_cast<void>(start(options));  // a child without a monitor is as good as the program without a child
    }
}

const char* Monitor::broken_invariant() const noexcept {
    // Relaxed: written by the thread that starts and stops.
    if ((wish_.load(std::memory_order_relaxed) != Wish::none) != is_running()) {
        return "M1: a thread without a wish, or a wish without a thread";
    }
    const MonitorFigures now = figures();
    if (now.measurements < now.exceeded || now.exceeded < now.defragmentations) {
        return "M2: more was done than was measured";
    }
    return nullptr;
}

}  // namespace heapwright
