// How many live bytes and blocks stand on each OS page of the heap, at any moment of the timeline.
//
//   address  | root (13 bits) | leaf (13 bits) | OS page in a 2 MiB region (9 bits) | byte (12 bits) |
//
// Blocks of 128 KiB and more fill OS pages of their own except at their two ends: their inner pages are only counted,
// so every block costs O(1), whatever its size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <heapwright/base/platform.hpp>
#include <heapwright/study/timeline/address_map.hpp>
#include <heapwright/study/timeline/fetch.hpp>

namespace heapwright::study {

inline constexpr std::uint64_t kOsPageBytes = 4096;
/// From this size on a block's inner pages are implicit.
inline constexpr std::uint64_t kLargeBlockBytes = 128 * 1024;

/// One large live block.
struct LargeBlock {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;

    /// Number of the first and one past the last OS page that the block fills alone.
    [[nodiscard]] std::uint64_t first_inner_page() const { return address / kOsPageBytes + 1; }
    [[nodiscard]] std::uint64_t end_inner_page() const { return (address + bytes - 1) / kOsPageBytes; }
};

///   P1  bytes on an OS page are at most 4096, and 0 exactly when no block stands on it
///   P2  occupied_pages() counts the OS pages with a block, implicit ones included; live_bytes() sums their bytes
///
/// Thread safety: one caller.
class PageTable {
public:
    /// A stretch of OS pages: [first, end).
    struct Stretch {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
    };

    PageTable();

    /// Counts a block.
    ///
    /// Returns:  false when it would overlap blocks that stand there, or lies outside of a program's addresses; nothing
    ///           is counted then.
    /// Requires: bytes > 0.
    [[nodiscard]] bool add(std::uint64_t address, std::uint64_t bytes);
    /// Requires: the block was counted by add() with the same numbers, and not taken back since.
    void remove(std::uint64_t address, std::uint64_t bytes);

    void prefetch(std::uint64_t address) const {
        if (const Region* region = find(address)) {
            fetch_line(&region->cells[page_in_region(address)]);
        }
    }

    [[nodiscard]] std::uint64_t occupied_pages() const { return occupied_pages_; }
    [[nodiscard]] std::uint64_t live_bytes() const { return live_bytes_; }

    /// Calls visit(page number, live bytes) for each OS page with explicit blocks, ascending.
    template <class Visit>
    void for_each_page(Visit visit) const;
    /// The large blocks that are live now, ascending.
    [[nodiscard]] std::vector<LargeBlock> large_blocks() const;
    /// All pages that ever held a block; of large blocks only those that are live now. Ascending, not touching each other.
    [[nodiscard]] std::vector<Stretch> used_stretches() const;

    /// The first invariant that does not hold, or nullptr. Cost: O(regions).
    [[nodiscard]] const char* broken_invariant() const;

private:
    struct Cell {
        std::uint16_t bytes = 0;
        std::uint16_t blocks = 0;
    };
    static constexpr std::size_t kPagesInRegion = 512;
    struct Region {
        std::array<Cell, kPagesInRegion> cells{};
        std::array<std::uint64_t, kPagesInRegion / 64> used{};  // pages that ever held a block
        std::uint64_t number = 0;
    };
    static constexpr unsigned kRegionShift = 21;
    static constexpr unsigned kLeafBits = 13;
    static constexpr std::uint64_t kAddressEnd = std::uint64_t{1} << 47;
    using Leaf = std::array<Region*, std::size_t{1} << kLeafBits>;

    [[nodiscard]] static std::size_t page_in_region(std::uint64_t address) {
        return static_cast<std::size_t>(address / kOsPageBytes % kPagesInRegion);
    }
    [[nodiscard]] Region* find(std::uint64_t address) const {
        const std::uint64_t number = address >> kRegionShift;
        if (HEAPWRIGHT_UNLIKELY(address >= kAddressEnd)) {
            return nullptr;
        }
        const Leaf* leaf = root_[number >> kLeafBits].get();
        return leaf == nullptr ? nullptr : (*leaf)[number % leaf->size()];
    }
    [[nodiscard]] Region& region_of(std::uint64_t address) {
        Region* region = find(address);
        return HEAPWRIGHT_LIKELY(region != nullptr) ? *region : make_region_slow(address);
    }
    Region& make_region_slow(std::uint64_t address);
    [[nodiscard]] Cell& cell_of(std::uint64_t address) { return region_of(address).cells[page_in_region(address)]; }
    bool add_many_slow(std::uint64_t address, std::uint64_t bytes);
    void remove_many_slow(std::uint64_t address, std::uint64_t bytes);
    template <class Act>
    static void for_each_part(std::uint64_t address, std::uint64_t bytes, Act act);
    void count(std::uint64_t address, std::uint64_t bytes);
    void uncount(std::uint64_t address, std::uint64_t bytes);
    [[nodiscard]] std::vector<const Region*> regions_in_order() const;

    std::vector<std::unique_ptr<Leaf>> root_;
    std::vector<std::unique_ptr<Region>> regions_;
    AddressMap<LargeBlock> large_;
    std::uint64_t occupied_pages_ = 0;
    std::uint64_t live_bytes_ = 0;
};

template <class Visit>
void PageTable::for_each_page(Visit visit) const {
    for (const Region* region : regions_in_order()) {
        for (std::size_t page = 0; page < kPagesInRegion; ++page) {
            if (region->cells[page].blocks != 0) {
                visit(region->number * kPagesInRegion + page, std::uint64_t{region->cells[page].bytes});
            }
        }
    }
}

inline void PageTable::count(std::uint64_t address, std::uint64_t bytes) {
    Region& region = region_of(address);
    const std::size_t page = page_in_region(address);
    Cell& cell = region.cells[page];
    cell.bytes = static_cast<std::uint16_t>(cell.bytes + bytes);
    if (cell.blocks++ == 0) {
        ++occupied_pages_;
        region.used[page / 64] |= std::uint64_t{1} << (page % 64);
    }
    live_bytes_ += bytes;
}

inline void PageTable::uncount(std::uint64_t address, std::uint64_t bytes) {
    Cell& cell = cell_of(address);
    cell.bytes = static_cast<std::uint16_t>(cell.bytes - bytes);
    if (--cell.blocks == 0) {
        --occupied_pages_;
    }
    live_bytes_ -= bytes;
}

inline bool PageTable::add(std::uint64_t address, std::uint64_t bytes) {
    const std::uint64_t at = address % kOsPageBytes;
    if (HEAPWRIGHT_UNLIKELY(bytes > kOsPageBytes - at || address >= kAddressEnd)) {
        return add_many_slow(address, bytes);
    }
    if (HEAPWRIGHT_UNLIKELY(cell_of(address).bytes + bytes > kOsPageBytes)) {
        return false;
    }
    count(address, bytes);
    return true;
}

inline void PageTable::remove(std::uint64_t address, std::uint64_t bytes) {
    if (HEAPWRIGHT_UNLIKELY(bytes > kOsPageBytes - address % kOsPageBytes)) {
        remove_many_slow(address, bytes);
        return;
    }
    uncount(address, bytes);
}

}  // namespace heapwright::study
