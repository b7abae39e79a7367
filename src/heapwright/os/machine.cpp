// What the kernel says of the machine. Apart from the files of /proc: every heap asks, and touches nothing else for it.
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include <heapwright/os/process.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::os {

std::uint64_t machine_memory_bytes() noexcept {
    struct sysinfo facts{};
    return is_failure(raw_syscall(SYS_sysinfo, &facts)) ? 0 : std::uint64_t{facts.totalram} * facts.mem_unit;
}

}  // namespace heapwright::os
