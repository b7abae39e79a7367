// Keeps threads that follow handles and boxes, and the one that moves what they name, out of each other's way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/lanes.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::movable {

/// Many threads are inside, or one that moves.
///
///   MG1  no thread is inside while the gate is closed, but the one that closed it
///
/// Who enters writes its own lane and looks at one word; the thread that closes asks the kernel to have everybody's writes
/// seen (os/barrier.hpp), so that entering needs no fence. A thread may enter again while it is inside.
class Gate : private os::LaneOwner {
public:
    /// One thread's stays inside. Written by that thread alone.
    struct alignas(64) Lane {
        std::atomic<std::uint32_t> depth{0};
        os::ThreadToken thread = os::kNoThread;
    };
    static_assert(sizeof(Lane) == 64);
    static constexpr std::size_t kLanesMost = 4096;  // threads that use one heap at the same time

    /// Requires: room for kLanesMost lanes, zeroed.
    explicit Gate(Lane* lanes) noexcept;
    ~Gate() { stop_listening(); }

    /// Returns:  the lane, for leave().
    /// Cost:     about 10 instructions while nobody moves; else it waits for the end of a step.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Lane& enter() noexcept {
        void* const cached = cached_lane();
        Lane& lane = HEAPWRIGHT_LIKELY(cached != nullptr) ? *static_cast<Lane*>(cached) : find_lane_slow();
        // Relaxed: only this thread writes it. Whoever closes sees the store by the barrier it imposes.
        const std::uint32_t depth = lane.depth.load(std::memory_order_relaxed);
        lane.depth.store(depth + 1, std::memory_order_relaxed);
        if (HEAPWRIGHT_UNLIKELY(needs_fence_)) {
            std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in close()
        } else {
            std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps the order, close() sees to the processor
        }
        // Acquire pairs with the release in reopen(): what was moved before is seen where it is now.
        if (HEAPWRIGHT_UNLIKELY(depth == 0 && closed_.load(std::memory_order_acquire) != 0)) {
            wait_slow(lane);
        }
        return lane;
    }
    HEAPWRIGHT_ALWAYS_INLINE static void leave(Lane& lane) noexcept {
        const std::uint32_t depth = lane.depth.load(std::memory_order_relaxed);  // only this thread writes it
        lane.depth.store(depth - 1, std::memory_order_release);                  // pairs with the acquire in close()
    }

    /// Waits until nobody is inside, for at most so long. True: nobody enters before reopen().
    ///
    /// Requires: one thread at a time, which is not inside.
    [[nodiscard]] bool close(std::uint64_t wait_ns) noexcept;
    void reopen() noexcept;
    /// Lets those who found the gate closed enter before it is closed again, for at most so long.
    void let_through(std::uint64_t wait_ns) noexcept;

    [[nodiscard]] bool is_inside() const noexcept;
    /// Whether the caller is the one that has closed it.
    [[nodiscard]] bool is_mover() const noexcept {
        return mover_.load(std::memory_order_relaxed) == self();  // equal only if this thread stored it
    }
    [[nodiscard]] bool has_barriers() const noexcept { return !needs_fence_; }

    /// In a child of fork: the other threads are not here, wherever they were.
    void reset_after_fork() noexcept;

    /// The name of the first invariant that does not hold, or nullptr. Requires: nobody enters or leaves meanwhile.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    static void thread_ended(os::LaneOwner& owner, os::ThreadToken thread) noexcept;
    [[nodiscard]] static std::uintptr_t self() noexcept { return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer()); }

    HEAPWRIGHT_COLD Lane& find_lane_slow() noexcept;
    HEAPWRIGHT_COLD void wait_slow(Lane& lane) noexcept;

    Lane* lanes_;
    std::atomic<std::uint32_t> lane_count_{0};
    os::SpinLock lanes_lock_;  // who makes a lane, takes one over or gives one back
    bool needs_fence_;
    alignas(64) std::atomic<std::uint32_t> closed_{0};
    std::atomic<std::uint32_t> waiting_{0};
    std::atomic<std::uintptr_t> mover_{0};
    Lane movers_lane_;  // for a mover that enters: its types' moves may touch boxes, and it may be no thread of libc's
};

}  // namespace heapwright::movable
