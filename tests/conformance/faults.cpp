// Faults of a program, one a run, which a hardened malloc must notice; and a stress without any, which it must bear.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

namespace {

/// A block that the compiler knows nothing of.
char* make(std::size_t bytes) {
    void* volatile hidden = std::malloc(bytes);
    return static_cast<char*>(hidden);
}
void give_back(void* block) {
    void* volatile hidden = block;
    std::free(hidden);
}
void write_at(char* block, std::ptrdiff_t at, char letter) {
    char* volatile hidden = block;
    hidden[at] = letter;
}

/// Frees of other blocks, so that whatever waits has waited long enough.
void press() {
    static void* blocks[20000];
    for (void*& block : blocks) {
        block = make(40);
    }
    for (void* block : blocks) {
        give_back(block);
    }
}

void in_thread(void* (*routine)(void*), void* argument) {
    pthread_t thread;
    pthread_create(&thread, nullptr, routine, argument);
    pthread_join(thread, nullptr);
}
void* give_back_there(void* block) {
    give_back(block);
    return nullptr;
}

void free_twice(std::size_t bytes, bool in_another_thread, bool after_pressure) {
    char* const block = make(bytes);
    char* const neighbour = make(bytes);
    give_back(block);
    if (after_pressure) {
        // The block goes through every list. It must not be handed out again, or the second free is a rightful one.
        for (int turn = 0; turn < 1000; ++turn) {
            give_back(make(bytes * 3 + 64));
        }
    }
    if (in_another_thread) {
        in_thread(give_back_there, block);
    } else {
        give_back(block);
    }
    give_back(neighbour);
}

void free_inside(std::size_t bytes, std::size_t distance) { give_back(make(bytes) + distance); }

void overflow(std::size_t bytes, bool is_freed) {
    char* const block = make(bytes);
    write_at(block, static_cast<std::ptrdiff_t>(bytes), 0);  // the closing zero of a text for which there was no room
    if (is_freed) {
        give_back(block);
    } else {
        void* volatile moved = std::realloc(block, bytes * 4);
        static_cast<void>(moved);
    }
}

void write_after_free(std::size_t bytes, std::ptrdiff_t at) {
    char* const block = make(bytes);
    give_back(block);
    write_at(block, at, 'x');
    press();
}

void* write_and_end(void*) {
    char* const block = make(200);
    give_back(block);
    write_at(block, 100, 'x');
    return nullptr;
}

template <class Function>
Function* function_of(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

struct Fault {
    std::string_view name;
    void (*commit)();
};

const Fault kFaults[] = {
    {"double free", [] { free_twice(56, false, false); }},
    {"double free of no bytes", [] { free_twice(0, false, false); }},
    {"double free of a large block", [] { free_twice(std::size_t{1} << 20, false, false); }},
    {"double free in another thread", [] { free_twice(56, true, false); }},
    {"double free after pressure", [] { free_twice(56, false, true); }},
    {"double free in another thread after pressure", [] { free_twice(3000, true, true); }},
    {"realloc after free",
     [] {
         char* const block = make(300);
         give_back(block);
         void* volatile moved = std::realloc(block, 3000);
         static_cast<void>(moved);
     }},
    {"interior of a small block", [] { free_inside(100, 8); }},
    {"interior by an odd number", [] { free_inside(100, 1); }},
    {"interior of a medium block", [] { free_inside(20000, 4096); }},
    {"interior of a large block", [] { free_inside(std::size_t{1} << 20, 500000); }},
    {"interior of a freed block",
     [] {
         char* const block = make(500);
         give_back(block);
         give_back(block + 16);
     }},
    {"foreign, of the stack",
     [] {
         char local[64] = {};
         give_back(local + 16);
     }},
    {"foreign, a global",
     [] {
         static char global[64];
         give_back(global + 16);
     }},
    {"one byte too far", [] { overflow(24, true); }},
    {"one byte too far, of an odd size", [] { overflow(13, true); }},
    {"one byte too far, of one byte", [] { overflow(1, true); }},
    {"one byte too far, of none", [] { overflow(0, true); }},
    {"one byte too far, of a large block", [] { overflow(300000, true); }},
    {"one byte too far, at realloc", [] { overflow(100, false); }},
    {"many bytes too far",
     [] {
         char* const block = make(40);
         char* volatile hidden = block;
         std::memset(hidden, 'x', 64);
         give_back(block);
     }},
    {"write after free", [] { write_after_free(64, 32); }},
    {"write after free, to the first byte", [] { write_after_free(64, 0); }},
    {"write after free, to a medium block", [] { write_after_free(30000, 29999); }},
    {"write after free, at the end of a thread", [] { in_thread(write_and_end, nullptr); }},
    {"sized delete", [] { ::operator delete(::operator new(100), std::size_t{3000}); }},
    {"sized delete of the same class", [] { ::operator delete[](::operator new[](100), std::size_t{101}); }},
    {"aligned sized delete", [] { ::operator delete(::operator new(100, std::align_val_t{64}), std::size_t{50}, std::align_val_t{64}); }},
    {"free_sized", [] { function_of<void(void*, std::size_t)>("free_sized")(make(100), 300); }},
    {"free_aligned_sized",
     [] { function_of<void(void*, std::size_t, std::size_t)>("free_aligned_sized")(aligned_alloc(64, 128), 64, 256); }},
};

// Eight threads hand each other blocks through places that they share.
constexpr std::size_t kPlaces = 4096;
constexpr std::uint32_t kTurns = 300000;
std::atomic<unsigned char*> places[kPlaces];
std::atomic<int> unsound{0};

void check_and_free(unsigned char* block) {
    if (block == nullptr) {
        return;
    }
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, block, sizeof(bytes));
    if (block[bytes - 1] != static_cast<unsigned char>(bytes) || malloc_usable_size(block) < bytes) {
        ++unsound;
    }
    std::free(block);
}

void* take_part(void* raw) {
    std::uint32_t state = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(raw)) * 7919 + 1;
    for (std::uint32_t turn = 0; turn < kTurns; ++turn) {
        state = state * 1664525 + 1013904223;
        const std::uint32_t draw = state >> 8;
        const std::uint32_t bytes = 5 + draw % (draw % 97 == 0 ? 90000 : draw % 7 == 0 ? 3000 : 200);
        auto* block = static_cast<unsigned char*>(turn % 5 == 0 ? std::calloc(1, bytes) : std::malloc(bytes));
        if (turn % 11 == 0) {
            block = static_cast<unsigned char*>(std::realloc(block, bytes));
        }
        std::memcpy(block, &bytes, sizeof(bytes));
        block[bytes - 1] = static_cast<unsigned char>(bytes);
        // Acquire and release: whoever takes the block out sees what was written to it.
        check_and_free(places[draw % kPlaces].exchange(block, std::memory_order_acq_rel));
    }
    return nullptr;
}

int stress() {
    pthread_t threads[8];
    for (std::uintptr_t at = 0; at < 8; ++at) {
        pthread_create(&threads[at], nullptr, take_part, reinterpret_cast<void*>(at));
    }
    for (const pthread_t thread : threads) {
        pthread_join(thread, nullptr);
    }
    for (std::atomic<unsigned char*>& place : places) {
        check_and_free(place.exchange(nullptr, std::memory_order_acq_rel));  // as above
    }
    std::printf("%d blocks were not as they were left\n", unsound.load());
    return unsound == 0 ? 0 : 1;
}

/// How many of the first blocks of a size lie behind the one before.
int order() {
    int ascending = 0;
    char* before = make(100);
    for (int at = 0; at < 200; ++at) {
        char* const next = make(100);
        ascending += next > before ? 1 : 0;
        before = next;
    }
    std::printf("%d\n", ascending);
    return 0;
}

}  // namespace

int main(int words, char** word) {
    alarm(240);  // a deadlock ends as SIGALRM
    const std::string_view wanted = words > 1 ? word[1] : "";
    if (wanted == "stress") {
        return stress();
    }
    if (wanted == "order") {
        return order();
    }
    for (const Fault& fault : kFaults) {
        if (wanted.empty()) {
            std::printf("%.*s\n", static_cast<int>(fault.name.size()), fault.name.data());
        } else if (wanted == fault.name) {
            std::puts("before");
            std::fflush(stdout);
            fault.commit();
            std::puts("after");
            return 0;
        }
    }
    return wanted.empty() ? 0 : 2;
}
