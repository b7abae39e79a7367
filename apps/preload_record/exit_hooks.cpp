// The ways out of a process that pass by exit handlers, and the way into a child that passes by fork handlers.
#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/recorder.hpp>

using heapwright::preload::real;
using heapwright::preload::wake_up;
using heapwright::trace::record::recorder;

extern "C" {

[[noreturn]] HEAPWRIGHT_EXPORT void _exit(int status) {
    wake_up();
    recorder.finish("exit");
    real.exit_now(status);
    __builtin_unreachable();
}

[[noreturn]] HEAPWRIGHT_EXPORT void _Exit(int status) {
    wake_up();
    recorder.finish("exit");
    real.exit_now_c(status);
    __builtin_unreachable();
}

/// A handler of SIGABRT may go on: then the closing chunk is taken back by whatever is recorded next.
[[noreturn]] HEAPWRIGHT_EXPORT void abort() {
    wake_up();
    recorder.finish("abort");
    real.abort();
    __builtin_unreachable();
}

HEAPWRIGHT_EXPORT int _Fork() {
    wake_up();
    recorder.before_fork();
    const int child = real.fork_only();
    child == 0 ? recorder.after_fork_in_child() : recorder.after_fork_in_parent();
    return child;
}

}  // extern "C"
