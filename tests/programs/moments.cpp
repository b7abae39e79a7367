// Allocations at unusual moments: before main, after it, in signal handlers, on foreign stacks, deep down, while unwinding.
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <dlfcn.h>
#include <sys/time.h>

#include <ucontext.h>

namespace {

/// Allocates before main and releases after it.
struct Static {
    char* text = static_cast<char*>(std::malloc(1111));
    ~Static() {
        std::free(text);
        std::free(std::malloc(2222));
    }
};
Static static_object;
__attribute__((constructor)) void early() { std::free(std::malloc(3333)); }
__attribute__((destructor)) void late() { std::free(std::malloc(4444)); }

std::atomic<unsigned> signals{0};
void* volatile kept_by_handler[64];

void handler(int) {
    const unsigned number = signals.fetch_add(1);
    void* volatile& place = kept_by_handler[number % 64];
    std::free(place);
    place = std::malloc(40 + number % 100);
}

/// The handler interrupts the program's own allocations only between them, as a careful program would arrange: the
/// allocator is not re-entrant, but the recorder must bear it.
void be_interrupted() {
    struct sigaction action{};
    action.sa_handler = handler;
    sigaction(SIGUSR1, &action, nullptr);
    for (int round = 0; round < 20000; ++round) {
        void* block = std::malloc(static_cast<std::size_t>(10 + round % 500));
        if (round % 10 == 0) {
            std::raise(SIGUSR1);
        }
        std::free(block);
    }
    std::printf("signals: %u\n", signals.load());
}

ucontext_t main_context;
ucontext_t contexts[8];
int turns = 0;

void coroutine(int number) {
    std::vector<void*> own;
    for (int at = 0; at < 500; ++at) {
        own.push_back(std::malloc(static_cast<std::size_t>(20 + number)));
        ++turns;
        swapcontext(&contexts[number], &main_context);
    }
    for (void* block : own) {
        std::free(block);
    }
}

void run_coroutines() {
    std::vector<std::vector<char>> stacks(8, std::vector<char>(64 << 10));
    for (int number = 0; number < 8; ++number) {
        getcontext(&contexts[number]);
        contexts[number].uc_stack = {.ss_sp = stacks[static_cast<std::size_t>(number)].data(), .ss_flags = 0, .ss_size = 64 << 10};
        contexts[number].uc_link = &main_context;
        makecontext(&contexts[number], reinterpret_cast<void (*)()>(coroutine), 1, number);
    }
    for (int round = 0; round < 501; ++round) {
        for (auto& context : contexts) {
            swapcontext(&main_context, &context);
        }
    }
    std::printf("turns: %d\n", turns);
}

// Many frames, each with an array whose size the compiler does not know.
__attribute__((noinline)) std::size_t descend(unsigned depth, std::size_t sum) {
    auto* room = static_cast<volatile char*>(__builtin_alloca(16 + depth % 64));
    room[0] = static_cast<char>(depth);
    void* block = depth % 16 == 0 ? std::malloc(100) : nullptr;
    const std::size_t result = depth == 0 ? sum : descend(depth - 1, sum + static_cast<std::size_t>(room[0] != 0));
    std::free(block);
    return result + (room[0] == 127 ? 1U : 0U);
}

struct Releases {
    explicit Releases(std::size_t size) : block(std::malloc(size)) {}
    ~Releases() { std::free(block); }
    void* block;
};

__attribute__((noinline)) void throw_from(int depth) {
    const Releases own(static_cast<std::size_t>(64 + depth));
    if (depth == 0) {
        throw std::runtime_error(std::string(60, 'e'));
    }
    throw_from(depth - 1);
}

std::jmp_buf jump;
__attribute__((noinline)) void jump_from(int depth) {
    void* block = std::malloc(48);
    std::free(block);
    if (depth == 0) {
        std::longjmp(jump, 1);
    }
    const int next = depth - 1;
    jump_from(next);
}

void unwind() {
    static int caught = 0;  // static, as longjmp may restore what lies in registers
    static int round = 0;
    for (round = 0; round < 200; ++round) {
        try {
            throw_from(round % 20);
        } catch (const std::runtime_error& error) {
            caught += static_cast<int>(std::strlen(error.what()));
        }
        if (setjmp(jump) == 0) {
            jump_from(round % 10);
        }
    }
    std::printf("caught: %d\n", caught);
}

/// Loads a library of the system again and again.
void load_and_unload(const char* library) {
    int sum = 0;
    for (int round = 0; round < 20; ++round) {
        void* handle = dlopen(library, RTLD_NOW);
        if (handle == nullptr) {
            std::printf("dlopen: %s\n", dlerror());
            return;
        }
        if (auto* entry = reinterpret_cast<int (*)(int)>(dlsym(handle, "plugin_entry"))) {
            sum += entry(round);
        }
        dlclose(handle);
    }
    std::printf("plugin: %d\n", sum);
}

}  // namespace

int main(int count, char** words) {
    const std::string_view what = count > 1 ? words[1] : "statics";
    if (what == "signals") {
        be_interrupted();
    } else if (what == "coroutines") {
        run_coroutines();
    } else if (what == "deep") {
        std::printf("sum: %zu\n", descend(20000, 0));
    } else if (what == "unwind") {
        unwind();
    } else if (what == "plugin" && count > 2) {
        load_and_unload(words[2]);
    }
    std::printf("%s: done\n", words[count > 1 ? 1 : 0]);
    return 0;
}
