// What a replay worker measured, as it writes it to its parent.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::study::plan {

inline constexpr std::uint32_t kResultMagic = 0x53455248;  // "HRES"
inline constexpr std::size_t kMaxCurvePoints = 1024;

/// Resident memory of the worker at one place of the recording, its own fixed buffers taken off.
struct CurvePoint {
    std::uint64_t events;          ///< replayed so far
    std::uint64_t wall_ns;         ///< of replaying so far
    std::uint64_t resident_bytes;  ///< anonymous
};

/// Written once, after everything was measured; `points` CurvePoints follow.
///
/// Resident figures are anonymous memory less the worker's own buffers. They still hold the worker's floor (stack,
/// libc's data): the parent measures that once without any preload and takes it off.
struct WorkerResult {
    std::uint32_t magic;
    std::uint32_t points;
    std::uint64_t events;
    std::uint64_t wall_ns;          ///< replaying, reading the plan taken off
    std::uint64_t cpu_ns;           ///< of the replaying threads while they replayed
    std::uint64_t allocator_ns;     ///< inside the allocator, estimated from every 64th call
    std::uint64_t slowest_call_ns;  ///< among those
    std::uint64_t calls;            ///< of the allocator
    std::uint64_t start_bytes;      ///< resident before the first operation
    std::uint64_t peak_bytes;       ///< highest resident, from the kernel's high-water mark
    std::uint64_t end_bytes;        ///< after the last operation
    std::uint64_t retained_bytes;   ///< after a moment of idling; what the program never freed is still held
    std::uint64_t freed_bytes;      ///< after everything was freed, and a moment more
    std::uint64_t minor_faults;
    std::uint64_t major_faults;
    std::uint64_t voluntary_switches;
    std::uint64_t involuntary_switches;
    std::uint64_t refused;           ///< requests that came back empty
    std::uint64_t damaged;           ///< blocks whose mark was overwritten while they lived
    std::uint64_t arena_peak_bytes;  ///< what arenas and pools of an experiment held at most
    std::uint32_t trim_works;        ///< the allocator has a way to give memory back
    std::uint32_t reserved;
    char allocator_file[256];  ///< the file whose malloc was called
};

}  // namespace heapwright::study::plan
