// A lock of four bytes without libc: it spins briefly and then sleeps in the kernel.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/thread_safety.hpp>

namespace heapwright::os {

/// Mutual exclusion for short sections, also between threads that libc does not know.
///
///   SL1  state is 0 (free), 1 (held) or 2 (held, and somebody may sleep)
///
/// Zero-initialised memory is a free lock. Not recursive. Not fair. A child of fork inherits the state: call
/// reset_after_fork() in it.
class HEAPWRIGHT_CAPABILITY("lock") SpinLock {
public:
    constexpr SpinLock() noexcept = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    /// Cost: one compare-and-swap when free.
    HEAPWRIGHT_ALWAYS_INLINE void lock() noexcept HEAPWRIGHT_ACQUIRES() HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
        std::uint32_t expected = kFree;
        // Acquire pairs with the release in unlock(). Relaxed on failure: lock_slow looks again.
        if (HEAPWRIGHT_UNLIKELY(!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed))) {
            lock_slow();
        }
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_lock() noexcept HEAPWRIGHT_TRY_ACQUIRES(true) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
        std::uint32_t expected = kFree;
        // Acquire pairs with the release in unlock(). Relaxed on failure: nothing is read then.
        return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
    }

    HEAPWRIGHT_ALWAYS_INLINE void unlock() noexcept HEAPWRIGHT_RELEASES() HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
        // Release pairs with the acquire in lock() and try_lock().
        if (HEAPWRIGHT_UNLIKELY(state_.exchange(kFree, std::memory_order_release) == kContended)) {
            wake_one_slow();
        }
    }

    /// Whether somebody may sleep until it is free: then whoever would take it again soon lets others in between. A hint.
    [[nodiscard]] bool is_contended() const noexcept { return state_.load(std::memory_order_relaxed) == kContended; }

    /// Whether somebody holds it. A hint, but for who is the only thread.
    [[nodiscard]] bool is_held() const noexcept { return state_.load(std::memory_order_relaxed) != kFree; }

    /// Requires: the caller is the only thread, as the child of fork is.
    void reset_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
        state_.store(kFree, std::memory_order_relaxed);  // no other thread exists to order against
    }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        // Relaxed: one look at one word.
        return state_.load(std::memory_order_relaxed) > kContended ? "SL1: the lock's state is none of its three values" : nullptr;
    }

private:
    static constexpr std::uint32_t kFree = 0;
    static constexpr std::uint32_t kHeld = 1;
    static constexpr std::uint32_t kContended = 2;

    HEAPWRIGHT_COLD void lock_slow() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    HEAPWRIGHT_COLD void wake_one_slow() noexcept;

    std::atomic<std::uint32_t> state_{kFree};
};
static_assert(sizeof(SpinLock) == 4);

/// Holds a lock for a scope.
class HEAPWRIGHT_SCOPED_CAPABILITY LockGuard {
public:
    explicit LockGuard(SpinLock& lock) noexcept HEAPWRIGHT_ACQUIRES(lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() HEAPWRIGHT_RELEASES() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

private:
    SpinLock& lock_;
};

}  // namespace heapwright::os
