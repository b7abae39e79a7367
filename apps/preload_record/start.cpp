// The first and the last thing that the library does in a process.
#include "start.hpp"

#include <cstdlib>

#include <pthread.h>
#include <unistd.h>

#include "inheritance.hpp"
#include "real.hpp"
#include "thread_hooks.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/trace/record/options.hpp>
#include <heapwright/trace/record/recorder.hpp>

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* library);
extern "C" int __cxa_at_quick_exit(void (*function)(void*), void* library);

namespace heapwright::preload {

namespace {

using trace::record::recorder;

void before_fork() { recorder.before_fork(); }
void after_fork_in_parent() { recorder.after_fork_in_parent(); }
void after_fork_in_child() { recorder.after_fork_in_child(); }

void finish(void*) { recorder.finish("exit"); }

/// Whether this process is to be recorded at all.
bool is_wanted(const trace::record::Options& options) noexcept {
    return options.children || options.first_pid == 0 || options.first_pid == os::current_pid();
}

/// Runs before the program's own constructors; the first allocation of all may have come earlier.
__attribute__((constructor(101))) void begin() {
    wake_up();
    start_recording();
}

/// Runs among the last destructors. What is registered now runs after all of them: exit() looks for new entries when
/// it thinks that it is done.
__attribute__((destructor(101))) void end() { __cxa_atexit(finish, nullptr, nullptr); }

}  // namespace

void start_recording() noexcept {
    if (recorder.state() != trace::record::Recorder::State::idle || environ == nullptr) {
        return;
    }
    static constinit trace::record::Options options;
    const char* text = getenv(trace::record::kOptionsVariable);
    if (text != nullptr && !options.parse(text)) {
        os::write_stderr_line("heapwright: HEAPWRIGHT_RECORD is not understood; see the manual page of 'heapwright record'");
    }
    remember_inheritance(text, options.children);
    if (!is_wanted(options)) {
        return;
    }
    prepare_thread_hooks();
    const bool started = recorder.start(
        options, {.usable_size = real.usable_size, .code = reinterpret_cast<const void*>(real.malloc), .thread_attached = thread_attached});
    if (started) {
        // First registered: last before fork, first after it, so that other handlers' allocations are recorded rightly.
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        __cxa_at_quick_exit(finish, nullptr);
    }
}

}  // namespace heapwright::preload
