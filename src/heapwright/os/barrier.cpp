// membarrier, by raw system calls.
#include <heapwright/os/barrier.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>

#include <heapwright/os/syscall.hpp>

namespace heapwright::os {

bool prepare_barriers() noexcept { return !is_failure(raw_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0)); }

bool barrier_in_all_threads() noexcept { return !is_failure(raw_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)); }

}  // namespace heapwright::os
