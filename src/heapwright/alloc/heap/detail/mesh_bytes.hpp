// Where blocks of a span lie, and which pages may share memory: on paper.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/size_class.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

inline constexpr std::uint32_t kPagesOfSlice = kSliceBytes / os::kPageBytes;

/// A bit for each 16 bytes of a slice, or of a file.
class MeshBytes {
public:
    static constexpr std::size_t kGranule = 16;
    static constexpr std::uint32_t kGranulesOfPage = os::kPageBytes / kGranule;
    static constexpr std::uint32_t kWordsOfPage = kGranulesOfPage / 64;

    void add(std::size_t from, std::size_t to) noexcept {
        std::size_t bit = from / kGranule;
        for (std::size_t left = (to - from) / kGranule; left != 0;) {
            const std::size_t count = left < 64 - bit % 64 ? left : 64 - bit % 64;
            const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
            words_[bit / 64] |= ones << (bit % 64);
            bit += count;
            left -= count;
        }
    }
    [[nodiscard]] const std::uint64_t* of_page(std::uint32_t page) const noexcept { return &words_[std::size_t{page} * kWordsOfPage]; }
    /// How many bits are set of so many pages.
    [[nodiscard]] std::uint32_t granules(std::uint32_t first, std::uint32_t pages) const noexcept {
        std::uint32_t count = 0;
        for (std::uint32_t word = first * kWordsOfPage; word < (first + pages) * kWordsOfPage; ++word) {
            count += static_cast<std::uint32_t>(std::popcount(words_[word]));
        }
        return count;
    }
    /// Pages with any bit set.
    [[nodiscard]] std::uint32_t pages() const noexcept {
        std::uint32_t count = 0;
        for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
            count += granules(page, 1) != 0 ? 1U : 0U;
        }
        return count;
    }
    /// Adds so many pages of the other, from page `from` on, at page `at`. Returns false where one of them is taken; then nothing changed.
    bool join(std::uint32_t at, const MeshBytes& other, std::uint32_t from, std::uint32_t pages) noexcept {
        std::uint64_t* const mine = &words_[std::size_t{at} * kWordsOfPage];
        const std::uint64_t* const others = other.of_page(from);
        std::uint64_t common = 0;
        for (std::uint32_t word = 0; word < pages * kWordsOfPage; ++word) {
            common |= mine[word] & others[word];
        }
        for (std::uint32_t word = 0; common == 0 && word < pages * kWordsOfPage; ++word) {
            mine[word] |= others[word];
        }
        return common == 0;
    }

private:
    std::array<std::uint64_t, kSliceBytes / kGranule / 64> words_{};
};

}  // namespace heapwright::heap
