// Which size classes waste least for the sizes that a program asks for.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/bits.hpp>

namespace heapwright {

/// How often blocks of one size were asked for, as a SizeHistogram (alloc/adapt) counts them.
struct SizeCount {
    std::size_t size_bytes;
    std::uint64_t count;
};

/// The most distinct sizes that choose_classes looks at; more are merged into the next larger.
inline constexpr std::size_t kLargestHistogram = 256;
/// The most classes that choose_classes gives and a MultiPool takes.
inline constexpr std::size_t kMostClasses = 32;

namespace detail {

/// The cheapest way to cover the first `end` sizes with one more class at a time: row by row.
class ClassChoice {
public:
    constexpr explicit ClassChoice(std::span<const SizeCount> sizes) noexcept : sizes_(sizes) {
        for (std::size_t index = 0; index < sizes.size(); ++index) {
            counts_[index + 1] = counts_[index] + sizes[index].count;
            bytes_[index + 1] = bytes_[index] + sizes[index].count * sizes[index].size_bytes;
        }
        waste_.fill(kImpossible);
        waste_[0] = 0;
    }

    /// Allows one class more.
    constexpr void add_class() noexcept {
        std::array<std::uint64_t, kLargestHistogram + 1> next{};
        next.fill(kImpossible);
        for (std::size_t end = 1; end <= sizes_.size(); ++end) {
            for (std::size_t begin = 0; begin < end; ++begin) {
                const std::uint64_t waste = waste_[begin] == kImpossible ? kImpossible : waste_[begin] + waste_of(begin, end);
                if (waste < next[end]) {
                    next[end] = waste;
                    begins_[rows_][end] = static_cast<std::uint16_t>(begin);
                }
            }
        }
        waste_ = next;
        ++rows_;
    }

    /// Writes the classes of the last row, the smallest first.
    constexpr void write(std::span<std::size_t> classes) const noexcept {
        std::size_t end = sizes_.size();
        for (std::size_t row = rows_; row > 0; --row) {
            classes[row - 1] = sizes_[end - 1].size_bytes;
            end = begins_[row - 1][end];
        }
    }

private:
    static constexpr std::uint64_t kImpossible = UINT64_MAX;

    /// What is lost when sizes [begin, end) share one class.
    [[nodiscard]] constexpr std::uint64_t waste_of(std::size_t begin, std::size_t end) const noexcept {
        return (counts_[end] - counts_[begin]) * sizes_[end - 1].size_bytes - (bytes_[end] - bytes_[begin]);
    }

    std::span<const SizeCount> sizes_;
    std::array<std::uint64_t, kLargestHistogram + 1> counts_{};  // of the sizes before
    std::array<std::uint64_t, kLargestHistogram + 1> bytes_{};
    std::array<std::uint64_t, kLargestHistogram + 1> waste_{};
    std::array<std::array<std::uint16_t, kLargestHistogram + 1>, kMostClasses> begins_{};
    std::size_t rows_ = 0;
};

}  // namespace detail

/// Writes the classes that waste the fewest bytes for these requests, the smallest first; each is a multiple of `grain`.
///
/// Requires: `histogram` is sorted by size, without repeats; grain is a power of two.
/// Returns:  how many were written: as many as there is room for, fewer if there are fewer sizes.
/// Cost:     O(sizes^2 * classes) with at most 256 sizes; about 25 KiB of stack. For start-up, not for a loop.
[[nodiscard]] constexpr std::size_t choose_classes(std::span<const SizeCount> histogram, std::span<std::size_t> classes,
                                                   std::size_t grain = 16) noexcept {
    std::array<SizeCount, kLargestHistogram> merged{};
    // A coarser grain until the rounded sizes are few enough.
    std::size_t distinct = 0;
    for (bool fits = false; !fits; grain *= 2) {
        distinct = 0;
        fits = true;
        for (const SizeCount& entry : histogram) {
            const std::size_t rounded = align_up(entry.size_bytes == 0 ? 1 : entry.size_bytes, grain);
            if (distinct > 0 && merged[distinct - 1].size_bytes == rounded) {
                merged[distinct - 1].count += entry.count;
            } else if (distinct == kLargestHistogram) {
                fits = false;
                break;
            } else {
                merged[distinct++] = {.size_bytes = rounded, .count = entry.count};
            }
        }
    }
    const std::size_t count = std::min({classes.size(), distinct, kMostClasses});
    detail::ClassChoice choice{std::span{merged}.first(distinct)};
    for (std::size_t row = 0; row < count; ++row) {
        choice.add_class();
    }
    choice.write(classes);
    return count;
}

}  // namespace heapwright
