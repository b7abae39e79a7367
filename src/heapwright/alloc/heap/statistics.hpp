// What a heap holds and what it costs, in the words people alert on.
#pragma once

#include <cstdint>

namespace heapwright {

/// One look at a heap. Bytes, unless a name says otherwise.
///
/// While other threads allocate, the sums may lag behind them by what they did during the look.
struct HeapStatistics {
    std::uint64_t allocated_bytes = 0;  ///< in blocks that the program holds, rounded to their size class
    std::uint64_t active_bytes = 0;     ///< in spans with at least one such block
    std::uint64_t absent_bytes = 0;     ///< of active_bytes: free pages without memory, between blocks
    std::uint64_t dirty_bytes = 0;      ///< free, and still in memory: what trim() would give back
    std::uint64_t retained_bytes = 0;   ///< free addresses without memory, kept for later
    std::uint64_t metadata_bytes = 0;   ///< of the heap itself
    std::uint64_t committed_bytes = 0;  ///< readable and writable: active + dirty + retained
    std::uint64_t reserved_bytes = 0;   ///< addresses set aside
    std::uint64_t large_blocks = 0;     ///< blocks that have a span of their own
    std::uint64_t large_bytes = 0;      ///< of allocated_bytes, in such blocks
    std::uint64_t small_blocks = 0;
    std::uint64_t spans = 0;
    std::uint64_t threads = 0;            ///< that have a cache of this heap
    std::uint64_t peak_active_bytes = 0;  ///< the highest active_bytes that any look found
    std::uint64_t given_back_bytes = 0;   ///< to the operating system, so far
    std::uint64_t meshed_spans = 0;       ///< that share memory with others; nothing without compaction = "mesh"
    std::uint64_t shared_bytes = 0;       ///< of active_bytes: memory that they did without when they were meshed
    std::uint64_t unmet_bytes = 0;        ///< that could be shared as well if vm.max_map_count allowed more mappings
    std::uint64_t wanted_map_count = 0;   ///< the vm.max_map_count that would do for that; 0: what there is does
};

}  // namespace heapwright
