// The kernel's door: a system call without libc, so that neither errno nor thread-local storage is touched.
#pragma once

#include <type_traits>

#if !defined(__x86_64__) || !defined(__linux__)
#error "heapwright runs on x86-64 Linux"
#endif

namespace heapwright::os {

namespace detail {

template <class T>
inline long syscall_word(T argument) noexcept {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<long>(argument);
    } else if constexpr (std::is_null_pointer_v<T>) {
        return 0;
    } else {
        return static_cast<long>(argument);
    }
}

inline long syscall_words(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) noexcept {
    // NOLINTBEGIN(misc-const-correctness): the asm statement writes what it calls inputs and outputs
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = e;
    register long sixth asm("r9") = f;
    long result = number;
    // NOLINTEND(misc-const-correctness)
    asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth) : "rcx", "r11", "memory");
    return result;
}

}  // namespace detail

/// Calls the kernel. Arguments are integers, enumerators or pointers, at most six.
///
/// Returns:  what the kernel returned; -errno in [-4095, -1] on failure. errno itself is not touched.
/// Thread safety: any thread, any signal handler, before main, after fork.
/// Example:  `const long fd = raw_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);`
template <class... Arguments>
inline long raw_syscall(long number, Arguments... arguments) noexcept {
    static_assert(sizeof...(Arguments) <= 6, "the kernel takes six arguments at most");
    return detail::syscall_words(number, detail::syscall_word(arguments)...);
}

/// Whether `result` of raw_syscall is a failure.
[[nodiscard]] constexpr bool is_failure(long result) noexcept { return result < 0 && result >= -4095; }

/// Requires: is_failure(result).
[[nodiscard]] constexpr int errno_of(long result) noexcept { return static_cast<int>(-result); }

}  // namespace heapwright::os
