// Which mappings are stacks of threads.
#pragma once

#include <span>
#include <vector>

#include <heapwright/study/doctor/mappings.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor {

/// For each mapping whether it is a stack: the first thread's, which the kernel names; one that libc names; or one behind
/// a guard, with a thread's control block near its end, as glibc and musl lay them out. Stacks that glibc keeps for later
/// threads are among them.
[[nodiscard]] std::vector<bool> find_stacks(MemorySource& memory, std::span<const ProcessMapping> mappings);

}  // namespace heapwright::study::doctor
