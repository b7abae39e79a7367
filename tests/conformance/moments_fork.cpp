// fork: while other threads allocate, and with handlers that allocate.
#include <atomic>
#include <cstdlib>
#include <cstring>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moments.hpp"

namespace moments {

namespace {

constexpr unsigned kChildHangSeconds = 30;

std::atomic<bool> stop{false};
std::atomic<int> unsound{0};

// Blocks that travel between threads, so that freeing also happens from afar.
std::atomic<void*> exchange_places[32];

void* allocate_until_stopped(void* raw) {
    auto seed = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(raw));
    while (!stop.load(std::memory_order_relaxed)) {
        seed = seed * 1664525 + 1013904223;
        unsound += work(seed, 200) ? 0 : 1;
        void* fresh = std::malloc(1 + seed % 5000);
        std::free(exchange_places[(seed >> 20) % 32].exchange(fresh));
        if (seed % 16 == 0) {
            void* large = std::malloc(200000 + seed % 1000000);
            std::memset(large, 1, 100);
            std::free(large);
        }
    }
    return nullptr;
}

void* work_a_little(void*) { return work(5, 3000) ? nullptr : &stop; }

[[noreturn]] void live_in_child(std::uint32_t round) {
    alarm(kChildHangSeconds);
    bool sound = work(round, 3000);
    for (std::atomic<void*>& place : exchange_places) {
        std::free(place.exchange(nullptr));  // blocks of threads that are not here
    }
    pthread_t thread;
    void* failed = nullptr;
    sound =
        sound && pthread_create(&thread, nullptr, work_a_little, nullptr) == 0 && pthread_join(thread, &failed) == 0 && failed == nullptr;
    if (round % 8 == 0) {
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            _exit(work(round, 1000) ? 0 : 1);
        }
        int status = 1;
        sound = waitpid(grandchild, &status, 0) == grandchild && status == 0 && sound;
    }
    if (round % 2 == 0) {
        std::exit(sound ? 0 : 1);
    }
    _exit(sound ? 0 : 1);
}

int fork_and_wait(std::uint32_t round) {
    const pid_t child = fork();
    if (child == 0) {
        live_in_child(round);
    }
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

void* handler_blocks[3];
void allocate_before() { handler_blocks[0] = std::malloc(3000); }
void allocate_in_parent() {
    std::free(handler_blocks[0]);
    handler_blocks[1] = std::malloc(70000);
    std::free(handler_blocks[1]);
}
void allocate_in_child() {
    std::free(handler_blocks[0]);
    handler_blocks[2] = std::calloc(1, 300000);
    std::free(handler_blocks[2]);
}

}  // namespace

int fork_while_threads_allocate(int words, char** word) {
    const int rounds = words > 0 ? std::atoi(word[0]) : 100;
    pthread_t threads[6];
    for (std::size_t at = 0; at < 6; ++at) {
        pthread_create(&threads[at], nullptr, allocate_until_stopped, reinterpret_cast<void*>(at + 1));
    }
    int failed = 0;
    for (int round = 0; round < rounds && failed == 0; ++round) {
        if (const int status = fork_and_wait(static_cast<std::uint32_t>(round)); status != 0) {
            failed = complain("a child did not end well; its wait status", static_cast<std::uint64_t>(status));
        }
    }
    stop = true;
    for (const pthread_t thread : threads) {
        pthread_join(thread, nullptr);
    }
    return unsound != 0 ? complain("blocks changed", static_cast<std::uint64_t>(unsound.load())) : failed;
}

/// Registered among the last, so run first before fork, with other threads in the middle of allocation.
int fork_handlers_that_allocate(int words, char** word) {
    pthread_atfork(allocate_before, allocate_in_parent, allocate_in_child);
    return fork_while_threads_allocate(words, word);
}

}  // namespace moments
