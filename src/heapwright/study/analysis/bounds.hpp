// With how much memory the live blocks of one moment could do: if they stay, if their pages are shared, if they move.
//
//   moved <= mesh bound <= meshed <= page floor
#pragma once

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::study {

/// Computes everything but the moment.
///
/// Meshing (R. Powers et al., "Mesh: Compacting Memory Management for C/C++ Applications", PLDI 2019) lets OS pages share memory whose
/// live blocks lie at different places in them. The fewest pages that may be left are a colouring of the pages that collide; what is
/// said is a bound from below, the most pages that have a block at one place, and what first fit finds, the fullest page first.
///
/// Requires: the snapshot is sorted.
/// Cost:     O(blocks), and for each OS page that is not full up to some thousand comparisons of 32 bytes: some seconds for a GiB of sparse pages.
[[nodiscard]] MemoryBounds measure_bounds(const Snapshot& snapshot, const UsableSizes& usable);

}  // namespace heapwright::study
