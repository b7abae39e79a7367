// The list of loaded modules: read when the loader has changed it, kept for the background thread.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/trace/record/recorder.hpp>

namespace heapwright::trace::record {

namespace {

/// Times that the list of modules is read again after a dlopen began, once a beat.
constexpr std::uint32_t kModuleLooks = 8;

}  // namespace

void Recorder::modules_may_change() noexcept {
    module_looks_.store(kModuleLooks, std::memory_order_relaxed);  // a hint, see look_after_modules()
}

void Recorder::look_after_modules() noexcept {
    std::uint32_t left = module_looks_.load(std::memory_order_relaxed);  // a hint
    if (left == 0) {
        return;
    }
    module_looks_.compare_exchange_strong(left, left - 1, std::memory_order_relaxed);  // a hint
    const os::LockGuard guard(lock_);
    for (ThreadLog* log = logs_; log != nullptr; log = log->next) {
        send_the_slow_way(*log);
    }
}

void Recorder::refresh_modules() noexcept {
    std::uint64_t loaded = 0;
    std::uint64_t unloaded = 0;
    {
        const os::LockGuard guard(lock_);
        loaded = modules_loaded_;
        unloaded = modules_unloaded_;
    }
    const std::uint32_t nodes = nodes_.published();
    ModuleList list = read_modules(loaded, unloaded);  // without the lock: the loader may hold its own and allocate
    if (list.payload == nullptr) {
        return;
    }
    list.stack_nodes = nodes;
    ModuleList older;
    {
        const os::LockGuard guard(lock_);
        older = modules_;
        modules_ = list;
        modules_loaded_ = loaded;
        modules_unloaded_ = unloaded;
    }
    older.free();
}

void Recorder::modules_were_unloaded() noexcept {
    refresh_modules();
    if (options_.stack != stack::StackMode::none) {
        rules_.invalidate();
    }
}

ModuleList Recorder::take_modules() noexcept {
    const os::LockGuard guard(lock_);
    const ModuleList list = modules_;
    modules_ = {};
    return list;
}

void Recorder::keep_modules(ModuleList list) noexcept {
    known_modules_.free();
    known_modules_ = list;
}

}  // namespace heapwright::trace::record
