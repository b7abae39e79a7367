// What `heapwright doctor` examines: a program that makes a heap of a known shape, then does what its standard input says.
//
//   doctor_victim SHAPE THREADS BLOCKS
//
// It answers each line of input by one line: "trim" calls malloc_trim(0), "grow" keeps 8 MiB more, "facts" counts; all give
// the bytes of the RSS after it and of the blocks that are held, and what mallinfo2() says is in use.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <pthread.h>

namespace {

struct Held {
    void* block;
    std::size_t bytes;
};

std::atomic<std::size_t> g_ready{0};
std::atomic<std::size_t> g_held_bytes{0};
std::atomic<bool> g_is_over{false};

/// Whether block `index` stays, and how large it is.
struct Shape {
    const char* name;
    std::size_t least;
    std::size_t most;
    bool (*stays)(std::size_t index, std::uint64_t random);
};

constexpr Shape kShapes[] = {
    {"pinned", 16, 400, [](std::size_t index, std::uint64_t) { return index % 20 == 0; }},
    {"runs", 16, 400, [](std::size_t index, std::uint64_t) { return index % 20000 < 2000; }},
    {"freed", 16, 400, [](std::size_t, std::uint64_t) { return false; }},
    {"kept", 16, 400, [](std::size_t, std::uint64_t) { return true; }},
    {"fast", 16, 120, [](std::size_t index, std::uint64_t) { return index % 1000 < 10; }},
    {"tiny", 16, 24, [](std::size_t, std::uint64_t) { return true; }},
    {"random", 16, 3000, [](std::size_t, std::uint64_t random) { return random % 3 == 0; }},
    {"mixed", 100, 40000, [](std::size_t index, std::uint64_t random) { return index % 50 == 0 || random % 17 == 0; }},
    {"large", 200'000, 900'000, [](std::size_t, std::uint64_t random) { return random % 2 == 0; }},
};

void make_heap(const Shape& shape, std::size_t blocks, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::uniform_int_distribution<std::size_t> sizes(shape.least, shape.most);
    std::vector<Held> held(blocks);
    for (Held& each : held) {
        each.bytes = sizes(random);
        each.block = std::malloc(each.bytes);
        std::memset(each.block, 1, each.bytes);
    }
    std::size_t stays = 0;
    for (std::size_t index = 0; index < blocks; ++index) {
        if (shape.stays(index, random())) {
            stays += malloc_usable_size(held[index].block);
        } else {
            std::free(held[index].block);
        }
    }
    g_held_bytes += stays;
}

/// Allocates and frees for ever, also what other threads see.
void be_busy(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<void*> held(4000);
    ++g_ready;
    for (std::uint64_t step = 0; !g_is_over.load(); ++step) {
        if (step % 512 == 0) {  // leaves a core to who looks
            std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
        void*& place = held[random() % held.size()];
        std::free(place);
        const std::size_t bytes = 1 + random() % (random() % 64 == 0 ? 200'000 : 900);
        place = std::malloc(bytes);
        std::memset(place, 2, bytes);
    }
}

std::size_t resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    std::size_t kib = 0;
    while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
        if (std::sscanf(line, "Rss: %zu kB", &kib) == 1) {
            break;
        }
    }
    if (file != nullptr) {
        std::fclose(file);
    }
    return kib << 10;
}

void answer() {
    const std::size_t resident = resident_bytes();
    const struct mallinfo2 info = mallinfo2();
    std::printf("rss %zu held %zu used %zu mapped %zu free %zu\n", resident, g_held_bytes.load(), info.uordblks, info.hblkhd,
                info.fordblks);
    std::fflush(stdout);
}

const Shape* shape_named(const std::string& name) {
    for (const Shape& shape : kShapes) {
        if (name == shape.name) {
            return &shape;
        }
    }
    return nullptr;
}

}  // namespace

int main(int count, char** words) {
    const std::string name = count > 1 ? words[1] : "pinned";
    const std::size_t threads = count > 2 ? std::strtoul(words[2], nullptr, 10) : 1;
    const std::size_t blocks = count > 3 ? std::strtoul(words[3], nullptr, 10) : 10'000;
    const Shape* const shape = shape_named(name);
    if (shape == nullptr && name != "busy") {
        return 1;
    }
    setvbuf(stdout, nullptr, _IOLBF, 4096);
    std::vector<std::thread> running;
    for (std::size_t index = 0; index + 1 < threads || (shape == nullptr && index < threads); ++index) {
        running.emplace_back([=] {
            if (shape == nullptr) {
                be_busy(index);
                return;
            }
            make_heap(*shape, blocks, index);
            ++g_ready;
            while (!g_is_over.load()) {  // a thread that ends gives its cache away
                g_is_over.wait(false);
            }
        });
    }
    if (shape != nullptr) {
        make_heap(*shape, blocks, threads);
    }
    while (g_ready.load() < running.size()) {
        std::this_thread::yield();
    }
    answer();
    std::string line;
    while (std::getline(std::cin, line)) {
        if (line == "trim") {
            malloc_trim(0);
        } else if (line == "grow") {
            void* const more = std::malloc(std::size_t{8} << 20);
            std::memset(more, 3, std::size_t{8} << 20);
            g_held_bytes += std::size_t{8} << 20;
        } else if (line == "quit") {
            break;
        }
        answer();
    }
    g_is_over = true;
    g_is_over.notify_all();
    for (std::thread& thread : running) {
        thread.join();
    }
}
