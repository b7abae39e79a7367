// Internal and external fragmentation of the heap at one moment, down to the OS page.
#pragma once

#include <cstdint>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/live_totals.hpp>
#include <heapwright/study/analysis/memory_maps.hpp>
#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::study {

/// Without a memory map two blocks this far apart are taken to lie in different mappings.
inline constexpr std::uint64_t kFarApartBytes = 1 << 20;

/// Computes everything but time_ns.
///
/// Requires: the snapshot is sorted. `touched` is of the same snapshot; without a map nothing is known to be retained or
///           elsewhere.
///           `resident_bytes` is the RSS that was sampled around it, 0 if there is none.
/// Returns:  ratios in [0, 1]; all zeros for an empty snapshot. External figures count the recorded blocks only, also
///           when the recorder sampled; the live amounts are scaled back.
/// Cost:     O(blocks + OS pages of the small ones).
[[nodiscard]] Fragmentation measure_fragmentation(const Snapshot& snapshot, const LiveTotals& totals, const TouchedShares& touched,
                                                  const UsableSizes& usable, const Scale& scale, std::uint64_t resident_bytes);

/// The bucket of Fragmentation::occupancy for an OS page with that many live bytes.
[[nodiscard]] constexpr std::size_t occupancy_bucket(std::uint64_t live_bytes) {
    return static_cast<std::size_t>(live_bytes * 10 / kOsPageBytes);
}
static_assert(occupancy_bucket(1) == 0 && occupancy_bucket(4095) == 9 && occupancy_bucket(4096) == 10);

}  // namespace heapwright::study
