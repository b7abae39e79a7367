// What the kernel says about this process and this machine: resident memory, faults, limits, provenance.
#pragma once

#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright::os {

/// /proc/self/statm.
struct ResidentMemory {
    std::uint64_t virtual_bytes = 0;
    std::uint64_t resident_bytes = 0;
    std::uint64_t shared_bytes = 0;  // of the resident ones, backed by a file or shared memory
};

/// Cost: three system calls. The kernel batches its counters per thread, so the figure may lag by some dozen pages.
[[nodiscard]] Result<ResidentMemory> resident_memory() noexcept;

/// getrusage of the whole process.
struct ResourceUse {
    std::uint64_t peak_resident_bytes = 0;
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t user_ns = 0;
    std::uint64_t system_ns = 0;
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
};
[[nodiscard]] ResourceUse resource_use() noexcept;

/// Appends the running kernel's release, as `uname -r` prints it.
void append_kernel_release(TextBuffer& text) noexcept;

/// Appends the processor's name from /proc/cpuinfo; "unknown" where it has none.
void append_cpu_model(TextBuffer& text) noexcept;

/// Appends the path of the running program.
[[nodiscard]] Result<void> append_program_path(TextBuffer& text) noexcept;

/// Appends the command line's words, separated by `separator`.
[[nodiscard]] Result<void> append_command_line(TextBuffer& text, char separator = ' ') noexcept;

/// The mode of transparent huge pages, the word in brackets of the kernel's file.
enum class HugePageMode : std::uint8_t { unknown, never, madvise, always };
[[nodiscard]] HugePageMode huge_page_mode() noexcept;
[[nodiscard]] const char* name_of(HugePageMode mode) noexcept;

/// Processors this process may run on.
[[nodiscard]] std::uint32_t usable_cores() noexcept;

/// The limits of the control group that this process is in, the tightest of the group and its parents.
struct GroupLimits {
    static constexpr std::uint64_t kNone = UINT64_MAX;
    std::uint64_t memory_bytes = kNone;
    std::uint64_t cpu_millicores = kNone;  // 1500: one and a half processors
};

/// Control groups of version 2 and 1. Without any, both are kNone.
[[nodiscard]] GroupLimits group_limits() noexcept;

/// Total memory of the machine; 0 when unknown.
[[nodiscard]] std::uint64_t machine_memory_bytes() noexcept;

/// Whether this process runs with rights other than its user's (AT_SECURE): then the environment is not to be trusted.
[[nodiscard]] bool runs_with_raised_rights() noexcept;

}  // namespace heapwright::os
