// pthread_create, and the end of threads.
#include "thread_hooks.hpp"

#include <cstddef>
#include <cstdint>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/trace/record/recorder.hpp>

namespace heapwright::preload {

namespace {

using trace::record::current_log;
using trace::record::recorder;

constinit pthread_key_t end_key = 0;
constinit bool has_end_key = false;
constinit std::size_t default_stack_bytes = 0;

// The thread's own stack, where pthread_create told us.
constinit thread_local std::uintptr_t stack_low = 0;
constinit thread_local std::uintptr_t stack_high = 0;
constinit thread_local int end_rounds = 0;

/// Other keys' destructors may still release blocks. Coming back as often as libc allows makes this the last one.
void thread_ends(void* log) {
    if (++end_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(end_key, log);
        return;
    }
    if (current_log != &trace::record::unattached_log && current_log != &trace::record::detached_log) {
        recorder.detach(*current_log);
        current_log = &trace::record::detached_log;
    }
}

/// What a new thread is to run, on its way to it.
struct Start {
    void* (*routine)(void*);
    void* argument;
    std::size_t stack_bytes;
    Start* next;
};

/// Starts that no thread is using, so that creating a thread allocates nothing.
class StartPool {
public:
    Start* take() noexcept {
        const os::LockGuard guard(lock_);
        if (free_ == nullptr) {
            auto* fresh = static_cast<Start*>(os::map_observer_pages(os::kPageBytes, "heapwright threads"));
            for (std::size_t at = 0; fresh != nullptr && at < os::kPageBytes / sizeof(Start); ++at) {
                fresh[at].next = free_;
                free_ = &fresh[at];
            }
        }
        Start* start = free_;
        if (start != nullptr) {
            free_ = start->next;
        }
        return start;
    }
    void give(Start* start) noexcept {
        const os::LockGuard guard(lock_);
        start->next = free_;
        free_ = start;
    }

private:
    os::SpinLock lock_;
    Start* free_ = nullptr;
};

constinit StartPool starts;

void* run_thread(void* raw) {
    auto* shared = static_cast<Start*>(raw);
    const Start start = *shared;
    starts.give(shared);
    // glibc keeps its record of the thread at the high end of the thread's stack, whoever provided the memory.
    const auto high = static_cast<std::uintptr_t>(pthread_self());
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (here < high && high - here < start.stack_bytes) {
        stack_low = high > start.stack_bytes ? high - start.stack_bytes : 0;
        stack_high = high & ~std::uintptr_t{7};
    }
    return start.routine(start.argument);
}

std::size_t stack_bytes_of(const pthread_attr_t* attributes) noexcept {
    std::size_t bytes = 0;
    return attributes != nullptr && pthread_attr_getstacksize(attributes, &bytes) == 0 && bytes != 0 ? bytes : default_stack_bytes;
}

}  // namespace

void prepare_thread_hooks() noexcept {
    has_end_key = pthread_key_create(&end_key, thread_ends) == 0;
    rlimit limit{};
    os::raw_syscall(SYS_prlimit64, 0, static_cast<int>(RLIMIT_STACK), nullptr, &limit);
    constexpr std::size_t kUnlimitedMeans = std::size_t{2} << 20;
    default_stack_bytes = limit.rlim_cur == RLIM_INFINITY ? kUnlimitedMeans : limit.rlim_cur;
}

void thread_attached(trace::record::ThreadLog& log) noexcept {
    if (stack_high != 0) {
        log.stacks.set_stack(stack_low, stack_high);
    }
    if (has_end_key) {
        pthread_setspecific(end_key, &log);
    }
}

}  // namespace heapwright::preload

extern "C" HEAPWRIGHT_EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                                                void* argument) {
    using namespace heapwright::preload;
    wake_up();
    Start* start = heapwright::trace::record::recorder.is_running() ? starts.take() : nullptr;
    if (start == nullptr) {
        return real.pthread_create(thread, attributes, routine, argument);
    }
    *start = {.routine = routine, .argument = argument, .stack_bytes = stack_bytes_of(attributes), .next = nullptr};
    const int failure = real.pthread_create(thread, attributes, run_thread, start);
    if (failure != 0) {
        starts.give(start);
    }
    return failure;
}
