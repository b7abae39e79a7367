// What the library does at the start and the end of a process.
#include <cstddef>
#include <cstdint>

#include <pthread.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/settings.hpp>
#include <heapwright/alloc/heap/statistics_text.hpp>
#include <heapwright/os/report.hpp>

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* library);
extern "C" void malloc_stats();

namespace heapwright::preload {

namespace {

void before_fork() { default_heap::before_fork(); }
void after_fork_in_parent() { default_heap::after_fork_in_parent(); }
void after_fork_in_child() { default_heap::after_fork_in_child(); }

constinit bool statistics_at_exit = false;

void print_statistics(void*) { malloc_stats(); }

/// Linked so that it runs before the constructor of any other library: before every fork handler, after each of them.
__attribute__((constructor(101))) void begin() {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    const HeapSettings settings = heap_settings_of_process();
    constexpr std::uint64_t kNsOfMs = 1'000'000;
    default_heap::set_clock(settings.purge_delay_ms * kNsOfMs, settings.background, settings.give_back);
    statistics_at_exit = settings.statistics_at_exit;
}

/// What is registered now runs after the other libraries' destructors: exit() looks for new entries when it thinks that
/// it is done.
__attribute__((destructor(101))) void end() {
    if (statistics_at_exit) {
        __cxa_atexit(print_statistics, nullptr, nullptr);
    }
}

}  // namespace

}  // namespace heapwright::preload
