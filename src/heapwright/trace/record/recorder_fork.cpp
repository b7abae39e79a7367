// A recording at fork: what the parent holds still, what the child forgets and begins anew.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/trace/record/recorder.hpp>

namespace heapwright::trace::record {

bool Recorder::ensure_background() noexcept {
    if (HEAPWRIGHT_LIKELY(background_->is_started())) {
        return true;
    }
    const os::LockGuard guard(start_lock_);
    if (background_->is_started()) {
        return true;
    }
    for (auto& word : usable_known) {
        word.store(0, std::memory_order_relaxed);  // the new file knows no sizes yet; asking twice does no harm
    }
    if (background_->start(*this, true)) {
        return true;
    }
    end_recording();
    return false;
}

void Recorder::mark_process() noexcept {
    if (process_mark_ == nullptr) {
        void* page = os::map_observer_pages(os::kPageBytes, "heapwright process");
        if (page == nullptr || os::is_failure(os::raw_syscall(SYS_madvise, page, os::kPageBytes, MADV_WIPEONFORK))) {
            return;
        }
        process_mark_ = static_cast<volatile std::uint32_t*>(page);
    }
    *process_mark_ = 1;
}

void Recorder::before_fork() noexcept {
    background_->await_name();
    process_lock_.lock();
    start_lock_.lock();
    lock_.lock();
}

void Recorder::after_fork_in_parent() noexcept {
    lock_.unlock();
    start_lock_.unlock();
    process_lock_.unlock();
}

/// All logs become spare: their threads do not exist here, and the caller's begins anew with its next event.
void Recorder::forget_logs() noexcept {
    while (ThreadLog* log = logs_) {
        logs_ = log->next;
        log->stacks.close();
        begin_log(*log);
        log->next = spare_logs_;
        spare_logs_ = log;
    }
    begin_log(process_log_);
    attached_ = 0;
    full_buffers_ = 0;
    pool_.take_all_back();
}

void Recorder::after_fork_in_child() noexcept {
    lock_.reset_after_fork();
    start_lock_.reset_after_fork();
    process_lock_.reset_after_fork();
    sampled.after_fork_in_child();
    if (!is_running()) {
        return;
    }
    TextBuffer(parent_trace_, sizeof(parent_trace_)).append(background_->path());
    parent_pid_ = pid_;
    pid_ = os::current_pid();
    background_->forget_after_fork();
    forget_logs();
    current_log = &unattached_log;
    rules_.after_fork_in_child();
    nodes_.after_fork_in_child();
    dropped_.store(0, std::memory_order_relaxed);  // no other thread exists
    mark_process();
    if (modules_.payload == nullptr) {
        modules_ = known_modules_;
        known_modules_ = {};
    }
    modules_.stack_nodes = 0;
    if (modules_.payload == nullptr) {
        // The parent was just writing it. Asking the loader is left to the first event.
        modules_loaded_ = 0;
        module_looks_.store(1, std::memory_order_relaxed);  // no other thread exists
    }
    if (!options_.children) {
        state_.store(State::stopped, std::memory_order_release);  // pairs with state()
    }
}

}  // namespace heapwright::trace::record
