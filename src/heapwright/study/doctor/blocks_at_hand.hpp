// Free blocks of heapwright's heap in another process that threads keep for their next malloc.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/study/doctor/heapwright_heap.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor {

/// Their addresses, ascending. They are in no list of the spans that they lie in. What a thread keeps that owns no span is not found.
///
/// Cost: reads the slices' records, and each of the blocks.
[[nodiscard]] std::vector<std::uint64_t> blocks_at_hand(MemorySource& memory, const HeapwrightHeap& heap);

}  // namespace heapwright::study::doctor
