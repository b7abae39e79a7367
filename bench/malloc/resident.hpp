// How much of this process is resident, read without allocating: what probes and the burst print.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace workload {

/// The number behind the first `label` of a small file of /proc/self, in the unit of the file. 0 where there is none.
inline std::size_t number_in(const char* path, const char* label) {
    static char text[65536];
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    std::size_t length = 0;
    for (ssize_t got = 0; (got = read(file, text + length, sizeof text - 1 - length)) > 0;) {
        length += static_cast<std::size_t>(got);
    }
    close(file);
    text[length] = '\0';
    const char* found = std::strstr(text, label);
    return found == nullptr ? 0 : std::strtoull(found + std::strlen(label), nullptr, 10);
}

/// From the page tables, not from the kernel's counters, which lag behind by some pages a core.
inline std::size_t resident_kib() { return number_in("/proc/self/smaps_rollup", "Rss:"); }

/// Given to the kernel by MADV_FREE and counted until it takes it.
inline std::size_t lazily_freed_kib() { return number_in("/proc/self/smaps_rollup", "LazyFree:"); }

/// Summed over the cores here; what wait4 tells of a dead process leaves up to 128 KiB a core out.
inline std::size_t peak_kib() { return number_in("/proc/self/status", "VmHWM:"); }

inline std::size_t addresses_kib() { return number_in("/proc/self/status", "VmSize:"); }

}  // namespace workload
