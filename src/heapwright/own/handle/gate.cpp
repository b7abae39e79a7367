// Who is inside, and how the one that moves gets everybody out.
#include <heapwright/own/handle/detail/gate.hpp>

#include <heapwright/base/check.hpp>
#include <heapwright/os/barrier.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::movable {

namespace {

constexpr unsigned kSpins = 64;

}  // namespace

Gate::Gate(Lane* lanes) noexcept : LaneOwner(&thread_ended), lanes_(lanes), needs_fence_(!os::prepare_barriers()) {}

void Gate::thread_ended(os::LaneOwner& owner, os::ThreadToken thread) noexcept {
    auto& gate = static_cast<Gate&>(owner);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast): only gates register it
    const os::LockGuard guard(gate.lanes_lock_);
    const std::uint32_t count = gate.lane_count_.load(std::memory_order_relaxed);  // grows under the lock
    for (std::uint32_t index = 0; index < count; ++index) {
        if (gate.lanes_[index].thread == thread) {
            HEAPWRIGHT_CHECK(gate.lanes_[index].depth.load(std::memory_order_relaxed) == 0,
                             "a thread ends while it holds a Borrow; end the scope first");
            gate.lanes_[index].thread = os::kNoThread;
        }
    }
}

Gate::Lane& Gate::find_lane_slow() noexcept {
    if (is_mover()) {
        return movers_lane_;
    }
    const os::ThreadToken thread = os::current_thread();
    const os::LockGuard guard(lanes_lock_);
    const std::uint32_t count = lane_count_.load(std::memory_order_relaxed);  // grows under the lock
    Lane* mine = nullptr;
    Lane* deserted = nullptr;
    for (std::uint32_t index = 0; index < count && mine == nullptr; ++index) {
        mine = lanes_[index].thread == thread ? &lanes_[index] : nullptr;  // it was displaced from the thread's cache
        deserted = lanes_[index].thread == os::kNoThread ? &lanes_[index] : deserted;
    }
    if (mine == nullptr) {
        mine = deserted;
    }
    if (mine == nullptr) {
        HEAPWRIGHT_CHECK(count < kLanesMost,
                         "more than 4096 threads use one heap of movable objects at the same time; use fewer, or more heaps");
        mine = &lanes_[count];
        // Release pairs with the acquire in close(), which reads the lane.
        lane_count_.store(count + 1, std::memory_order_release);
    }
    mine->thread = thread;
    remember_lane(mine);
    return *mine;
}

void Gate::wait_slow(Lane& lane) noexcept {
    if (is_mover()) {
        return;
    }
    do {
        waiting_.fetch_add(1, std::memory_order_seq_cst);  // pairs with the look in reopen(): it wakes us, or we see it open
        lane.depth.store(0, std::memory_order_release);    // pairs with the acquire in close()
        for (unsigned spin = 0; spin < kSpins && closed_.load(std::memory_order_relaxed) != 0; ++spin) {  // looked at again below
            __builtin_ia32_pause();
        }
        while (closed_.load(std::memory_order_relaxed) != 0) {  // as above
            os::futex_wait(&closed_, 1);
        }
        lane.depth.store(1, std::memory_order_seq_cst);    // pairs with the store and the barrier in close()
        waiting_.fetch_sub(1, std::memory_order_relaxed);  // a count to wait for, nothing is read through it
    } while (closed_.load(std::memory_order_seq_cst) != 0);  // as above; pairs with the release in reopen() as well
}

bool Gate::close(std::uint64_t wait_ns) noexcept {
    mover_.store(self(), std::memory_order_relaxed);  // read by this thread alone to any effect
    closed_.store(1, std::memory_order_seq_cst);      // pairs with the look in enter()
    if (needs_fence_) {
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in enter()
    } else if (!os::barrier_in_all_threads()) {
        reopen();
        return false;
    }
    const std::uint64_t begin_ns = os::monotonic_ns();
    unsigned looks = 0;
    // Acquire pairs with the release in find_lane_slow(). A lane made later finds the gate closed.
    const std::uint32_t count = lane_count_.load(std::memory_order_acquire);
    for (std::uint32_t index = 0; index < count; ++index) {
        // Acquire pairs with the release in leave(): what was written inside is seen.
        while (lanes_[index].depth.load(std::memory_order_acquire) != 0) {
            if (++looks % kSpins != 0) {
                __builtin_ia32_pause();
                continue;
            }
            if (os::monotonic_ns() - begin_ns > wait_ns) {
                reopen();
                return false;
            }
            os::yield_thread();
        }
    }
    return true;
}

void Gate::reopen() noexcept {
    mover_.store(0, std::memory_order_relaxed);   // as in close()
    closed_.store(0, std::memory_order_seq_cst);  // pairs with the acquire in enter(), and with the look at waiting_ below
    if (waiting_.load(std::memory_order_seq_cst) != 0) {
        os::futex_wake(&closed_);
    }
}

void Gate::let_through(std::uint64_t wait_ns) noexcept {
    if (waiting_.load(std::memory_order_relaxed) == 0) {  // a courtesy: nothing is read through it
        return;
    }
    const std::uint64_t begin_ns = os::monotonic_ns();
    do {
        os::yield_thread();
    } while (waiting_.load(std::memory_order_relaxed) != 0 && os::monotonic_ns() - begin_ns < wait_ns);  // as above
}

bool Gate::is_inside() const noexcept {
    const void* const lane = cached_lane();
    if (lane != nullptr) {
        return static_cast<const Lane*>(lane)->depth.load(std::memory_order_relaxed) != 0;  // only this thread writes it
    }
    return false;  // a lane that was displaced is found again, and cached, by whoever enters
}

void Gate::reset_after_fork() noexcept {
    const void* const mine = cached_lane();
    const std::uint32_t count = lane_count_.load(std::memory_order_relaxed);  // there is one thread
    for (std::uint32_t index = 0; index < count; ++index) {
        if (&lanes_[index] != mine) {
            lanes_[index].depth.store(0, std::memory_order_relaxed);  // as above
            lanes_[index].thread = os::kNoThread;
        }
    }
    lanes_lock_.reset_after_fork();
    closed_.store(0, std::memory_order_relaxed);   // as above
    waiting_.store(0, std::memory_order_relaxed);  // as above
    mover_.store(0, std::memory_order_relaxed);    // as above
    needs_fence_ = !os::prepare_barriers();
}

const char* Gate::broken_invariant() const noexcept {
    if (closed_.load(std::memory_order_relaxed) == 0) {  // nobody changes it meanwhile, nor what follows
        return nullptr;
    }
    for (std::uint32_t index = 0; index < lane_count_.load(std::memory_order_relaxed); ++index) {
        if (lanes_[index].depth.load(std::memory_order_relaxed) != 0) {
            return "MG1: a thread is inside a gate that is closed";
        }
    }
    return nullptr;
}

}  // namespace heapwright::movable
