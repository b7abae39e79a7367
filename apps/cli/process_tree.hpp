// What a program and everything that it started hold and have used, read from /proc while they run.
#pragma once

#include <cstdint>
#include <vector>

#include <sys/types.h>

namespace heapwright::cli {

/// Every process below `root`, without it. Cost: reads the status of each process of the machine.
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t root);

/// Has orphans of our programs become our children, so that end_orphans() finds them.
void adopt_orphans();

/// Ends every process below this one: asks first, kills a second later. Requires: adopt_orphans() was called, and nobody waits
/// for a child of this process.
///
/// Returns: how many there were.
unsigned end_orphans();

/// Resident bytes, pages that several processes share divided among them; so the bytes of a tree add up.
///
/// Returns:  0 for a process that has ended or may not be looked at.
[[nodiscard]] std::uint64_t proportional_bytes(pid_t process);

/// Processor time so far, without that of children. Returns: 0 for a process that has ended.
[[nodiscard]] std::uint64_t cpu_ns_of(pid_t process);

}  // namespace heapwright::cli
