// Where the calling thread's stack ends, and what its callee-saved registers hold.
#pragma once

#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/mutator.hpp>

// Stacks are read as they are, with what the sanitizers put between locals.
#if HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN
#define HEAPWRIGHT_GC_UNWATCHED __attribute__((no_sanitize("address", "thread")))
#else
#define HEAPWRIGHT_GC_UNWATCHED
#endif

extern "C" {
// The C library's word for the oldest address of the first thread's stack.
extern void* __libc_stack_end;  // NOLINT(bugprone-reserved-identifier)
}

namespace heapwright::gc::detail {

/// All that a called function must preserve: a caller may keep its only reference there. setjmp would not do, because glibc
/// mangles what it stores of rbp.
HEAPWRIGHT_ALWAYS_INLINE void save_registers(Registers& registers) noexcept {
    asm volatile(
        "movq %%rbx, 0(%0)\n\t"
        "movq %%rbp, 8(%0)\n\t"
        "movq %%r12, 16(%0)\n\t"
        "movq %%r13, 24(%0)\n\t"
        "movq %%r14, 32(%0)\n\t"
        "movq %%r15, 40(%0)"
        :
        : "r"(registers.words)
        : "memory");
}

/// The lowest byte of the stack that is in use here.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE const void* stack_pointer() noexcept {
    const void* pointer = nullptr;
    asm volatile("movq %%rsp, %0" : "=r"(pointer));
    return pointer;
}

/// Set in a child of fork() whose first thread was another one in the parent.
extern constinit bool first_thread_is_another;

[[nodiscard]] inline bool is_first_thread() noexcept { return !first_thread_is_another && os::current_tid() == os::current_pid(); }

/// The end of the calling thread's stack. A thread of pthread or of os::RawThread has its thread-local storage, and the
/// thread pointer with it, right above its stack; the first thread's stack ends where the C library says.
[[nodiscard]] inline const void* stack_end() noexcept { return is_first_thread() ? __libc_stack_end : __builtin_thread_pointer(); }

}  // namespace heapwright::gc::detail
