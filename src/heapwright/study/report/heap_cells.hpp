// Heap maps with fewer, larger cells: what a page can hold and a screen can show.
#pragma once

#include <cstddef>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// The map with at most about `limit` cells: cells are merged in pairs, each pair standing for the mean of the two.
/// A cell with anything live in it never becomes empty. A map that fits comes back unchanged.
///
/// Returns: at least one cell a run, so more than `limit` cells when there are more runs than that.
[[nodiscard]] HeapMap with_cells_at_most(const HeapMap& map, std::size_t limit);

}  // namespace heapwright::study
