// Where each node's row begins and ends, in 2.25 bytes a node instead of the usual 4 or 8.
//
//   group of 32 rows:  │ base: 48 bits │ 0: 16 bits │ end of row 0 │ end of row 1 │ ... │ end of row 31 │   72 bytes
//                                       └── row 0 ──────────────────┘
//
// Ends are relative to the group's base, so 16 bits suffice while a group has less than 65536 edges. The word before the
// first end is always 0, so that one read of two neighbouring words gives begin and end of any row, the first included.
// A group with more edges keeps 64-bit ends in a table of wide groups, and its base says which.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <heapwright/base/platform.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph::detail {

inline constexpr std::size_t kGroupRows = 32;
inline constexpr std::uint64_t kWideGroup = std::uint64_t{1} << 47;
inline constexpr std::uint64_t kEdgesMax = kWideGroup - 1;

struct RowGroup {
    std::uint64_t base;  // edges before this group; or kWideGroup and an index. Its upper 16 bits stay 0
    std::uint16_t ends[kGroupRows];
};
static_assert(sizeof(RowGroup) == 72, "2.25 bytes a row");

/// The ends of a group with 65536 edges or more, counted from the first edge of all. begins[0] is its base.
struct WideGroup {
    std::uint64_t bounds[kGroupRows + 1];
};

struct RowBounds {
    std::uint64_t begin;
    std::uint64_t end;
};

/// A view of the groups in somebody's block. Constant once made; `take` is for the making.
class RowIndex {
public:
    constexpr RowIndex() noexcept = default;
    RowIndex(RowGroup* groups, WideGroup* wide) noexcept : groups_(groups), wide_(wide) {}

    struct Size {
        std::size_t groups;
        std::size_t wide;
        [[nodiscard]] std::size_t bytes() const noexcept { return groups * sizeof(RowGroup) + wide * sizeof(WideGroup); }
    };
    /// What an index for rows of these lengths needs.
    [[nodiscard]] static Size size_for(std::span<const std::uint32_t> degrees) noexcept {
        Size size{.groups = (degrees.size() + kGroupRows - 1) / kGroupRows, .wide = 0};
        for (std::size_t first = 0; first < degrees.size(); first += kGroupRows) {
            size.wide += edges_of_group(degrees, first) > UINT16_MAX ? 1U : 0U;
        }
        return size;
    }

    /// Sets each row's end to its begin: take(node) then gives its places one by one.
    void start(std::span<const std::uint32_t> degrees) noexcept {
        std::uint64_t before = 0;
        std::size_t wide = 0;
        for (std::size_t first = 0; first < degrees.size(); first += kGroupRows) {
            RowGroup& group = groups_[first / kGroupRows];
            if (edges_of_group(degrees, first) > UINT16_MAX) {
                group.base = kWideGroup | wide;
                before = start_wide(group, wide_[wide++], before, degrees, first);
            } else {
                group.base = before;
                before = start_narrow(group, before, degrees, first);
            }
        }
    }

    /// The next free place of the node's row.
    ///
    /// Requires: fewer were taken than its degree at start().
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint64_t take(NodeId node) noexcept {
        RowGroup& group = groups_[node / kGroupRows];
        const std::size_t row = node % kGroupRows;
        if (HEAPWRIGHT_UNLIKELY((group.base & kWideGroup) != 0)) {
            return wide_[group.base & ~kWideGroup].bounds[row + 1]++;
        }
        return group.base + group.ends[row]++;
    }

    /// Requires: every place was taken.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE RowBounds row(NodeId node) const noexcept {
        const RowGroup& group = groups_[node / kGroupRows];
        const std::size_t row = node % kGroupRows;
        if (HEAPWRIGHT_UNLIKELY((group.base & kWideGroup) != 0)) {
            const std::uint64_t* const bounds = wide_[group.base & ~kWideGroup].bounds;
            return {.begin = bounds[row], .end = bounds[row + 1]};
        }
        std::uint32_t both = 0;  // the word before the first end is the base's upper 16 bits: this machine is little-endian
        std::memcpy(&both,
                    reinterpret_cast<const std::byte*>(&group) + sizeof(group.base) - sizeof(std::uint16_t) + row * sizeof(std::uint16_t),
                    sizeof(both));
        return {.begin = group.base + (both & UINT16_MAX), .end = group.base + (both >> 16)};
    }

    HEAPWRIGHT_ALWAYS_INLINE void prefetch(NodeId node) const noexcept { __builtin_prefetch(&groups_[node / kGroupRows]); }

private:
    [[nodiscard]] static std::uint64_t edges_of_group(std::span<const std::uint32_t> degrees, std::size_t first) noexcept {
        std::uint64_t edges = 0;
        for (std::size_t row = first; row < degrees.size() && row < first + kGroupRows; ++row) {
            edges += degrees[row];
        }
        return edges;
    }
    [[nodiscard]] static std::uint64_t degree_of(std::span<const std::uint32_t> degrees, std::size_t row) noexcept {
        return row < degrees.size() ? degrees[row] : 0;
    }
    /// Returns:  how many edges lie before the next group, as start_wide() does.
    [[nodiscard]] static std::uint64_t start_narrow(RowGroup& group, std::uint64_t before, std::span<const std::uint32_t> degrees,
                                                    std::size_t first) noexcept {
        std::uint64_t begin = before;
        for (std::size_t row = 0; row < kGroupRows; ++row) {
            group.ends[row] = static_cast<std::uint16_t>(begin - before);
            begin += degree_of(degrees, first + row);
        }
        return begin;
    }
    [[nodiscard]] static std::uint64_t start_wide(RowGroup& group, WideGroup& wide, std::uint64_t before,
                                                  std::span<const std::uint32_t> degrees, std::size_t first) noexcept {
        std::uint64_t begin = before;
        wide.bounds[0] = before;
        for (std::size_t row = 0; row < kGroupRows; ++row) {
            group.ends[row] = 0;
            wide.bounds[row + 1] = begin;
            begin += degree_of(degrees, first + row);
        }
        return begin;
    }

    RowGroup* groups_ = nullptr;
    WideGroup* wide_ = nullptr;
};

}  // namespace heapwright::graph::detail
