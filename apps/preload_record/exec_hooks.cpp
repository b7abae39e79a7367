// exec and posix_spawn: the trace is closed before this program gives way, and the next one is recorded too, whatever
// environment it is given.
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <string_view>

#include <unistd.h>

#include "inheritance.hpp"
#include "real.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/recorder.hpp>

namespace {

using heapwright::preload::Inheritance;
using heapwright::preload::real;
using heapwright::preload::wake_up;
using heapwright::trace::record::recorder;

/// Calls `act` with an environment that carries the recorder along. Everything is on the stack: the caller may be a
/// child of vfork, which must not allocate in its parent's memory.
template <class Act>
int with_inheritance(char* const* environment, Act act) {
    const Inheritance inheritance(environment);
    if (!inheritance.is_needed()) {
        return act(environment);
    }
    auto** pointers = static_cast<char**>(__builtin_alloca(inheritance.pointers() * sizeof(char*)));
    auto* text = static_cast<char*>(__builtin_alloca(inheritance.text_bytes()));
    inheritance.write(pointers, text);
    return act(pointers);
}

template <class Act>
int replace_program(char* const* environment, Act act) {
    wake_up();
    const int entry_errno = errno;
    recorder.finish(heapwright::trace::record::kReasonExec);
    errno = entry_errno;
    const int result = with_inheritance(environment, act);
    const int kept_errno = errno;  // still here: the call failed
    recorder.resume();
    errno = kept_errno;
    return result;
}

std::size_t count_words(va_list words) {
    std::size_t count = 1;
    while (va_arg(words, char*) != nullptr) {
        ++count;
    }
    return count;
}

// The words of execl and its relatives, which end with a null pointer, as an array on the stack.
#define HEAPWRIGHT_COLLECT_WORDS(first, list)                                               \
    va_list list;                                                                           \
    va_start(list, first);                                                                  \
    const std::size_t word_count = count_words(list);                                       \
    va_end(list);                                                                           \
    auto** words = static_cast<char**>(__builtin_alloca((word_count + 1) * sizeof(char*))); \
    va_start(list, first);                                                                  \
    words[0] = const_cast<char*>(first);                                                    \
    for (std::size_t word = 1; word <= word_count; ++word) {                                \
        words[word] = va_arg(list, char*);                                                  \
    }

}  // namespace

extern "C" {

HEAPWRIGHT_EXPORT int execve(const char* path, char* const* arguments, char* const* environment) {
    return replace_program(environment, [=](char* const* next) { return real.execve(path, arguments, next); });
}

HEAPWRIGHT_EXPORT int execv(const char* path, char* const* arguments) {
    return replace_program(environ, [=](char* const* next) { return real.execve(path, arguments, next); });
}

HEAPWRIGHT_EXPORT int execvpe(const char* file, char* const* arguments, char* const* environment) {
    return replace_program(environment, [=](char* const* next) { return real.execvpe(file, arguments, next); });
}

HEAPWRIGHT_EXPORT int execvp(const char* file, char* const* arguments) {
    return replace_program(environ, [=](char* const* next) { return real.execvpe(file, arguments, next); });
}

HEAPWRIGHT_EXPORT int fexecve(int descriptor, char* const* arguments, char* const* environment) {
    return replace_program(environment, [=](char* const* next) { return real.fexecve(descriptor, arguments, next); });
}

HEAPWRIGHT_EXPORT int execveat(int folder, const char* path, char* const* arguments, char* const* environment, int flags) {
    wake_up();
    if (real.execveat == nullptr) {
        errno = ENOSYS;
        return -1;
    }
    return replace_program(environment, [=](char* const* next) { return real.execveat(folder, path, arguments, next, flags); });
}

HEAPWRIGHT_EXPORT int execl(const char* path, const char* first, ...) {
    HEAPWRIGHT_COLLECT_WORDS(first, list)
    va_end(list);
    return replace_program(environ, [=](char* const* next) { return real.execve(path, words, next); });
}

HEAPWRIGHT_EXPORT int execlp(const char* file, const char* first, ...) {
    HEAPWRIGHT_COLLECT_WORDS(first, list)
    va_end(list);
    return replace_program(environ, [=](char* const* next) { return real.execvpe(file, words, next); });
}

HEAPWRIGHT_EXPORT int execle(const char* path, const char* first, ...) {
    HEAPWRIGHT_COLLECT_WORDS(first, list)
    char* const* environment = va_arg(list, char* const*);
    va_end(list);
    return replace_program(environment, [=](char* const* next) { return real.execve(path, words, next); });
}

HEAPWRIGHT_EXPORT int posix_spawn(pid_t* child, const char* path, const void* actions, const void* attributes, char* const* arguments,
                                  char* const* environment) {
    wake_up();
    return with_inheritance(environment,
                            [=](char* const* next) { return real.posix_spawn(child, path, actions, attributes, arguments, next); });
}

HEAPWRIGHT_EXPORT int posix_spawnp(pid_t* child, const char* file, const void* actions, const void* attributes, char* const* arguments,
                                   char* const* environment) {
    wake_up();
    return with_inheritance(environment,
                            [=](char* const* next) { return real.posix_spawnp(child, file, actions, attributes, arguments, next); });
}

}  // extern "C"
