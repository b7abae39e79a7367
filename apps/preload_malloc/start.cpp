// What the library does at the start and the end of a process.
#include <cstddef>
#include <cstdint>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plan.hpp"
#include "served_heap.hpp"

#include <heapwright/alloc/heap/placement_text.hpp>
#include <heapwright/alloc/heap/settings.hpp>
#include <heapwright/alloc/heap/statistics_text.hpp>
#include <heapwright/base/never_destroyed.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/config/environment.hpp>
#include <heapwright/config/reader.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/syscall.hpp>
#include <heapwright/runtime/monitor.hpp>

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* library);  // NOLINT(readability-identifier-naming)

namespace heapwright::preload {

namespace {

/// Stopped by end(); threads may still run then.
constinit NeverDestroyed<Monitor> monitor;

void before_fork() { served_heap::before_fork(); }
void after_fork_in_parent() { served_heap::after_fork_in_parent(); }
void after_fork_in_child() {
    served_heap::after_fork_in_child();
    if (monitor.get() != nullptr) {
        monitor.get()->after_fork_in_child();
    }
}

#if !defined(HEAPWRIGHT_PRELOAD_HARDENED)
void append_places_member(TextBuffer& text) noexcept {
    text.append(",\n\"places\":");
    placement::append_places_json(text);
    text.append(",\n\"sites\":");
    placement::append_sites_json(text);
}
void append_plan_metrics(TextBuffer& text) noexcept {
    placement::append_places_openmetrics(text);
    placement::append_sites_openmetrics(text);
}
#endif

/// As HEAPWRIGHT_CONFIG says. Its mistakes have been told when the heap read its settings.
HEAPWRIGHT_NOINLINE void begin_to_monitor() noexcept {
    MemoryConfig config;
    if (!config::read_memory_config_of_process(config) || !wants_monitor(config)) {
        return;
    }
    MonitorOptions options = monitor_options(config);
    options.statistics = served_heap::statistics;
    options.give_back = served_heap::trim;
#if !defined(HEAPWRIGHT_PRELOAD_HARDENED)
    if (placement::is_in_force()) {
        options.append_metrics = append_plan_metrics;
        options.append_members = append_places_member;
    }
#endif
    if (const auto started = monitor.make().start(options); !started) {
        Text<128> line;
        line.append("heapwright: there is no monitor: ").append(name_of(started.error().kind)).append("; the program runs without it");
        os::write_stderr_line(line.view());
    }
}

/// Where the statistics go: the stderr of the start, because some programs close theirs before the end.
struct Output {
    bool is_wanted = false;
    int descriptor = -1;
    struct stat file{};

    void keep() noexcept {
        constexpr int kFarFromTheProgramsOwn = 200;
        is_wanted = true;
        descriptor = static_cast<int>(os::raw_syscall(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC, kFarFromTheProgramsOwn));
        os::raw_syscall(SYS_fstat, descriptor, &file);
    }

    /// The descriptor if it is still what was kept; the program may have closed it and opened something else.
    [[nodiscard]] int current() const noexcept {
        struct stat now{};
        const bool is_same = !os::is_failure(os::raw_syscall(SYS_fstat, descriptor, &now)) && now.st_dev == file.st_dev &&
                             now.st_ino == file.st_ino && now.st_rdev == file.st_rdev;
        return is_same ? descriptor : STDERR_FILENO;
    }
};
constinit Output output;

constinit StatisticsFormat format = StatisticsFormat::text;

void append_statistics(TextBuffer& text) {
    const HeapStatistics statistics = served_heap::statistics();
    switch (format) {
        case StatisticsFormat::text: append_statistics_text(text, statistics); break;
        case StatisticsFormat::json: append_statistics_json(text, statistics); break;
        case StatisticsFormat::openmetrics: append_statistics_openmetrics(text, statistics); break;
    }
}

void print_statistics(void*) {
    char room[kStatisticsTextBytes];
    TextBuffer text(room, sizeof(room));
    append_statistics(text);
    os::File file(output.current());
    static_cast<void>(file.write_all(text.view()));  // nobody is left to tell
#if !defined(HEAPWRIGHT_PRELOAD_HARDENED)
    if (format == StatisticsFormat::text) {
        text.clear();
        for_each_place_line(text, [&] { static_cast<void>(file.write_all(text.view())); });
    }
#endif
    static_cast<void>(file.give_up());
}

#if defined(HEAPWRIGHT_PRELOAD_HARDENED)
/// Its blocks lie in no order that somebody could know, so a plan of where they lie is not followed.
HEAPWRIGHT_NOINLINE void follow_plan() noexcept {
    std::uint32_t sites = 0;
    auto count = [&sites](const PlannedSite&) { ++sites; };
    MemoryConfig config;
    if (config::read_memory_config_of_process(config, count) && sites != 0) {
        os::write_stderr_line("heapwright: the hardened heap follows no placement plan; the [[site]] entries have no effect");
    }
}
#else
void follow_plan() noexcept { begin_plan(); }
#endif

/// As the environment says. Apart, so that a process that says nothing touches little: its memory counts in small programs.
HEAPWRIGHT_NOINLINE void configure() noexcept {
    const HeapSettings settings = heap_settings_of_process();
    constexpr std::uint64_t kNsOfMs = 1'000'000;
    served_heap::set_clock(settings.purge_delay_ms * kNsOfMs, settings.background, settings.give_back);
    served_heap::set_limit(settings.limit_bytes);
#if defined(HEAPWRIGHT_PRELOAD_HARDENED)
    if (settings.is_meshing) {
        os::write_stderr_line("heapwright: the hardened heap shares no memory between spans; compaction has no effect");
    }
#else
    default_heap::set_mixing(settings.mixed_spans);
    if (settings.is_meshing) {
        static_cast<void>(default_heap::begin_meshing());  // which says what is missing
    }
#endif
    if (settings.statistics_at_exit) {
        output.keep();
        format = settings.statistics_format;
    }
    if (config::is_process_configured()) {  // else the stack that it needs stays untouched
        follow_plan();
        begin_to_monitor();
    }
}

/// Linked so that it runs before the constructor of any other library: before every fork handler, after each of them.
__attribute__((constructor(101))) void begin(int /*count*/, char** /*words*/, char** environment) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    config::set_early_environment(environment);
    if (config::may_be_configured()) {
        configure();
    }
}

/// What is registered now runs after the other libraries' destructors: exit() looks for new entries when it thinks that
/// it is done.
__attribute__((destructor(101))) void end() {
    if (monitor.get() != nullptr) {
        monitor.get()->stop();
    }
    if (output.is_wanted) {
        __cxa_atexit(print_statistics, nullptr, nullptr);
    }
}

}  // namespace

}  // namespace heapwright::preload
