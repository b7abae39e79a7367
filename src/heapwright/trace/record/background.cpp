// The background thread's life: wait for the bell, the clock or an order; drain; sample.
#include <heapwright/trace/record/background.hpp>

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/syscall.h>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/trace/record/provenance.hpp>
#include <heapwright/trace/record/recorder.hpp>

namespace heapwright::trace::record {

namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
/// Between two samples: this while something happens, up to the other while nothing does.
constexpr std::uint64_t kFastBeatNs = 20 * kMillisecond;
constexpr std::uint64_t kSlowBeatNs = 200 * kMillisecond;
/// Half-filled buffers wait at most so long.
constexpr std::uint64_t kDrainEveryNs = 100 * kMillisecond;
constexpr std::uint64_t kFirstMapAfterNs = 50 * kMillisecond;
/// A child of fork that runs another program or ends before this leaves no file unless it is asked to.
constexpr std::uint64_t kCreateAfterNs = 250 * kMillisecond;
/// Samples may cost one part in this many of the time between them.
constexpr std::uint64_t kSampleShareOfTime = 200;
constexpr std::size_t kTextRoom = std::size_t{20} << 10;
constexpr unsigned kMaxNameTries = 1000;
/// Milliseconds that a fork may wait for the file's name.
constexpr unsigned kNameBeats = 100;

bool is_exec(const char* reason) noexcept { return std::string_view(reason) == kReasonExec; }

}  // namespace

Result<void> Background::start(Recorder& owner, bool later) noexcept {
    recorder_ = &owner;
    later_ = later;
    ended_ = false;
    handed_over_ = -1;
    path_[0] = '\0';
    named_.store(0, std::memory_order_relaxed);  // no thread to order against yet
    cpu_before_ns_ = 0;
    began_ns_ = os::monotonic_ns();
    return thread_.start(&Background::body, this, "heapwright");
}

void Background::await_name() noexcept {
    for (unsigned beat = 0; beat < kNameBeats && !later_ && thread_.is_started(); ++beat) {
        if (named_.load(std::memory_order_acquire) != 0) {  // pairs with the releases in create_file() and give_up()
            return;
        }
        os::futex_wait(&named_, 0, kMillisecond);
    }
}

Result<void> Background::start_again(Recorder& owner, int descriptor) noexcept {
    recorder_ = &owner;
    handed_over_ = descriptor;
    took_over_.store(0, std::memory_order_relaxed);  // no thread to order against yet
    if (auto started = thread_.start(&Background::body, this, "heapwright"); !started) {
        return started;
    }
    while (took_over_.load(std::memory_order_acquire) == 0) {  // pairs with the release in take_own_descriptors()
        os::futex_wait(&took_over_, 0, kMillisecond);
    }
    return {};
}

void Background::forget_after_fork() noexcept {
    thread_.forget_after_fork();
    file_.abandon();
    // No other thread exists to order against.
    order_.store(0, std::memory_order_relaxed);
    one_order_.reset_after_fork();
}

bool Background::obey(Order order, const char* reason, std::uint64_t timeout_ns) noexcept {
    const os::LockGuard guard(one_order_);
    const std::uint32_t before = answered_.load(std::memory_order_relaxed);      // changes only while an order is pending
    reason_.store(reason, std::memory_order_relaxed);                            // the next store releases it
    order_.store(static_cast<std::uint32_t>(order), std::memory_order_release);  // pairs with the acquire in run()
    ring();
    const std::uint64_t deadline = os::monotonic_ns() + timeout_ns;
    while (answered_.load(std::memory_order_acquire) == before) {  // pairs with the release in carry_out()
        const std::uint64_t now = os::monotonic_ns();
        if (now >= deadline) {
            return false;
        }
        os::futex_wait(&answered_, before, deadline - now);
    }
    return true;
}

void Background::body(void* self) noexcept { static_cast<Background*>(self)->run(); }

void Background::take_own_descriptors() noexcept {
    const int kept = handed_over_;
    const unsigned first = kept < 0 ? 0U : static_cast<unsigned>(kept) + 1;
    const long closed = os::raw_syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_UNSHARE);
    if (os::is_failure(closed)) {
        os::raw_syscall(SYS_unshare, CLONE_FILES);
        for (int descriptor = 0; descriptor < 65536; ++descriptor) {
            if (descriptor != kept) {
                os::raw_syscall(SYS_close, descriptor);
            }
        }
    } else if (kept > 0) {
        os::raw_syscall(SYS_close_range, 0, static_cast<unsigned>(kept) - 1, 0);
    }
    if (kept >= 0) {
        file_.adopt(os::File(kept));
        took_over_.store(1, std::memory_order_release);  // pairs with the acquire in start_again()
        os::futex_wake(&took_over_);
    }
}

bool Background::prepare() noexcept { return file_.prepare() && drain_.prepare() && sampler_.prepare(); }

bool Background::create_file() noexcept {
    if (file_.is_open()) {
        return true;
    }
    const Options& options = recorder_->options();
    const std::uint32_t pid = recorder_->pid_;
    bool fallback = false;
    TextBuffer path(path_, sizeof(path_));
    for (unsigned attempt = 1; attempt <= kMaxNameTries; ++attempt) {
        path.clear();
        fallback ? options.append_fallback_path(path, pid, attempt) : options.append_path(path, pid, attempt);
        const auto created = file_.create(path_);
        if (created) {
            break;
        }
        if (created.error().system_errno != EEXIST) {
            if (fallback || options.fallback[0] == '\0') {
                path.clear();
                return false;
            }
            fallback = true;
            attempt = 0;
        }
    }
    if (!file_.is_open()) {
        return false;
    }
    named_.store(1, std::memory_order_release);  // pairs with await_name()
    os::futex_wake(&named_, 1);
    drain_.reset();
    sampler_.reset(began_ns_);
    write_info_chunk();
    drain_.write_modules(*recorder_, file_);
    sampler_.sample(file_);
    return !file_.has_failed();
}

void Background::write_info_chunk() noexcept {
    std::uint8_t room[kTextRoom];
    ByteWriter out(room);
    const Provenance provenance = {.pid = recorder_->pid_,
                                   .parent_pid = recorder_->parent_pid_,
                                   .parent_trace = recorder_->parent_trace_,
                                   .allocator = &recorder_->allocator_module_};
    write_info(out, recorder_->options(), provenance);
    file_.write({.kind = ChunkKind::info, .items = 1}, out.written());
}

void Background::write_end_chunk(const char* reason) noexcept {
    std::uint8_t room[kTextRoom];
    ByteWriter out(room);
    write_closing(out, {.reason = reason,
                        .events = drain_.events(),
                        .dropped_events = recorder_->dropped_.load(std::memory_order_relaxed),  // a statistic
                        .wall_ns = os::monotonic_ns() - began_ns_,
                        .chunks = file_.chunks() + 1,
                        .recorder_cpu_ns = os::thread_cpu_ns() + cpu_before_ns_,
                        .recorder_resident_bytes = sampler_.own_resident_bytes()});
    file_.mark_end();
    file_.write({.kind = ChunkKind::end, .items = 1}, out.written());
}

void Background::run() noexcept {
    take_own_descriptors();
    const bool able = prepare();
    beat_ns_ = kFastBeatNs;
    next_beat_ns_ = began_ns_;
    create_at_ns_ = later_ ? began_ns_ + kCreateAfterNs : began_ns_;
    if (!able || (!later_ && handed_over_ < 0 && !create_file())) {
        give_up("cannot-write");
    }
    while (true) {
        const std::uint32_t heard = bell_.load(std::memory_order_acquire);              // pairs with the release in ring()
        const auto order = static_cast<Order>(order_.load(std::memory_order_acquire));  // pairs with obey()
        if (order != Order::none) {
            carry_out(order);
            if (order == Order::leave) {
                return;
            }
            continue;
        }
        if (!recorder_->is_running()) {
            os::futex_wait(&bell_, heard);
            continue;
        }
        if (ended_) {
            // The process was about to end. If it goes on after all, buffers fill, and somebody rings.
            if (recorder_->full_buffers() >= kBatchBuffers) {
                take_back_end();
            } else {
                os::futex_wait(&bell_, heard);
            }
            continue;
        }
        if (recorder_->full_buffers() >= kBatchBuffers) {
            drain();
            continue;
        }
        const std::uint64_t now = os::monotonic_ns();
        if (now >= next_beat_ns_) {
            beat();
            continue;
        }
        os::futex_wait(&bell_, heard, next_beat_ns_ - now);
    }
}

void Background::drain() noexcept {
    if (!create_file()) {
        give_up("cannot-write");
        return;
    }
    last_drain_ns_ = os::monotonic_ns();
    if (!drain_.run(*recorder_, file_)) {
        give_up(file_.has_failed() ? (file_.failure().kind == Errc::disk_full ? "disk-full" : "write-error") : "max-size");
    }
}

bool Background::time_is_over() const noexcept {
    const std::uint64_t limit = recorder_->options().duration_ns;
    return limit != 0 && os::monotonic_ns() - recorder_->started_ns_ >= limit;
}

void Background::beat() noexcept {
    std::uint64_t now = os::monotonic_ns();
    if (!file_.is_open() && now < create_at_ns_) {
        next_beat_ns_ = create_at_ns_;
        return;
    }
    if (!create_file()) {
        give_up("cannot-write");
        return;
    }
    recorder_->look_after_modules();
    bool busy = sampler_.sample(file_);
    // The first map waits a moment: processes that live shorter get the one at their end.
    if (now - began_ns_ >= kFirstMapAfterNs && sampler_.wants_map()) {
        sampler_.write_map(file_);
    }
    if (now - last_drain_ns_ >= kDrainEveryNs) {
        drain();
        sampler_.flush(file_);
        busy = busy || drain_.last_events() != 0;
        beat_ns_ = busy ? kFastBeatNs : beat_ns_ * 2;
        beat_ns_ = beat_ns_ < kSlowBeatNs ? beat_ns_ : kSlowBeatNs;
    }
    if (time_is_over() && recorder_->is_running()) {
        drain();
        close("duration");
        give_up("duration");
    }
    now = os::monotonic_ns();
    const std::uint64_t cheap_enough = sampler_.last_sample_cost_ns() * kSampleShareOfTime;
    next_beat_ns_ = now + (beat_ns_ > cheap_enough ? beat_ns_ : cheap_enough);
}

void Background::close(const char* reason) noexcept {
    if (!create_file() || ended_) {
        return;
    }
    sampler_.sample(file_);
    sampler_.write_map(file_);
    sampler_.flush(file_);
    drain_.write_threads(*recorder_, file_);
    write_end_chunk(reason);
    ended_ = true;
}

void Background::take_back_end() noexcept {
    if (ended_) {
        file_.take_back_end();
        ended_ = false;
    }
}

void Background::give_up(const char* reason) noexcept {
    if (file_.is_open() && !ended_) {
        file_.try_again();
        close(reason);
    }
    named_.store(1, std::memory_order_release);  // pairs with await_name(): there will be no name
    recorder_->end_recording();
    drain_.discard(*recorder_);
}

void Background::carry_out(Order order) noexcept {
    const char* reason = reason_.load(std::memory_order_relaxed);  // released with the order
    const bool running = recorder_->is_running();
    switch (order) {
        case Order::finish:
            // A child of fork that runs another program right away leaves no file.
            if (running && !(is_exec(reason) && !file_.is_open())) {
                take_back_end();
                drain();
                close(reason);
            }
            break;
        case Order::resume:
            if (running) {
                take_back_end();
            }
            break;
        case Order::stop:
            if (running) {
                drain();
                give_up(reason);
            }
            break;
        case Order::leave:
            if (running) {
                take_back_end();
                drain();
                sampler_.flush(file_);
            }
            cpu_before_ns_ += os::thread_cpu_ns();
            file_.file().close();
            break;
        case Order::none: break;
    }
    order_.store(0, std::memory_order_relaxed);         // the next line releases it
    answered_.fetch_add(1, std::memory_order_release);  // pairs with the acquire in obey()
    os::futex_wake(&answered_);
}

}  // namespace heapwright::trace::record
