// Threads as the kernel sees them: ids, futexes, and a helper thread that libc does not know.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::os {

/// The kernel's ids. A system call each; keep the answer, and ask again in a child of fork.
[[nodiscard]] std::uint32_t current_tid() noexcept;
[[nodiscard]] std::uint32_t current_pid() noexcept;

/// Threads of this process, RawThreads included.
[[nodiscard]] Result<std::uint32_t> thread_count() noexcept;

/// No limit for futex_wait.
inline constexpr std::uint64_t kForever = UINT64_MAX;

/// Sleeps while `*word == value`, until woken or the time is over. May return for no reason: look again.
///
/// Returns:  false when the time is over.
bool futex_wait(std::atomic<std::uint32_t>* word, std::uint32_t value, std::uint64_t timeout_ns = kForever) noexcept;

/// Wakes up to `count` sleepers.
void futex_wake(std::atomic<std::uint32_t>* word, std::uint32_t count = UINT32_MAX) noexcept;

/// Gives the rest of the time slice away.
void yield_thread() noexcept;
void sleep_ns(std::uint64_t duration_ns) noexcept;

/// A thread made by clone() alone: libc does not list it, so it has no effect on pthread_exit, on thread-specific
/// data, on allocator arenas or on a debugger's view of the program's own threads.
///
///   RT1  a thread that is started has a mapping for its stack
///   RT2  a thread that is not started has neither mapping nor id
///
///   [guard page | stack, grows down | copy of the program's initial TLS | control block]
///                                                                        ^ fs register
///
/// It runs with all signals blocked (so a handler of the program never runs on it) and with its own thread-local
/// storage: a copy of the initial values of every static TLS block, a stack canary and a pointer guard. So code with
/// stack protection, errno and initial-exec thread_local variables work on it. What does not: thread_local variables of
/// a library that was opened with dlopen, pthread_ functions that look at the calling thread, and malloc of most
/// allocators. Under ASan and TSan it is an ordinary pthread with signals blocked, because their run time cannot serve
/// a thread it did not see born.
///
/// Caution: setuid() in the program does not reach it (libc changes only the threads it knows), and unshare() and
/// setns() of a user namespace refuse while any second thread exists.
class RawThread {
public:
    using Body = void (*)(void* argument) noexcept;

    constexpr RawThread() noexcept = default;
    RawThread(const RawThread&) = delete;
    RawThread& operator=(const RawThread&) = delete;
    /// Requires: joined, forgotten or never started (checked).
    ~RawThread();

    /// Starts the thread. `name` shows in /proc as its comm, up to 15 letters.
    ///
    /// Requires: not started (checked).
    /// Fails:    out_of_memory when the stack cannot be mapped; limit_reached (EAGAIN) or permission_denied (a seccomp
    ///           filter) when the kernel refuses the thread. Then nothing has happened.
    /// Cost:     one mapping, four system calls; the first one in a process also walks the loaded libraries.
    [[nodiscard]] Result<void> start(Body body, void* argument, const char* name,
                                     std::size_t stack_bytes = std::size_t{256} << 10) noexcept;

    /// Waits for the body to return and gives the stack back. Does nothing if not started.
    void join() noexcept;

    /// In a child of fork: the thread does not exist here. Gives its stack back and makes start() possible again.
    void forget_after_fork() noexcept;

    [[nodiscard]] bool is_started() const noexcept { return started_; }
    /// The kernel's id while it runs, 0 afterwards.
    [[nodiscard]] std::uint32_t tid() const noexcept {
        return tid_.load(std::memory_order_relaxed);  // a number to show, nothing is read through it
    }

    /// Looks at the loaded libraries for the size of static TLS, so that a later start() need not: the loader's lock
    /// may be unsafe to take where start() is called. start() calls it if nobody did.
    static void prepare() noexcept;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    friend struct RawThreadEntry;

    bool started_ = false;
    char name_[16] = {};
    void* mapping_ = nullptr;
    std::size_t mapping_bytes_ = 0;
    Body body_ = nullptr;
    void* argument_ = nullptr;
    std::atomic<std::uint32_t> tid_{0};  // the kernel writes it at birth, and 0 at death
    std::uint64_t pthread_ = 0;          // under sanitizers only
};

}  // namespace heapwright::os
