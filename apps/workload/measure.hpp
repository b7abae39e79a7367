// Clocks, and what the kernel says of this process.
#pragma once

#include <cstdint>
#include <cstdio>
#include <ctime>

#include <unistd.h>

namespace heapwright::workload {

[[nodiscard]] inline std::uint64_t clock_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}
[[nodiscard]] inline std::uint64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }
[[nodiscard]] inline double thread_cpu_s() { return static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID)) * 1e-9; }

/// Proportional set size: what a mesh of pages shares counts once. 0 where the kernel does not tell.
[[nodiscard]] inline double resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "r");
    if (file == nullptr) {
        return 0;
    }
    char line[256];
    unsigned long kib = 0;
    while (std::fgets(line, sizeof line, file) != nullptr && std::sscanf(line, "Pss: %lu kB", &kib) != 1) {}
    std::fclose(file);
    return static_cast<double>(kib) * 1024;
}

}  // namespace heapwright::workload
