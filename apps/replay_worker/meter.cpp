#include "meter.hpp"

#include <span>
#include <string_view>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "fixed_memory.hpp"

#include <heapwright/os/clock.hpp>
#include <heapwright/os/maps.hpp>
#include <heapwright/os/syscall.hpp>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace heapwright::replay_worker {

namespace {

constexpr std::uint64_t kPage = 4096;

std::uint64_t next_number(std::string_view text, std::size_t& at) noexcept {
    while (at < text.size() && (text[at] < '0' || text[at] > '9')) {
        ++at;
    }
    std::uint64_t number = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
        number = number * 10 + static_cast<std::uint64_t>(text[at] - '0');
        ++at;
    }
    return number;
}

// The pages of code and constant data count as shared. They have to be in before the start, or the high-water mark,
// which knows only the sum, would move while they come in. Kernels before 5.14 refuse, and the error is then theirs.
void make_files_resident() noexcept {
    static char buffer[os::kMapsBufferBytes];
    static_cast<void>(os::for_each_mapping(buffer, os::MapsDetail::addresses, [](const os::Mapping& mapping) noexcept {
        if (mapping.inode != 0 && mapping.readable && !mapping.writable) {
            static_cast<void>(os::raw_syscall(SYS_madvise, mapping.start, mapping.end - mapping.start, MADV_POPULATE_READ));
        }
        return true;
    }));
}

}  // namespace

void Meter::start() noexcept {
    make_files_resident();
    auto file = os::File::open_read("/proc/self/statm");
    if (!file) {
        give_up("cannot replay: /proc/self/statm cannot be read");
    }
    statm_ = std::move(*file);
    const long clear = os::raw_syscall(SYS_openat, -100, "/proc/self/clear_refs", 01);
    if (!os::is_failure(clear)) {
        static_cast<void>(os::raw_syscall(SYS_write, clear, "5", 1));
        static_cast<void>(os::raw_syscall(SYS_close, clear));
    }
}

void Meter::read(std::uint64_t& resident_bytes, std::uint64_t& shared_bytes) noexcept {
    char text[128];
    const auto got = statm_.read_some_at(std::as_writable_bytes(std::span(text)), 0);
    if (!got) {
        give_up("cannot replay: /proc/self/statm cannot be read");
    }
    const std::string_view view(text, *got);
    std::size_t at = 0;
    static_cast<void>(next_number(view, at));
    resident_bytes = next_number(view, at) * kPage;
    shared_bytes = next_number(view, at) * kPage;
}

std::uint64_t Meter::resident_bytes() noexcept {
    std::uint64_t resident = 0;
    std::uint64_t shared = 0;
    read(resident, shared);
    const std::uint64_t taken_off = shared + fixed_total();
    return resident > taken_off ? resident - taken_off : 0;
}

std::uint64_t Meter::peak_bytes(std::uint64_t seen) noexcept {
    static char text[8192];
    const auto got = os::read_file("/proc/self/status", text);
    if (!got) {
        return seen;
    }
    const std::string_view view(text, *got);
    std::size_t at = view.find("VmHWM:");
    if (at == std::string_view::npos) {
        return seen;
    }
    const std::uint64_t highest = next_number(view, at) * 1024;
    std::uint64_t resident = 0;
    std::uint64_t shared = 0;
    read(resident, shared);
    const std::uint64_t taken_off = shared + fixed_total();
    const std::uint64_t peak = highest > taken_off ? highest - taken_off : 0;
    return peak > seen ? peak : seen;
}

ThreadUse thread_use() noexcept {
    rusage usage{};
    static_cast<void>(os::raw_syscall(SYS_getrusage, RUSAGE_THREAD, &usage));
    return {.cpu_ns = os::thread_cpu_ns(),
            .minor_faults = static_cast<std::uint64_t>(usage.ru_minflt),
            .major_faults = static_cast<std::uint64_t>(usage.ru_majflt),
            .voluntary_switches = static_cast<std::uint64_t>(usage.ru_nvcsw),
            .involuntary_switches = static_cast<std::uint64_t>(usage.ru_nivcsw)};
}

}  // namespace heapwright::replay_worker
