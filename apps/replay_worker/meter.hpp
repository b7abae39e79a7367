// What the kernel knows of the worker: resident memory now and at its highest, faults, switches.
#pragma once

#include <cstdint>

#include <heapwright/os/file.hpp>

namespace heapwright::replay_worker {

/// Keeps /proc/self/statm open so that a reading costs one system call.
class Meter {
public:
    /// Opens, makes the code that will run resident, and resets the high-water mark.
    void start() noexcept;

    /// Anonymous resident bytes less the worker's fixed memory.
    [[nodiscard]] std::uint64_t resident_bytes() noexcept;

    /// The same at the highest point since start(), never less than `seen`.
    [[nodiscard]] std::uint64_t peak_bytes(std::uint64_t seen) noexcept;

private:
    void read(std::uint64_t& resident_bytes, std::uint64_t& shared_bytes) noexcept;
    os::File statm_;
};

/// Processor time and events of one thread, for differences.
struct ThreadUse {
    std::uint64_t cpu_ns = 0;
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
};
[[nodiscard]] ThreadUse thread_use() noexcept;

}  // namespace heapwright::replay_worker
