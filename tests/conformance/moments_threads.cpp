// Threads that come and go, that release late, and that release what others allocated.
#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <pthread.h>

#include "moments.hpp"

namespace moments {

namespace {

constexpr int kAtOnce = 16;
constexpr std::size_t kHandedOn = 64;

std::atomic<void*> handed_on[kHandedOn];
std::atomic<int> unsound{0};

void* live_shortly(void* raw) {
    const auto number = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(raw));
    unsound += work(number, 150) ? 0 : 1;
    for (std::uint32_t at = 0; at < 8; ++at) {
        void* block = std::malloc(20 + (number * 37 + at * 101) % 2000);
        std::memset(block, 1, 20);
        std::free(handed_on[(number * 8 + at) % kHandedOn].exchange(block));  // another thread's, perhaps a dead one's
    }
    return nullptr;
}

pthread_key_t key;
std::atomic<int> late_rounds{0};

/// Comes back as often as libc allows: the last time, whatever the allocator does at a thread's end is long done.
void release_late(void* raw) {
    void** blocks = static_cast<void**>(raw);
    unsound += work(7, 100) ? 0 : 1;
    std::free(blocks[1]);
    blocks[1] = std::malloc(500);
    std::memset(blocks[1], 2, 500);
    ++late_rounds;
    if (reinterpret_cast<std::uintptr_t>(blocks[0]) + 1 < PTHREAD_DESTRUCTOR_ITERATIONS) {
        blocks[0] = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(blocks[0]) + 1);
        pthread_setspecific(key, blocks);
        return;
    }
    std::free(blocks[1]);
    std::free(blocks);
}

struct Late {
    void* block = nullptr;
    ~Late() {
        std::free(block);
        unsound += work(11, 100) ? 0 : 1;
    }
};
thread_local Late late;

void* end_late(void*) {
    late.block = std::malloc(1000);
    auto** blocks = static_cast<void**>(std::calloc(2, sizeof(void*)));
    blocks[1] = std::malloc(100);
    pthread_setspecific(key, blocks);
    unsound += work(3, 50) ? 0 : 1;
    return nullptr;
}

void* take_much(void*) {
    constexpr std::size_t kCount = 20000;
    static thread_local void* blocks[kCount];
    for (void*& block : blocks) {
        block = std::malloc(500);
        std::memset(block, 1, 500);
    }
    for (void* block : blocks) {
        std::free(block);
    }
    return nullptr;
}

bool run_one_after_another(int count, void* (*routine)(void*)) {
    for (int at = 0; at < count; ++at) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, routine, nullptr) != 0 || pthread_join(thread, nullptr) != 0) {
            return false;
        }
    }
    return true;
}

// A ring of blocks between threads that only allocate and threads that only release.
constexpr std::size_t kRing = 1024;
constexpr std::uint32_t kBlocksEach = 400000;
struct Ring {
    std::atomic<unsigned char*> place[kRing];
};
Ring rings[2];

void* produce(void* raw) {
    auto* ring = static_cast<Ring*>(raw);
    std::uint32_t seed = 9;
    for (std::uint32_t at = 0; at < kBlocksEach; ++at) {
        seed = seed * 1664525 + 1013904223;
        const std::size_t size = 9 + (seed >> 8) % ((seed >> 4) % 64 == 0 ? 20000 : 400);
        auto* block = static_cast<unsigned char*>(std::malloc(size));
        std::memcpy(block, &size, sizeof(size));
        block[size - 1] = static_cast<unsigned char>(size);
        unsigned char* empty = nullptr;
        // Release pairs with the consumer's acquire: it sees what the block holds.
        while (!ring->place[at % kRing].compare_exchange_weak(empty, block, std::memory_order_release, std::memory_order_relaxed)) {
            empty = nullptr;
            sched_yield();
        }
    }
    return nullptr;
}

void* consume(void* raw) {
    auto* ring = static_cast<Ring*>(raw);
    for (std::uint32_t at = 0; at < kBlocksEach; ++at) {
        unsigned char* block = nullptr;
        while ((block = ring->place[at % kRing].exchange(nullptr, std::memory_order_acquire)) == nullptr) {  // pairs with the release
            sched_yield();
        }
        std::size_t size = 0;
        std::memcpy(&size, block, sizeof(size));
        if (size < 9 || size > 20009 || block[size - 1] != static_cast<unsigned char>(size)) {
            ++unsound;
        }
        std::free(block);
    }
    return nullptr;
}

int verdict() { return unsound == 0 ? 0 : complain("blocks changed", static_cast<std::uint64_t>(unsound.load())); }

}  // namespace

int short_threads(int words, char** word) {
    const int count = words > 0 ? std::atoi(word[0]) : 8000;
    pthread_t threads[kAtOnce];
    for (int at = 0; at < count; at += kAtOnce) {
        for (int one = 0; one < kAtOnce; ++one) {
            if (pthread_create(&threads[one], nullptr, live_shortly, reinterpret_cast<void*>(static_cast<std::uintptr_t>(at + one))) != 0) {
                return complain("no thread could be made", static_cast<std::uint64_t>(at));
            }
        }
        for (const pthread_t thread : threads) {
            pthread_join(thread, nullptr);
        }
    }
    const std::size_t peak = peak_resident_kib();
    return peak > 120 << 10 ? complain("thousands of short threads left too much memory behind; KiB", peak) : verdict();
}

int late_release(int, char**) {
    pthread_key_create(&key, release_late);
    if (!run_one_after_another(500, end_late)) {
        return complain("no thread could be made");
    }
    const int expected = 500 * PTHREAD_DESTRUCTOR_ITERATIONS;
    return late_rounds == expected ? verdict() : complain("destructors ran", static_cast<std::uint64_t>(late_rounds.load()));
}

int threads_after_each_other(int, char**) {
    if (!run_one_after_another(100, take_much)) {
        return complain("no thread could be made");
    }
    const std::size_t peak = peak_resident_kib();
    return peak > 64 << 10 ? complain("threads did not use what the ones before left; KiB", peak) : verdict();
}

int producers_and_consumers(int, char**) {
    pthread_t threads[4];
    for (std::size_t at = 0; at < 2; ++at) {
        pthread_create(&threads[at * 2], nullptr, produce, &rings[at]);
        pthread_create(&threads[at * 2 + 1], nullptr, consume, &rings[at]);
    }
    for (const pthread_t thread : threads) {
        pthread_join(thread, nullptr);
    }
    const std::size_t peak = peak_resident_kib();
    return peak > 96 << 10 ? complain("blocks released by others were not used again; KiB", peak) : verdict();
}

}  // namespace moments
