#include <heapwright/os/barrier.hpp>

#include <atomic>
#include <thread>

#include <doctest/doctest.h>

namespace heapwright::os::test {

TEST_CASE("a barrier that was prepared for is imposed on threads that run") {
    if (!prepare_barriers()) {
        CHECK_FALSE(barrier_in_all_threads());
        return;
    }
    std::atomic<int> mine{0};
    std::atomic<int> other{0};
    std::atomic<int> round{0};
    std::atomic<int> seen_by_other{0};
    constexpr int kRounds = 2000;
    // Each stores and then looks at the other's: without a barrier both may see nothing. Only one side pays here.
    std::thread thread([&] {
        for (int i = 1; i <= kRounds; ++i) {
            while (round.load(std::memory_order_acquire) != i) {
                std::this_thread::yield();
            }
            other.store(i, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            seen_by_other.store(mine.load(std::memory_order_relaxed), std::memory_order_relaxed);
            round.store(-i, std::memory_order_release);
        }
    });
    int neither = 0;
    int refused = 0;
    for (int i = 1; i <= kRounds; ++i) {
        round.store(i, std::memory_order_release);
        mine.store(i, std::memory_order_relaxed);
        refused += barrier_in_all_threads() ? 0 : 1;
        const int seen = other.load(std::memory_order_relaxed);
        while (round.load(std::memory_order_acquire) != -i) {
            std::this_thread::yield();
        }
        neither += seen != i && seen_by_other.load(std::memory_order_relaxed) != i ? 1 : 0;
    }
    thread.join();
    CHECK(neither == 0);
    CHECK(refused == 0);
}

}  // namespace heapwright::os::test
