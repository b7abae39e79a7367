// Threads that allocate for each other, come and go, and release blocks in their last moments.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <pthread.h>

namespace {

struct Random {
    std::uint64_t state;
    std::uint64_t next() {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return state >> 33;
    }
};

/// Blocks that travel between threads.
std::atomic<void*> exchange[256];

void storm(unsigned number, std::uint64_t events) {
    Random random{number * 77U + 1};
    std::vector<void*> own(512);
    for (std::uint64_t event = 0; event < events; ++event) {
        const std::uint64_t dice = random.next();
        void*& place = own[dice % own.size()];
        if (dice % 5 == 0) {
            place = exchange[dice / 8 % 256].exchange(place);
        } else if (place != nullptr) {
            std::free(place);
            place = nullptr;
        } else {
            place = std::malloc(1 + dice % (dice % 64 == 0 ? 20000 : 400));
        }
    }
    for (void* block : own) {
        std::free(block);
    }
}

void run_storm(unsigned threads, std::uint64_t events) {
    std::vector<std::thread> running;
    for (unsigned number = 0; number < threads; ++number) {
        running.emplace_back([number, events] {
            pthread_setname_np(pthread_self(), ("storm " + std::to_string(number)).c_str());
            storm(number, events);
        });
    }
    for (auto& thread : running) {
        thread.join();
    }
    for (auto& block : exchange) {
        std::free(block.exchange(nullptr));
    }
}

/// Allocates when the thread's other storage is already being torn down.
struct LastWords {
    ~LastWords() {
        void* block = std::malloc(321);
        std::memset(block, 1, 321);
        std::free(block);
    }
};

pthread_key_t key;
void key_destructor(void* value) {
    std::free(value);
    std::free(std::malloc(654));
}

void come_and_go(unsigned rounds) {
    pthread_key_create(&key, key_destructor);
    for (unsigned round = 0; round < rounds; ++round) {
        std::thread([round] {
            static thread_local LastWords last_words;
            static thread_local std::string text;
            static_cast<void>(&last_words);
            text = std::string(100 + round, 'x');
            pthread_setspecific(key, std::malloc(777));
            if (round % 3 == 0) {
                pthread_exit(nullptr);
            }
        }).join();
    }
}

void* idle(void*) {
    std::free(std::malloc(64));
    return nullptr;
}

/// Small stacks, stacks of the program's own, detached threads.
void unusual_threads() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_t thread;
    pthread_create(&thread, &attributes, idle, nullptr);
    pthread_join(thread, nullptr);
    void* stack = std::aligned_alloc(4096, 256 << 10);
    pthread_attr_setstack(&attributes, stack, 256 << 10);
    pthread_create(&thread, &attributes, idle, nullptr);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    std::free(stack);
    std::atomic<bool> done{false};
    std::thread([&done] {
        std::free(std::malloc(99));
        done = true;
    }).detach();
    while (!done) {
        std::this_thread::yield();
    }
}

}  // namespace

int main(int count, char** words) {
    const std::string_view what = count > 1 ? words[1] : "all";
    const unsigned amount = count > 2 ? static_cast<unsigned>(std::strtoul(words[2], nullptr, 10)) : 1000;
    if (what == "storm" || what == "all") {
        run_storm(4, amount);
    }
    if (what == "come" || what == "all") {
        come_and_go(amount < 200 ? amount : 200);
    }
    if (what == "unusual" || what == "all") {
        unusual_threads();
    }
    std::printf("threads are done\n");
    return 0;
}
