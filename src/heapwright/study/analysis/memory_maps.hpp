// What the recorded memory maps say about the heap: what is resident, where it belongs, and what of it nobody uses.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <heapwright/study/analysis/page_table.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>
#include <heapwright/trace/read/metadata.hpp>

namespace heapwright::study {

/// Index of the line that contains `address`; lines.size() if there is none.
///
/// Requires: lines are ascending and do not overlap.
[[nodiscard]] std::size_t line_index(std::span<const trace::MapLine> lines, std::uint64_t address);
/// The line itself, or nullptr.
[[nodiscard]] const trace::MapLine* line_of(std::span<const trace::MapLine> lines, std::uint64_t address);

/// A memory map with what the page table knew at its moment. Lines are sorted by address; the recorder's own are left out.
struct MemoryMap {
    trace::Tick tick = 0;
    std::vector<trace::MapLine> lines;
    std::uint64_t resident_bytes = 0;  ///< of all lines
    std::uint64_t retained_bytes = 0;  ///< resident on OS pages that held blocks, but hold no live byte now
    std::uint64_t non_heap_bytes = 0;  ///< resident on OS pages that never held a block
};

/// Keeps the maps that may matter: the ones next to the peak, before and behind, and the last one.
///
/// Thread safety: one caller.
class MapHistory {
public:
    /// `unmaps_large`: the allocator gives a large block a mapping of its own, as glibc does, so that what is resident where
    /// one was is somebody else's.
    explicit MapHistory(bool unmaps_large = false) : unmaps_large_(unmaps_large) {}

    void add(trace::Tick tick, std::span<const trace::MapLine> lines, const PageTable& pages);
    /// A new peak was reached: the latest map is the one before it.
    void mark_peak() { is_behind_peak_ = false; }

    /// The map nearest to the peak, which was at `tick`; nullptr when there is none at all.
    [[nodiscard]] std::shared_ptr<const MemoryMap> nearest_to_peak(trace::Tick tick) const;
    [[nodiscard]] std::shared_ptr<const MemoryMap> last() const { return last_; }

private:
    bool unmaps_large_;
    std::shared_ptr<const MemoryMap> last_;
    std::shared_ptr<const MemoryMap> before_peak_;
    std::shared_ptr<const MemoryMap> behind_peak_;
    bool is_behind_peak_ = false;
};

/// Which part of the inner pages of large blocks the program has touched, by the map: small blocks' pages are taken for
/// touched, so what a line has resident beyond them lies in its large blocks.
class TouchedShares {
public:
    /// `map` may be nullptr: everything counts as touched then.
    TouchedShares(const MemoryMap* map, const Snapshot& snapshot, const UsableSizes& usable);

    /// The map that it is made of; may be nullptr.
    [[nodiscard]] const MemoryMap* map() const { return map_; }
    /// In [0, 1], for the large block whose inner pages begin at OS page `page`.
    [[nodiscard]] double of_page(std::uint64_t page) const;

private:
    const MemoryMap* map_;
    std::vector<double> by_line_;
};

}  // namespace heapwright::study
