// Which site keeps which OS pages from going back to the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/study/analysis/memory_maps.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::study {

/// What one site alone keeps resident.
struct Pinned {
    std::uint64_t bytes = 0;       ///< of touched OS pages whose live blocks are all the site's
    std::uint64_t free_bytes = 0;  ///< the part of them without any live byte
};

/// By site, for `sites` sites.
///
/// Requires: the snapshot is sorted, and its sites are below `sites`. `touched` is of the same snapshot.
/// Cost:     O(blocks + OS pages of the small ones).
[[nodiscard]] std::vector<Pinned> measure_pinning(const Snapshot& snapshot, const TouchedShares& touched, const UsableSizes& usable,
                                                  std::size_t sites);

}  // namespace heapwright::study
