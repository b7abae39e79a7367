// heapwright's own heap in another process, by the tables that its descriptor leads to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <heapwright/base/heap_descriptor.hpp>
#include <heapwright/study/doctor/mappings.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor {

/// What a heap of heapwright's holds, in resident bytes.
///
///   HH1  live + cached + trimmable + kept + pinned + metadata are the resident bytes of its regions
struct SpanFigures {
    std::uint64_t live_bytes = 0;
    std::uint64_t cached_bytes = 0;     ///< free blocks at hand for their thread's next malloc
    std::uint64_t trimmable_bytes = 0;  ///< free slices and whole free units in spans: the clock, or malloc_trim, gives them back
    std::uint64_t kept_bytes = 0;       ///< whole free OS pages in spans that malloc takes from
    std::uint64_t pinned_bytes = 0;     ///< free bytes on OS pages that also hold live blocks
    std::uint64_t metadata_bytes = 0;
    std::uint64_t live_blocks = 0;
    std::uint64_t spans = 0;
    std::uint64_t resident_bytes = 0;
    std::uint64_t damaged = 0;  ///< records that made no sense, as when the process changes while it is read

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const;
};

/// Addresses that a region takes.
struct RegionPlace {
    std::uint64_t base = 0;
    std::uint64_t bytes = 0;
    std::uint32_t first_slice = 0;
    std::uint32_t used_slices = 0;
};

struct HeapwrightHeap {
    HeapDescriptor descriptor{};
    std::vector<RegionPlace> regions;

    [[nodiscard]] bool owns(std::uint64_t address) const;
};

/// The heap of the first file that has a descriptor.
///
/// Fails: not_found when there is none; unsupported_version with the version when it is of another heapwright.
[[nodiscard]] Result<HeapwrightHeap> find_heapwright(MemorySource& memory, std::span<const ProcessMapping> mappings);

/// Counts what the regions hold. Cost: linear in the slices, and reads the spans that have free blocks.
[[nodiscard]] SpanFigures examine_heapwright(MemorySource& memory, std::span<const ProcessMapping> mappings, const HeapwrightHeap& heap);

}  // namespace heapwright::study::doctor
