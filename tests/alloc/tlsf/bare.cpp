// A program without libc, without a start-up file and without an operating system's memory: a heap in 64 KiB, used at
// random, checked as it goes. Its exit status is 0, or the number of what went wrong.
#include <cstddef>
#include <cstdint>

#include <heapwright/tlsf.hpp>

extern "C" {

// What a compiler may call in freestanding code, and a bare program therefore has.
void* memcpy(void* to, const void* from, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; ++at) {
        static_cast<volatile char*>(to)[at] = static_cast<const char*>(from)[at];
    }
    return to;
}
void* memset(void* to, int value, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; ++at) {
        static_cast<volatile char*>(to)[at] = static_cast<char>(value);
    }
    return to;
}
void* memmove(void* to, const void* from, std::size_t bytes) {
    auto* const target = static_cast<volatile char*>(to);
    const auto* const source = static_cast<const volatile char*>(from);
    if (reinterpret_cast<std::uintptr_t>(to) <= reinterpret_cast<std::uintptr_t>(from)) {
        return memcpy(to, from, bytes);
    }
    for (std::size_t left = bytes; left > 0; --left) {
        target[left - 1] = source[left - 1];
    }
    return to;
}
int memcmp(const void* a, const void* b, std::size_t bytes) {
    const auto* const left = static_cast<const volatile unsigned char*>(a);
    const auto* const right = static_cast<const volatile unsigned char*>(b);
    for (std::size_t at = 0; at < bytes; ++at) {
        if (left[at] != right[at]) {
            return left[at] < right[at] ? -1 : 1;
        }
    }
    return 0;
}

// A program that never ends its main has nothing to do at its end.
void* __dso_handle = nullptr;                                  // NOLINT(*-reserved-identifier): the compiler's name
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }  // NOLINT(*-reserved-identifier)

#if defined(__i386__) || defined(__arm__)
/// Division of 64-bit numbers, which 32-bit compilers leave to their library.
unsigned long long __udivmoddi4(unsigned long long number, unsigned long long by,
                                unsigned long long* rest) {  // NOLINT(*-reserved-identifier)
    unsigned long long quotient = 0;
    unsigned long long left = 0;
    for (int bit = 63; bit >= 0; --bit) {
        left = left << 1 | (number >> bit & 1U);
        if (left >= by) {
            left -= by;
            quotient |= 1ULL << bit;
        }
    }
    if (rest != nullptr) {
        *rest = left;
    }
    return quotient;
}
#endif

#if defined(__arm__)
// The same under the names of ARM's run-time ABI.
int __aeabi_atexit(void*, void (*)(void*), void*) { return 0; }  // NOLINT(*-reserved-identifier)

// Quotient and rest come back in four registers, which no C function can do.
asm(R"(
    .globl __aeabi_uldivmod
    .type __aeabi_uldivmod, %function
    .arm
__aeabi_uldivmod:
    sub sp, sp, #16
    add ip, sp, #8
    str ip, [sp]
    str lr, [sp, #4]
    bl __udivmoddi4
    ldr lr, [sp, #4]
    add sp, sp, #8
    pop {r2, r3}
    bx lr
)");
#endif

[[noreturn]] void leave(int status) {
#if defined(__x86_64__)
    asm volatile("syscall" : : "a"(60), "D"(status) : "memory");
#elif defined(__i386__)
    asm volatile("int $0x80" : : "a"(1), "b"(status) : "memory");
#elif defined(__arm__)
    register int number asm("r7") = 1;
    register int first asm("r0") = status;
    asm volatile("svc 0" : : "r"(number), "r"(first) : "memory");
#endif
    for (;;) {}
}

}  // extern "C"

namespace {

alignas(8) std::byte memory[64 << 10];
heapwright::SmallTlsf heap;

struct Live {
    unsigned char* block;
    std::size_t size;
    unsigned char mark;
};
Live live[200];

std::uint32_t state = 2463534242U;
std::uint32_t below(std::uint32_t bound) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % bound;
}

bool holds(const Live& one) {
    for (std::size_t at = 0; at < one.size; ++at) {
        if (one.block[at] != one.mark) {
            return false;
        }
    }
    return true;
}

/// Frees, resizes or fills one place. Returns what went wrong, or 0.
int step(Live& one) {
    if (one.block != nullptr && !holds(one)) {
        return 2;
    }
    if (one.block != nullptr && below(3) == 0) {
        const std::size_t size = below(900);
        auto* const moved = static_cast<unsigned char*>(heap.try_reallocate(one.block, {.size = one.size, .alignment = 1}, size));
        if (moved != nullptr) {
            one = {.block = moved, .size = size < one.size ? size : one.size, .mark = one.mark};
            return holds(one) ? 0 : 3;
        }
    }
    if (one.block != nullptr) {
        heap.deallocate(one.block, {.size = one.size, .alignment = 1});
        one.block = nullptr;
        return 0;
    }
    const std::size_t alignment = std::size_t{1} << below(7);
    one.size = below(600);
    one.mark = static_cast<unsigned char>(below(256));
    one.block = static_cast<unsigned char*>(heap.try_allocate({.size = one.size, .alignment = alignment}));
    if (one.block != nullptr) {
        if (!heapwright::is_aligned(one.block, alignment)) {
            return 4;
        }
        memset(one.block, one.mark, one.size);
    }
    return 0;
}

int run() {
    if (!heap.add_region(memory)) {
        return 1;
    }
    for (int round = 0; round < 200'000; ++round) {
        if (const int wrong = step(live[below(200)])) {
            return wrong;
        }
        if (round % 1000 == 0 && heap.broken_invariant() != nullptr) {
            return 5;
        }
    }
    if (heap.stats().refusals == 0) {
        return 6;  // 64 KiB must have been full at times, or the test has tested little
    }
    for (Live& one : live) {
        if (one.block != nullptr) {
            heap.deallocate(one.block);
        }
    }
    const heapwright::TlsfStats stats = heap.stats();
    return stats.used_bytes == 0 && stats.fragmentation_permille == 0 && heap.remove_region(memory) ? 0 : 7;
}

}  // namespace

// Nobody called it, so the stack is not aligned as x86's calling convention wants it.
#if defined(__x86_64__) || defined(__i386__)
#define ALIGN_STACK __attribute__((force_align_arg_pointer))
#else
#define ALIGN_STACK
#endif

extern "C" [[noreturn]] ALIGN_STACK void _start() { leave(run()); }
