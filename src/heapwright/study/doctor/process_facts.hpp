// Who a process is, as /proc tells without touching it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>

namespace heapwright::study::doctor {

/// Why a process cannot be examined; in Error::detail.
enum class Refusal : std::uint32_t {
    none,
    no_such_process,
    ended,          ///< while it was read
    not_permitted,  ///< Error::number: the user that it belongs to
    kernel_thread,
    zombie,
};

struct ProcessFacts {
    int pid = 0;
    std::string name;        ///< as the kernel has it: at most 15 characters
    std::string executable;  ///< its path; empty when that may not be read
    std::string preloaded;   ///< LD_PRELOAD as it was when the program began; empty when that may not be read
    std::uint64_t start_time = 0;
    std::uint64_t status_rss_bytes = 0;  ///< VmRSS: the kernel's own count, late by up to some pages a core or thread
    std::uint32_t user = 0;
    std::uint32_t threads = 0;
    bool is_64_bit = true;
    bool is_static = false;  ///< the executable asks for no dynamic loader
};

/// Reads who the process is.
///
/// Fails: with a Refusal in `detail` when there is no such process, or one without memory of its own.
[[nodiscard]] Result<ProcessFacts> read_process_facts(int pid);

/// Whether it is still the process that was read, and has memory.
[[nodiscard]] bool is_still_there(const ProcessFacts& process);

/// A process that another one started, itself or through others.
struct Descendant {
    int pid = 0;
    std::string name;
    std::uint64_t rss_bytes = 0;  ///< by the kernel's own count, pages that it shares with its parent included
};

/// Those that run now, the largest first. Cost: a look at every process of the machine.
[[nodiscard]] std::vector<Descendant> descendants_of(int pid);

/// A failure that is a Refusal.
[[nodiscard]] std::unexpected<Error> refuse(Refusal refusal, std::uint64_t number = 0, int system_errno = 0);

/// The file's text, or what opening or reading failed with: not_found (also of a process that ended), permission_denied, io_failed.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

}  // namespace heapwright::study::doctor
