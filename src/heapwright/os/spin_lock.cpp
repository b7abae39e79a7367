// The contended half of SpinLock: a short spin, then sleep on the futex.
#include <heapwright/os/spin_lock.hpp>

#include <heapwright/os/thread.hpp>

namespace heapwright::os {
namespace {

// About a microsecond: longer than any section that this lock should guard, shorter than a sleep and a wake.
constexpr int kSpins = 200;

}  // namespace

void SpinLock::lock_slow() noexcept {
    for (int spin = 0; spin < kSpins; ++spin) {
        __builtin_ia32_pause();
        // Relaxed: only to avoid a write to a line that is held; try_lock orders.
        if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) {
            return;
        }
    }
    // From here on the state says that somebody may sleep; whoever takes the lock this way must keep saying so,
    // because it cannot know whether it was the last sleeper. Acquire pairs with the release in unlock().
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
        futex_wait(&state_, kContended);
    }
}

void SpinLock::wake_one_slow() noexcept { futex_wake(&state_, 1); }

}  // namespace heapwright::os
