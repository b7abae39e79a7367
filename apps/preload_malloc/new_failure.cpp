// The C++ run time is looked up when it is needed: it may be libstdc++ or libc++, and may have been loaded since.
#include "new_failure.hpp"

#include <cerrno>
#include <new>

#include <dlfcn.h>

#include "served_heap.hpp"

#include <heapwright/base/bits.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright::preload {

namespace {

using GetHandler = std::new_handler();
using ThrowBadAlloc = void();
using QuietNew = void*(std::size_t, const std::nothrow_t&);
using QuietAlignedNew = void*(std::size_t, std::align_val_t, const std::nothrow_t&);

constexpr const char* kGetHandler = "_ZSt15get_new_handlerv";
constexpr const char* kThrowBadAlloc = "_ZSt17__throw_bad_allocv";

constexpr std::nothrow_t kQuiet{};  // std::nothrow itself lies in the run time

constexpr const char* kRunTimes[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};

/// A function of the C++ run time, which is among the program's libraries, or was brought in privately by a plugin.
void* find_in_run_time(const char* name) noexcept {
    if (void* found = dlsym(RTLD_DEFAULT, name); found != nullptr) {
        return found;
    }
    for (const char* library : kRunTimes) {
        void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
        if (void* found = handle == nullptr ? nullptr : dlsym(handle, name); found != nullptr) {
            return found;
        }
    }
    return nullptr;
}

template <class Function>
Function* find_function(const char* name) noexcept {
    return reinterpret_cast<Function*>(find_in_run_time(name));
}

/// A function of the very library that `neighbour` lies in: the next one of that name could be ours again.
template <class Function>
Function* find_beside(void* neighbour, const char* name) noexcept {
    Dl_info where;
    if (neighbour == nullptr || dladdr(neighbour, &where) == 0) {
        return nullptr;
    }
    void* handle = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    return handle == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(handle, name));
}

std::new_handler current_handler() noexcept {
    auto* get_handler = find_function<GetHandler>(kGetHandler);
    return get_handler == nullptr ? nullptr : get_handler();
}

void* try_once(std::size_t bytes, std::size_t alignment) noexcept {
    return alignment == 0 ? served_heap::allocate(bytes) : try_new_aligned(bytes, alignment);
}

}  // namespace

void* try_new_aligned(std::size_t bytes, std::size_t alignment) noexcept {
    return is_power_of_two(alignment) ? served_heap::allocate_aligned(bytes, alignment) : nullptr;
}

void* new_again(std::size_t bytes, std::size_t alignment) {
    while (true) {
        errno = ENOMEM;
        const std::new_handler handler = current_handler();
        if (handler == nullptr) {
            break;
        }
        handler();
        if (void* block = try_once(bytes, alignment); block != nullptr) {
            return block;
        }
    }
    auto* throw_bad_alloc = find_function<ThrowBadAlloc>(kThrowBadAlloc);
    if (throw_bad_alloc != nullptr) {
        throw_bad_alloc();
    }
    os::write_stderr_line(
        "heapwright: operator new found no memory: the program has no C++ run time to throw std::bad_alloc; it stops here");
    __builtin_trap();
}

void* new_again_quietly(std::size_t bytes, std::size_t alignment) noexcept {
    errno = ENOMEM;
    if (current_handler() == nullptr) {
        return nullptr;
    }
    // The handler may throw, and this library cannot catch: the run time's own form can. It asks our throwing form.
    void* neighbour = find_in_run_time(kGetHandler);
    if (alignment == 0) {
        auto* next = find_beside<QuietNew>(neighbour, "_ZnwmRKSt9nothrow_t");
        return next == nullptr ? nullptr : next(bytes, kQuiet);
    }
    auto* next = find_beside<QuietAlignedNew>(neighbour, "_ZnwmSt11align_val_tRKSt9nothrow_t");
    return next == nullptr ? nullptr : next(bytes, std::align_val_t{alignment}, kQuiet);
}

}  // namespace heapwright::preload
