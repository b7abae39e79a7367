// Which sizes a program asks for, counted where it runs: from which a MultiPool gets its classes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/alloc/pool/class_choice.hpp>
#include <heapwright/base/bits.hpp>

namespace heapwright {

/// A sink of Tracked that counts requests by size: in steps of 16 bytes up to 2 KiB, by powers of two above.
///
/// Cost:     about eight instructions a request, nothing a release; 1.5 KiB.
/// Thread safety: one thread at a time.
/// Example:  `SizeHistogram sizes; Tracked tracked{heap, sizes}; ... choose_classes(sizes.counts(rows), classes)`
class SizeHistogram {
public:
    static constexpr std::size_t kGrain = 16;
    static constexpr std::size_t kFinest = 2048;
    static constexpr std::size_t kFineRows = kFinest / kGrain;
    static constexpr std::size_t kRows = kFineRows + (sizeof(std::size_t) * 8 - log2_floor(kFinest));

    void allocated(void* /*block*/, Layout layout) noexcept { ++counts_[row_of(layout.size)]; }
    static void released(void* /*block*/, Layout /*layout*/) noexcept {}

    /// Writes the sizes that were asked for, the smallest first, each rounded up to its row's largest.
    ///
    /// Returns:  the part of `rows` that was written: what choose_classes takes. kRows of them always suffice; larger sizes
    ///           than there is room for are left out.
    [[nodiscard]] std::span<const SizeCount> counts(std::span<SizeCount> rows) const noexcept {
        std::size_t written = 0;
        for (std::size_t row = 0; row < kRows && written < rows.size(); ++row) {
            if (counts_[row] > 0) {
                rows[written++] = {.size_bytes = largest_of(row), .count = counts_[row]};
            }
        }
        return rows.first(written);
    }

private:
    [[nodiscard]] static constexpr std::size_t row_of(std::size_t size) noexcept {
        if (size <= kFinest) {
            return size == 0 ? 0 : (size - 1) / kGrain;
        }
        return kFineRows + log2_floor(size - 1) - log2_floor(kFinest);
    }
    [[nodiscard]] static constexpr std::size_t largest_of(std::size_t row) noexcept {
        return row < kFineRows ? (row + 1) * kGrain : (kFinest * 2) << (row - kFineRows);
    }

    std::array<std::uint64_t, kRows> counts_{};
};

static_assert(EventSink<SizeHistogram>);
static_assert(SizeHistogram::kRows <= kLargestHistogram, "choose_classes looks at every row");

}  // namespace heapwright
