// Programs with one planted memory problem each, and one without: planted pool|arena|stack|... [scale]
//
// Each plant has the shape that a rule looks for and a place whose name says so, and is otherwise as quiet as can be.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#define PLANTED [[gnu::noinline]]

// A name that every C program has, which the tool knows to be nobody's own place. Writes, so that blocks are resident.
extern "C" PLANTED void* xmalloc(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    std::memset(block, 1, bytes);
    return block;
}

namespace {

unsigned scale = 1;

// What every program does beside allocating: without it a few milliseconds of the allocator's would be all of its time.
// Allocates nothing, which could leave holes.
PLANTED void other_work(unsigned amount) {
    static std::array<double, 10'000> numbers{};
    for (unsigned round = 0; round < amount * 30'000; ++round) {
        for (double& number : numbers) {
            number = number * 1.0000001 + 0.1;
        }
    }
    [[maybe_unused]] static volatile double result = 0;
    result = numbers.back();
}

// ---- pool: a million live blocks of 40 bytes, for which glibc takes 48

struct Node {
    Node* next;
    char payload[32];
};
PLANTED Node* plant_pool_node(Node* next) {
    Node* const node = new Node;
    node->next = next;
    return node;
}
void pool() {
    Node* list = nullptr;
    for (unsigned i = 0; i < 500'000 * scale; ++i) {
        list = plant_pool_node(list);
    }
    while (list != nullptr) {
        Node* const next = list->next;
        delete list;
        list = next;
    }
}

// ---- arena: requests whose nodes, names and lists die together

struct Request {
    std::vector<Node*> nodes;
    std::vector<char*> names;
};
PLANTED Node* make_node() { return new Node; }
PLANTED char* make_name(std::size_t bytes) { return new char[bytes]; }
PLANTED void plant_arena_request(Request& request) {
    request.nodes.clear();
    request.names.clear();
    for (unsigned i = 0; i < 800; ++i) {
        request.nodes.push_back(make_node());
        request.names.push_back(make_name(8 + i % 60));
        request.names.back()[0] = 'x';
    }
    for (Node* const node : request.nodes) {
        delete node;
    }
    for (const char* const name : request.names) {
        delete[] name;
    }
}
void arena() {
    Request request;
    request.nodes.reserve(1000);
    request.names.reserve(1000);
    for (unsigned i = 0; i < 1000 * scale; ++i) {
        plant_arena_request(request);
    }
}

// ---- stack: a temporary of one frame, again and again

PLANTED unsigned plant_stack_temporary(unsigned number) {
    char* const text = static_cast<char*>(std::malloc(64));
    const int length = std::snprintf(text, 64, "%u", number);
    const auto result = static_cast<unsigned>(text[0]) + static_cast<unsigned>(length);
    std::free(text);
    return result;
}
void stack() {
    unsigned sum = 0;
    for (unsigned i = 0; i < 1'500'000 * scale; ++i) {
        sum += plant_stack_temporary(i);
    }
    std::printf("%u\n", sum);
}

// ---- sizes: four bytes above a size class

PLANTED void* plant_sizes_record() { return xmalloc(60); }
void sizes() {
    std::vector<void*> all;
    for (unsigned i = 0; i < 300'000 * scale; ++i) {
        all.push_back(plant_sizes_record());
    }
    for (void* const block : all) {
        std::free(block);
    }
}

// ---- alignment: a cache line for every small block

PLANTED void* plant_alignment_node() { return std::aligned_alloc(64, 64); }
void alignment() {
    std::vector<void*> all;
    for (unsigned i = 0; i < 200'000 * scale; ++i) {
        all.push_back(plant_alignment_node());
    }
    for (void* const block : all) {
        std::free(block);
    }
}

// ---- reserve: a text that grows by sixteen bytes at a time, and a vector that nobody reserved

PLANTED char* plant_reserve_append(char* text, std::size_t bytes) { return static_cast<char*>(std::realloc(text, bytes)); }
void reserve() {
    for (unsigned round = 0; round < 40 * scale; ++round) {
        std::array<char*, 50> texts{};
        for (std::size_t bytes = 16; bytes <= 8192; bytes += 16) {
            for (char*& text : texts) {
                text = plant_reserve_append(text, bytes);
                text[bytes - 1] = 'x';
            }
        }
        for (char* const text : texts) {
            std::free(text);
        }
    }
}
PLANTED void plant_vector_collect(std::vector<int>& numbers) {
    for (int i = 0; i < 2000; ++i) {
        numbers.push_back(i);
    }
}
void vector() {
    for (unsigned i = 0; i < 20'000 * scale; ++i) {
        std::vector<int> numbers;
        plant_vector_collect(numbers);
    }
}

// ---- leak: a session of each request stays behind

PLANTED void* plant_leak_session() { return xmalloc(200); }
void leak() {
    for (unsigned i = 0; i < 40'000 * scale; ++i) {
        [[maybe_unused]] static void* volatile lost = nullptr;
        lost = plant_leak_session();
        for (unsigned k = 0; k < 5; ++k) {
            std::free(xmalloc(100 + 16 * k));
        }
    }
}

// ---- give back: a phase that needs much, whose last block keeps the heap from shrinking, then quiet work

PLANTED void plant_give_back_phase(std::vector<void*>& all) {
    for (unsigned i = 0; i < 40'000 * scale; ++i) {
        all.push_back(xmalloc(1000));
    }
}
void give_back() {
    std::vector<void*> all;
    all.reserve(40'000 * scale);
    plant_give_back_phase(all);
    [[maybe_unused]] static void* volatile keeper = nullptr;
    keeper = xmalloc(100);
    for (void* const block : all) {
        std::free(block);
    }
    for (unsigned i = 0; i < 400'000 * scale; ++i) {
        std::free(xmalloc(50 + i % 50));
    }
}

// ---- arenas: threads that need memory one after the other, each in an arena of its own

void arenas() {
    std::atomic<unsigned> turn{0};
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < 12; ++number) {
        threads.emplace_back([&turn, number] {
            while (turn.load() != number) {
                std::this_thread::yield();
            }
            std::vector<void*> all;
            all.reserve(6'000 * scale);  // grown step by step it would leave a hole for the keeper, which then pins nothing
            for (unsigned i = 0; i < 6'000 * scale; ++i) {
                all.push_back(xmalloc(1000));
            }
            void* const keeper = xmalloc(100);
            for (void* const block : all) {
                std::free(block);
            }
            turn.store(number + 1);
            while (turn.load() != 12) {
                std::this_thread::yield();
            }
            std::free(keeper);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

// ---- mmap threshold: tiles that glibc moves into the heap after the first is freed, with small blocks above each

PLANTED void* plant_tile(std::size_t bytes) { return xmalloc(bytes); }
void tiles() {
    std::free(plant_tile(11 << 20));  // the threshold follows
    std::vector<void*> small;
    for (unsigned round = 0; round < 3 * scale; ++round) {
        std::vector<void*> large;
        for (unsigned i = 0; i < 6; ++i) {
            large.push_back(plant_tile((3 << 20) + (std::size_t{i + round} << 18)));
            small.push_back(xmalloc(200));
        }
        for (void* const block : large) {
            std::free(block);
        }
        for (unsigned i = 0; i < 20'000; ++i) {
            std::free(xmalloc(64));
        }
    }
    for (unsigned i = 0; i < 400'000; ++i) {
        std::free(xmalloc(64));
    }
}

// ---- top: the heap's top comes and goes

PLANTED void* plant_top_block(std::size_t bytes) { return xmalloc(bytes); }
void top() {
    for (unsigned i = 0; i < 3000 * scale; ++i) {
        std::array<void*, 4> blocks{};
        for (void*& block : blocks) {
            block = plant_top_block(100'000);
        }
        for (std::size_t at = blocks.size(); at-- > 0;) {
            std::free(blocks[at]);
        }
    }
}

// ---- cross thread: one makes, another frees

PLANTED void* plant_cross_block() { return xmalloc(48); }
void cross_thread() {
    constexpr unsigned kRoom = 1024;
    static std::array<std::atomic<void*>, kRoom> ring{};
    const unsigned count = 1'000'000 * scale;
    std::thread consumer([count] {
        for (unsigned i = 0; i < count; ++i) {
            void* block = nullptr;
            while ((block = ring[i % kRoom].exchange(nullptr)) == nullptr) {
                std::this_thread::yield();
            }
            std::free(block);
        }
    });
    for (unsigned i = 0; i < count; ++i) {
        void* const block = plant_cross_block();
        while (ring[i % kRoom].load() != nullptr) {
            std::this_thread::yield();
        }
        ring[i % kRoom].store(block);
    }
    consumer.join();
}

// ---- nothing: work that allocates little and wastes nothing

void quiet() {
    double sum = 0;
    std::vector<double> numbers(200'000, 1.5);
    for (unsigned round = 0; round < 500 * scale; ++round) {
        for (double& number : numbers) {
            sum += number *= 1.0000001;
        }
        auto text = std::make_unique<std::string>(200, 'x');
        sum += static_cast<double>(text->size());
    }
    std::printf("%f\n", sum);
}

struct Plant {
    const char* name;
    void (*run)();
    unsigned other_work;  // where memory is won, and what that costs is weighed against all of its time
};
constexpr std::array<Plant, 14> kPlants = {{{"pool", pool, 2},
                                            {"arena", arena, 0},
                                            {"stack", stack, 0},
                                            {"sizes", sizes, 1},
                                            {"alignment", alignment, 1},
                                            {"reserve", reserve, 0},
                                            {"vector", vector, 0},
                                            {"leak", leak, 1},
                                            {"give_back", give_back, 3},
                                            {"arenas", arenas, 1},
                                            {"tiles", tiles, 5},
                                            {"top", top, 0},
                                            {"cross_thread", cross_thread, 0},
                                            {"quiet", quiet, 1}}};

}  // namespace

int main(int count, char** words) {
    for (const Plant& plant : kPlants) {
        if (count >= 2 && std::strcmp(words[1], plant.name) == 0) {
            scale = count > 2 ? static_cast<unsigned>(std::atoi(words[2])) : 1;
            other_work(plant.other_work);
            plant.run();
            return 0;
        }
    }
    std::fputs("usage: planted NAME [SCALE]\n", stderr);
    return 2;
}
