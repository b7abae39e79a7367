// The functions that come after ours: the program's own allocator and the parts of libc that the recorder stands before.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace heapwright::preload {

/// Looked up by dlsym(RTLD_NEXT). The members of the malloc family begin as functions that do the look-up first, so that
/// the hot path need not ask whether it was done. The others are nullptr where libc does not have them.
struct Real {
    void* (*malloc)(std::size_t);
    void* (*calloc)(std::size_t, std::size_t);
    void* (*realloc)(void*, std::size_t);
    void (*free)(void*);
    std::size_t (*usable_size)(void*);
    int (*posix_memalign)(void**, std::size_t, std::size_t);
    void* (*aligned_alloc)(std::size_t, std::size_t);
    void* (*memalign)(std::size_t, std::size_t);
    void* (*valloc)(std::size_t);
    void* (*pvalloc)(std::size_t);

    void (*exit_now)(int);    // _exit
    void (*exit_now_c)(int);  // _Exit
    void (*abort)();
    int (*pthread_create)(void*, const void*, void* (*)(void*), void*);
    int (*execve)(const char*, char* const*, char* const*);
    int (*execvpe)(const char*, char* const*, char* const*);
    int (*fexecve)(int, char* const*, char* const*);
    int (*execveat)(int, const char*, char* const*, char* const*, int);
    int (*posix_spawn)(pid_t*, const char*, const void*, const void*, char* const*, char* const*);
    int (*posix_spawnp)(pid_t*, const char*, const void*, const void*, char* const*, char* const*);
    pid_t (*fork_only)();  // _Fork
    int (*dlclose)(void*);
    int (*unshare)(int);
    int (*setns)(int, int);
    void* (*mmap)(void*, std::size_t, int, int, int, off_t);
    int (*munmap)(void*, std::size_t);

    /// operator new may be answered by malloc: it comes from a C++ run time, or from the library that serves malloc.
    bool new_is_malloc;
};

extern constinit Real real;

/// Does the look-up if nobody has, and then starts the recorder.
void wake_up() noexcept;

/// Memory handed out while the look-up itself allocated: never given back, unknown to the allocator.
[[nodiscard]] bool is_boot_memory(const void* block) noexcept;
/// Requires: is_boot_memory(block).
[[nodiscard]] std::size_t boot_memory_size(const void* block) noexcept;

/// The functions of a name after this library.
[[nodiscard]] void* next_function(const char* name) noexcept;

template <class Function>
void look_up(Function*& function, const char* name) noexcept {
    function = reinterpret_cast<Function*>(next_function(name));
}

}  // namespace heapwright::preload
