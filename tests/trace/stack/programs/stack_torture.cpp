// A program that allocates from every kind of stack that makes unwinding hard. It is run under the preload library that
// takes each stack twice; compiled with and without frame pointers.
//
// stack_torture [SEED [ROUNDS]]
#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <alloca.h>
#include <immintrin.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline))

namespace {

/// Random numbers that are the same on every machine.
struct Random {
    std::uint64_t state;
    std::uint32_t next() {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::uint32_t>(state >> 33);
    }
    std::uint32_t below(std::uint32_t limit) { return next() % limit; }
};

volatile std::uint64_t sink = 0;

/// Allocates without a chance for the compiler to drop it.
NOINLINE void allocate(std::size_t bytes) {
    void* volatile block = std::malloc(bytes);
    sink = sink + reinterpret_cast<std::uintptr_t>(block);
    std::free(block);
}

NOINLINE void walk(Random& random, int depth);

NOINLINE void plain(Random& random, int depth) {
    allocate(8);
    walk(random, depth - 1);
    allocate(16);
}

NOINLINE void large_frame(Random& random, int depth) {
    volatile char room[3000];
    room[random.below(3000)] = 1;
    walk(random, depth - 1);
    sink = sink + static_cast<std::uint64_t>(room[0]);
}

NOINLINE void with_alloca(Random& random, int depth) {
    auto* room = static_cast<volatile char*>(alloca(16 + random.below(500)));
    room[3] = 1;
    allocate(24);
    walk(random, depth - 1);
    sink = sink + static_cast<std::uint64_t>(room[3]);
}

NOINLINE void with_array(Random& random, int depth) {
    const std::uint32_t size = 1 + random.below(300);
    volatile int room[size];
    room[size - 1] = 2;
    walk(random, depth - 1);
    allocate(static_cast<std::size_t>(room[size - 1]));
}

NOINLINE void realigned(Random& random, int depth) {
    alignas(64) volatile char room[64];
    room[random.below(64)] = 3;
    allocate(32);
    walk(random, depth - 1);
    sink = sink + reinterpret_cast<std::uintptr_t>(&room[0]) % 64;
}

NOINLINE void realigned_array(Random& random, int depth) {
    alignas(128) volatile char room[128];
    auto* more = static_cast<volatile char*>(alloca(1 + random.below(200)));
    more[0] = room[random.below(128)] = 3;
    walk(random, depth - 1);
    allocate(40);
}

/// Keeps many values alive over the calls, so that all callee-saved registers, rbp among them, are spilled.
NOINLINE void busy_registers(Random& random, int depth) {
    std::uint64_t a = random.next(), b = random.next(), c = random.next(), d = random.next(), e = random.next(), f = random.next();
    for (int i = 0; i < 3; ++i) {
        allocate(48);
        a += b;
        b ^= c;
        c += d;
        d ^= e;
        e += f;
        f ^= a;
        if (i == 1) {
            walk(random, depth - 1);
        }
    }
    sink = sink + a + b + c + d + e + f;
}

NOINLINE void thrower(Random& random, int depth) {
    walk(random, depth / 2);
    if (random.below(2) == 0) {
        throw std::runtime_error("a message that is too long for the small string buffer of a std::string");
    }
}

NOINLINE void catcher(Random& random, int depth) {
    try {
        thrower(random, depth - 1);
    } catch (const std::exception& error) {
        allocate(std::strlen(error.what()));
        walk(random, depth / 2);
    }
}

NOINLINE void jumper(Random& random, int depth, std::jmp_buf& back) {
    volatile char room[200];
    room[0] = 1;
    allocate(56);
    if (depth > 0 && random.below(3) != 0) {
        jumper(random, depth - 1, back);
    }
    if (random.below(2) == 0) {
        std::longjmp(back, 1);
    }
    sink = sink + static_cast<std::uint64_t>(room[0]);
}

NOINLINE void with_jump(Random& random, int depth) {
    std::jmp_buf back;
    if (setjmp(back) == 0) {
        jumper(random, 6, back);
    }
    allocate(64);
    walk(random, depth - 1);
}

NOINLINE int compare(const void* left, const void* right) {
    allocate(72);
    return std::memcmp(left, right, sizeof(int));
}

NOINLINE void called_back(Random& random, int depth) {
    int numbers[6];
    for (int& number : numbers) {
        number = static_cast<int>(random.next());
    }
    std::qsort(numbers, 6, sizeof(int), &compare);
    const std::function<void()> again = [&] { walk(random, depth - 1); };
    again();
}

NOINLINE void containers(Random& random, int depth) {
    std::map<std::string, std::vector<int>> map;
    for (std::uint32_t i = 0; i < 4; ++i) {
        map["a key of more than fifteen letters " + std::to_string(random.next())].push_back(static_cast<int>(i));
    }
    walk(random, depth - 1);
}

NOINLINE void with_vectors(Random& random, int depth) {
    __m128 value = _mm_set1_ps(static_cast<float>(random.below(9)));
    volatile __m128 kept = value;
    walk(random, depth - 1);
    value = kept;
    sink = sink + static_cast<std::uint64_t>(_mm_cvtss_f32(value));
}

NOINLINE void signalled(Random& random, int depth) {
    std::raise(random.below(2) == 0 ? SIGUSR1 : SIGUSR2);
    walk(random, depth - 1);
}

void walk(Random& random, int depth) {
    using Way = void (*)(Random&, int);
    static constexpr Way kWays[] = {&plain,   &large_frame, &with_alloca, &with_array, &realigned,    &realigned_array, &busy_registers,
                                    &catcher, &with_jump,   &called_back, &containers, &with_vectors, &signalled};
    if (depth <= 0) {
        allocate(80);
        return;
    }
    const std::uint32_t branches = 1 + random.below(2);
    for (std::uint32_t i = 0; i < branches; ++i) {
        kWays[random.below(std::size(kWays))](random, depth - 1 - static_cast<int>(i) * 3);
    }
}

NOINLINE void in_handler(int depth) {
    alignas(32) volatile char room[32];
    room[0] = 1;
    allocate(88);
    if (depth > 0) {
        in_handler(depth - 1);
    }
    sink = sink + static_cast<std::uint64_t>(room[0]);
}

void handler(int) { in_handler(3); }

void install_handlers() {
    static char alternate[65536];
    stack_t stack{};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    sigaltstack(&stack, nullptr);
    struct sigaction action{};
    action.sa_handler = &handler;
    sigaction(SIGUSR1, &action, nullptr);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, nullptr);
    action.sa_flags = 0;
    sigaction(SIGALRM, &action, nullptr);
}

/// Interrupted at any instruction, between the allocations.
NOINLINE void interrupted(Random& random) {
    std::uint64_t sum = random.next();
    for (int round = 0; round < 200; ++round) {
        ualarm(50, 0);
        for (int i = 0; i < 2000; ++i) {
            sum += sum * 31 + random.next();
            if (i % 512 == 0) {
                with_vectors(random, 0);
            }
        }
    }
    ualarm(0, 0);
    sink = sink + sum;
}

ucontext_t main_context;
ucontext_t coroutine_contexts[3];

void coroutine(int number) {
    Random random{static_cast<std::uint64_t>(number) + 1};
    for (int i = 0; i < 20; ++i) {
        walk(random, 3);
        swapcontext(&coroutine_contexts[number], &main_context);
    }
}

NOINLINE void coroutines() {
    std::vector<std::vector<char>> stacks;
    for (int i = 0; i < 3; ++i) {
        stacks.emplace_back(512 << 10);
        getcontext(&coroutine_contexts[i]);
        coroutine_contexts[i].uc_stack.ss_sp = stacks.back().data();
        coroutine_contexts[i].uc_stack.ss_size = stacks.back().size();
        coroutine_contexts[i].uc_link = &main_context;
        makecontext(&coroutine_contexts[i], reinterpret_cast<void (*)()>(&coroutine), 1, i);
    }
    for (int i = 0; i < 60; ++i) {
        allocate(96);
        swapcontext(&main_context, &coroutine_contexts[i % 3]);
    }
}

NOINLINE void deep(Random& random, int depth) {
    volatile char room[40];
    room[0] = static_cast<char>(depth);
    if (depth % 7 == 0) {
        allocate(104);
    }
    if (depth > 0) {
        deep(random, depth - 1);
    }
    if (depth % 5 == 0) {
        allocate(112);
    }
}

NOINLINE void threads(std::uint64_t seed, int rounds) {
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i) {
        all.emplace_back([=] {
            Random random{seed + static_cast<std::uint64_t>(i) * 77};
            for (int round = 0; round < rounds; ++round) {
                walk(random, 8);
            }
            deep(random, 300);
        });
    }
    for (std::thread& thread : all) {
        thread.join();
    }
}

}  // namespace

int main(int count, char** arguments) {
    alignas(64) volatile char room[64];
    room[0] = 1;
    const std::uint64_t seed = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1;
    const int rounds = count > 2 ? std::atoi(arguments[2]) : 60;
    Random random{seed};
    install_handlers();
    for (int i = 0; i < rounds; ++i) {
        walk(random, 14);
    }
    deep(random, 5000);
    interrupted(random);
    coroutines();
    threads(seed, rounds / 4);
    const pid_t child = fork();
    for (int i = 0; i < rounds / 4; ++i) {
        walk(random, 10);
    }
    if (child == 0) {
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::puts("done");
    return status == 0 && room[0] == 1 ? 0 : 1;
}
