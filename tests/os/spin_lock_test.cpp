// The lock of four bytes: one holder at a time, nobody sleeps for ever.
#include <heapwright/os/spin_lock.hpp>

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/os/thread.hpp>

#include <tests/support/death.hpp>

namespace heapwright::os {
namespace {

struct Account {
    SpinLock lock;
    std::uint64_t balance HEAPWRIGHT_GUARDED_BY(lock) = 0;

    void deposit() {
        const LockGuard guard(lock);
        ++balance;
    }
    std::uint64_t read() {
        const LockGuard guard(lock);
        return balance;
    }
};

bool is_free(SpinLock& lock) {
    if (!lock.try_lock()) {
        return false;
    }
    lock.unlock();
    return true;
}

/// The second lock() would sleep for ever if the reset did nothing. Out of the analysis, which knows no fork.
void lock_again_after_reset(SpinLock& lock) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
    lock.lock();
    lock.reset_after_fork();
    lock.lock();
    lock.unlock();
}

}  // namespace

TEST_CASE("no deposit is lost among four threads") {
    constexpr std::uint64_t kDeposits = 50'000;
    Account account;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int index = 0; index < 4; ++index) {
        threads.emplace_back([&account] {
            for (std::uint64_t round = 0; round < kDeposits; ++round) {
                account.deposit();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(account.read() == 4 * kDeposits);
    CHECK(account.lock.broken_invariant() == nullptr);
}

TEST_CASE("a held lock is refused to others until it is given back") {
    SpinLock lock;
    CHECK(is_free(lock));
    bool free_to_others = true;
    lock.lock();
    std::thread([&] { free_to_others = is_free(lock); }).join();
    lock.unlock();
    CHECK_FALSE(free_to_others);
    CHECK(is_free(lock));
}

TEST_CASE("a sleeper is woken when the holder leaves") {
    SpinLock lock;
    std::atomic<std::uint32_t> arrived{0};
    lock.lock();
    std::thread sleeper([&] {
        arrived.store(1);
        const LockGuard guard(lock);
        arrived.store(2);
    });
    while (arrived.load() == 0) {
        yield_thread();
    }
    for (int round = 0; round < 2'000; ++round) {
        yield_thread();  // long enough for the sleeper to give up spinning, mostly
    }
    CHECK(arrived.load() == 1);
    lock.unlock();
    sleeper.join();
    CHECK(arrived.load() == 2);
}

TEST_CASE("after fork a held lock can be made free again") {
    Account account;
    const auto child = test::death_of([&account] { lock_again_after_reset(account.lock); });
    CHECK_FALSE(child.died);
}

TEST_CASE("zeroed memory is a free lock") {
    alignas(SpinLock) std::array<unsigned char, sizeof(SpinLock)> room{};
    auto* lock = reinterpret_cast<SpinLock*>(room.data());
    CHECK(lock->broken_invariant() == nullptr);
    CHECK(is_free(*lock));
}

TEST_CASE("a state that is none of the three is noticed") {
    alignas(SpinLock) std::array<unsigned char, sizeof(SpinLock)> room{9};
    CHECK(reinterpret_cast<SpinLock*>(room.data())->broken_invariant() != nullptr);
}

}  // namespace heapwright::os
