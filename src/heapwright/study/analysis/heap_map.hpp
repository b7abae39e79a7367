// Pictures of the heap's address space: how full each cell is.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/page_table.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::study {

/// Cells of all runs of one map together; cells grow until they fit.
inline constexpr std::uint64_t kMapCells = 256 * 1024;
inline constexpr std::uint64_t kKeyMomentCells = 64 * 1024;

/// Draws the page table's present state.
[[nodiscard]] HeapMap draw_map(const PageTable& pages, std::uint64_t most_cells);

/// Draws a snapshot, over the same address space that `pages` ever used.
///
/// Requires: the snapshot is sorted.
[[nodiscard]] HeapMap draw_map(const Snapshot& snapshot, const UsableSizes& usable, const PageTable& pages, std::uint64_t most_cells);

}  // namespace heapwright::study
