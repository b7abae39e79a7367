// A memory barrier that one thread imposes on all others, so that those who come often need none of their own.
#pragma once

namespace heapwright::os {

/// Asks the kernel for barrier_in_all_threads(). Once per process is enough; a child of fork inherits the answer.
///
/// Returns:  false when the kernel has none (before 4.14, or under a filter): then both sides need a fence of their own.
/// Thread safety: any thread.
[[nodiscard]] bool prepare_barriers() noexcept;

/// When it returns, every running thread of the process has passed a full memory barrier since the call.
///
/// Requires: prepare_barriers() returned true.
/// Returns:  false when the kernel refuses after all.
/// Cost:     a system call, and an interrupt of each core that runs a thread of this process: about 1 to 5 us.
[[nodiscard]] bool barrier_in_all_threads() noexcept;

}  // namespace heapwright::os
