// Beginning and ending of a recording; threads and buffers coming and going.
#include <heapwright/trace/record/recorder.hpp>

#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/os/thread.hpp>

// Absent before glibc 2.32.
extern "C" __attribute__((weak)) const char __libc_single_threaded;

namespace heapwright::trace::record {

namespace {
constexpr char kNeverSingle = 0;
}

constinit const volatile char* single_thread_flag = &kNeverSingle;
constinit Recorder recorder;
constinit ThreadLog unattached_log;
constinit ThreadLog detached_log;
constinit thread_local ThreadLog* current_log = &unattached_log;

namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
/// A producer that finds no free buffer for so long gives its events up; they are counted.
constexpr std::uint64_t kBufferPatienceNs = 10'000 * kMillisecond;
constexpr unsigned kProcessLogAttempts = 1000;

std::uint64_t events_in(const Word* from, const Word* to) noexcept {
    std::uint64_t events = 0;
    while (from < to) {
        const Op op = op_of(*from++);
        const bool is_event = op <= Op::resize_from;
        events += is_event ? 1 : 0;
        const bool has_second =
            is_event ? op != Op::resize_from && kind_of(static_cast<Call>(op)) != EventKind::release : op == Op::wide || op == Op::usable;
        from += has_second ? 1 : 0;
    }
    return events;
}

}  // namespace

bool Recorder::start(const Options& options, const Host& host) noexcept {
    State expected = State::idle;
    // Acquire and release: whoever sees running later sees what follows, by the store at the end.
    if (!state_.compare_exchange_strong(expected, State::starting, std::memory_order_acq_rel)) {
        return expected == State::running;
    }
    options_ = options;
    options_.make_absolute();
    host_ = host;
    pid_ = os::current_pid();
    started_ns_ = os::monotonic_ns();
    if (&__libc_single_threaded != nullptr) {
        single_thread_flag = &__libc_single_threaded;
    }
    os::RawThread::prepare();
    static_cast<void>(find_module(host.code, allocator_module_));
    if (options.stack != stack::StackMode::none && (!rules_.open() || !nodes_.open(rules_))) {
        options_.stack = stack::StackMode::none;
    }
    if (options.sample_interval_bytes != 0) {
        filter.stick_all();
    }
    begin_log(process_log_);
    mark_process();
    refresh_modules();
    void* memory = os::map_observer_pages(sizeof(Background), "heapwright background");
    background_ = memory == nullptr ? nullptr : new (memory) Background;
    // Running before the thread is: it looks at the state first.
    state_.store(State::running, std::memory_order_release);  // pairs with state()
    if (background_ == nullptr || !background_->start(*this, false)) {
        state_.store(State::stopped, std::memory_order_release);  // pairs with state()
    }
    return is_running();
}

void Recorder::set_foreign(const void* begin, std::size_t bytes) noexcept {
    foreign_begin_ = reinterpret_cast<std::uintptr_t>(begin);
    foreign_bytes_ = bytes;
    for (std::size_t at = 0; at < bytes + os::kPageBytes; at += os::kPageBytes) {
        filter.stick(static_cast<const char*>(begin) + at);
    }
}

bool Recorder::is_own_process() const noexcept { return os::current_pid() == pid_; }

void Recorder::finish(const char* reason) noexcept {
    const bool has_events = background_->is_started() || first_log() != nullptr;
    if (is_running() && is_own_process() && has_events && ensure_background()) {
        refresh_modules();
        background_->obey(Order::finish, reason);
    }
}

void Recorder::resume() noexcept {
    if (is_running() && is_own_process() && background_->is_started()) {
        background_->obey(Order::resume, "");
    }
}

void Recorder::stop(const char* reason) noexcept {
    if (is_running() && is_own_process() && ensure_background()) {
        background_->obey(Order::stop, reason);
    }
}

int Recorder::stand_still() noexcept {
    if (!is_running() || !is_own_process() || !background_->is_started()) {
        return -1;
    }
    const long descriptor = os::raw_syscall(SYS_openat, AT_FDCWD, background_->path(), O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (os::is_failure(descriptor)) {
        background_->obey(Order::stop, "file-out-of-reach");
    }
    background_->obey(Order::leave, "");
    background_->join();
    return os::is_failure(descriptor) ? -1 : static_cast<int>(descriptor);
}

void Recorder::go_on(int descriptor) noexcept {
    if (descriptor < 0) {
        return;
    }
    if (!background_->start_again(*this, descriptor)) {
        end_recording();
    }
    os::raw_syscall(SYS_close, descriptor);
}

void Recorder::end_recording() noexcept {
    state_.store(State::stopped, std::memory_order_release);  // pairs with state()
    const os::LockGuard guard(lock_);
    for (ThreadLog* log = logs_; log != nullptr; log = log->next) {
        send_the_slow_way(*log);
    }
    given_back_.fetch_add(1, std::memory_order_release);  // pairs with the acquire in take_buffer()
    os::futex_wake(&given_back_);
}

// Threads ---------------------------------------------------------------------------------------------------------

ThreadLog* Recorder::new_log() noexcept {
    {
        const os::LockGuard guard(lock_);
        if (ThreadLog* log = spare_logs_; log != nullptr) {
            spare_logs_ = log->next;
            return log;
        }
    }
    void* memory = os::map_observer_pages(sizeof(ThreadLog), "heapwright thread");
    return memory == nullptr ? nullptr : new (memory) ThreadLog;
}

/// Fills in what a log needs before its first event.
void Recorder::begin_log(ThreadLog& log) noexcept {
    const Tick now = tick_now();
    log.last_tick = now;
    log.stamp_tick = now;
    log.drained_tick = now;
    log.first_tick = now;
    log.quiet_left = 1;
    log.depth = options_.depth;
    log.stack_mode = options_.stack;
    // A limit of 0 sends every request the slow way, where it is decided whether it is a sample.
    log.plain_sizes = options_.sample_interval_bytes == 0 ? kLargeBlockBytes : 0;
    log.draw.seed(os::ticks() ^ reinterpret_cast<std::uintptr_t>(&log));
    log.sample_left = options_.sample_interval_bytes == 0 ? 0 : log.draw.next(options_.sample_interval_bytes);
    log.look_credit = 0;
    log.look_cycles = os::ticks();
    log.index = ThreadIndex::process;
    log.departed = 0;
    log.finished = false;
    log.announced = false;
    log.current = nullptr;
    log.full_first = nullptr;
    log.full_last = nullptr;
    log.taken_first = nullptr;
    log.name[0] = '\0';
    // Relaxed: the log is not shared yet.
    log.limit.store(kNoRoom, std::memory_order_relaxed);
    log.resume_limit.store(kNoRoom, std::memory_order_relaxed);
    log.cursor.store(kNowhere, std::memory_order_relaxed);
}

ThreadLog* Recorder::attach() noexcept {
    if (!is_running()) {
        return nullptr;
    }
    ThreadLog* log = new_log();
    if (log == nullptr) {
        return nullptr;
    }
    begin_log(*log);
    log->tid = os::current_tid();
    static_cast<void>(log->stacks.open(rules_, nodes_, options_.stack));
    const os::LockGuard guard(lock_);
    log->next = logs_;
    logs_ = log;
    ++attached_;
    return log;
}

void Recorder::detach(ThreadLog& log) noexcept {
    os::raw_syscall(SYS_prctl, PR_GET_NAME, log.name);
    const os::LockGuard guard(lock_);
    log.finished = true;
}

ThreadLog* Recorder::lock_process_log() noexcept {
    // Others hold it for some hundred instructions. But if this is a signal handler of the thread that holds it, waiting
    // has no end.
    for (unsigned attempt = 0; attempt < kProcessLogAttempts; ++attempt) {
        if (process_lock_.try_lock()) {
            return &process_log_;
        }
        os::yield_thread();
    }
    return nullptr;
}

void Recorder::retire_finished_logs(Drain& drain, TraceWriter& file) noexcept {
    ThreadLog* retired = nullptr;
    {
        const os::LockGuard guard(lock_);
        for (ThreadLog** link = &logs_; *link != nullptr;) {
            ThreadLog* log = *link;
            if (!log->taken_finished || log->taken_first != nullptr) {
                link = &log->next;
                continue;
            }
            *link = log->next;
            log->next = retired;
            retired = log;
            --attached_;
            if (log->current != nullptr) {
                pool_.give(log->current);
            }
        }
    }
    while (ThreadLog* log = retired) {
        retired = log->next;
        if (log->index != ThreadIndex::process) {
            drain.announce(file, *log, true);
        }
        log->taken_finished = false;
        log->stacks.close();
        const os::LockGuard guard(lock_);
        log->next = spare_logs_;
        spare_logs_ = log;
    }
}

ThreadLog* Recorder::first_log() noexcept {
    const os::LockGuard guard(lock_);
    return logs_;
}

// Buffers ---------------------------------------------------------------------------------------------------------

void Recorder::send_the_slow_way(ThreadLog& log) noexcept {
    log.resume_limit.store(kNoRoom, std::memory_order_relaxed);  // see ThreadLog::leave
}

std::uint32_t Recorder::full_buffers() noexcept {
    const os::LockGuard guard(lock_);
    return full_buffers_;
}

void Recorder::buffers_came_back() noexcept {
    given_back_.fetch_add(1, std::memory_order_release);  // pairs with the acquire in take_buffer()
    os::futex_wake(&given_back_);
}

/// Waits until a buffer is free, or gives up what stands in the log's own.
Buffer* Recorder::take_buffer(ThreadLog& log) noexcept {
    const std::uint64_t deadline = os::monotonic_ns() + kBufferPatienceNs;
    while (is_running()) {
        const std::uint32_t before = given_back_.load(std::memory_order_acquire);  // pairs with buffers_came_back()
        {
            const os::LockGuard guard(lock_);
            if (Buffer* buffer = pool_.take(attached_ + 1); buffer != nullptr) {
                return buffer;
            }
        }
        if (os::monotonic_ns() > deadline) {
            break;
        }
        background_->ring();
        os::futex_wait(&given_back_, before, 100 * kMillisecond);
    }
    const os::LockGuard guard(lock_);
    Buffer* buffer = log.full_last;  // the one just handed over, if nobody has taken it meanwhile
    if (buffer == nullptr || buffer != log.full_first) {
        return nullptr;
    }
    log.full_first = nullptr;
    log.full_last = nullptr;
    --full_buffers_;
    count_dropped(events_in(buffer->drained, buffer->filled));
    buffer->reset();
    return buffer;
}

Word* Recorder::make_room(ThreadLog& log) noexcept {
    if (HEAPWRIGHT_UNLIKELY(is_unannounced_child())) {
        after_fork_in_child();
        return nullptr;  // the log has just been taken away; the next event gets a new one
    }
    if (!is_running()) {
        return nullptr;
    }
    if (module_looks_.load(std::memory_order_relaxed) != 0 && &log != &process_log_) {  // a hint, looked at again later
        refresh_modules();
    }
    const auto set_limit = [&log]() noexcept {
        log.resume_limit.store(reinterpret_cast<PlaceNumber>(log.current->last_start()), std::memory_order_relaxed);  // own log
    };
    bool ring = false;
    {
        const os::LockGuard guard(lock_);
        Buffer* current = log.current;
        if (current != nullptr && log.place() <= reinterpret_cast<PlaceNumber>(current->last_start())) {
            set_limit();
            return reinterpret_cast<Word*>(log.place());
        }
        if (current != nullptr) {
            current->filled = reinterpret_cast<const Word*>(log.place());
            (log.full_last == nullptr ? log.full_first : log.full_last->next) = current;
            log.full_last = current;
            log.current = nullptr;
            ring = ++full_buffers_ % Background::kBatchBuffers == 0;
        }
    }
    if (!ensure_background()) {
        return nullptr;
    }
    if (ring) {
        background_->ring();
    }
    Buffer* fresh = take_buffer(log);
    if (fresh == nullptr) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    log.current = fresh;
    log.cursor.store(reinterpret_cast<PlaceNumber>(fresh->words), std::memory_order_relaxed);  // read under the lock
    set_limit();
    return fresh->words;
}

}  // namespace heapwright::trace::record
