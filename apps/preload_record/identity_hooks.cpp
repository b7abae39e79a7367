// System calls that want the caller to be the only thread of its process: the background thread steps aside.
#include <cerrno>

#include <sched.h>

#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/recorder.hpp>

using heapwright::preload::real;
using heapwright::preload::wake_up;
using heapwright::trace::record::recorder;

namespace {

/// Calls `act` without the background thread; errno is as `act` left it.
template <class Act>
int alone(Act act) {
    const int descriptor = recorder.stand_still();
    const int result = act();
    const int kept_errno = errno;
    recorder.go_on(descriptor);
    errno = kept_errno;
    return result;
}

constexpr int kNeedsSingleThread = CLONE_NEWUSER | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT int unshare(int flags) {
    wake_up();
    if ((flags & kNeedsSingleThread) == 0) {
        return real.unshare(flags);
    }
    return alone([flags] { return real.unshare(flags); });
}

/// A type of 0 may be any namespace, among them those of users and of mounts.
HEAPWRIGHT_EXPORT int setns(int descriptor, int type) {
    wake_up();
    if (type != 0 && (type & (CLONE_NEWUSER | CLONE_NEWNS)) == 0) {
        return real.setns(descriptor, type);
    }
    return alone([descriptor, type] { return real.setns(descriptor, type); });
}

}  // extern "C"
