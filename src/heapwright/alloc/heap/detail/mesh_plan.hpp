// Where blocks of a span lie, and which spans may share memory: on paper.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mesh_window.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

/// A bit for each 16 bytes of a slice, or of a file.
class MeshBytes {
public:
    static constexpr std::size_t kGranule = 16;
    static constexpr std::uint32_t kWordsOfPage = os::kPageBytes / kGranule / 64;

    void add(std::size_t from, std::size_t to) noexcept {
        for (std::size_t bit = from / kGranule; bit < to / kGranule; ++bit) {
            words_[bit / 64] |= std::uint64_t{1} << (bit % 64);
        }
    }
    [[nodiscard]] bool has(std::uint32_t page) const noexcept {
        std::uint64_t any = 0;
        for (std::uint32_t word = 0; word < kWordsOfPage; ++word) {
            any |= words_[page * kWordsOfPage + word];
        }
        return any != 0;
    }
    /// Whether page `from` of the other has room at page `at`.
    [[nodiscard]] bool has_room(std::uint32_t at, const MeshBytes& other, std::uint32_t from) const noexcept {
        std::uint64_t common = 0;
        for (std::uint32_t word = 0; word < kWordsOfPage; ++word) {
            common |= words_[at * kWordsOfPage + word] & other.words_[from * kWordsOfPage + word];
        }
        return common == 0;
    }
    void add_page(std::uint32_t at, const MeshBytes& other, std::uint32_t from) noexcept {
        for (std::uint32_t word = 0; word < kWordsOfPage; ++word) {
            words_[at * kWordsOfPage + word] |= other.words_[from * kWordsOfPage + word];
        }
    }
    [[nodiscard]] std::uint32_t pages() const noexcept {
        std::uint32_t count = 0;
        for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
            count += has(page) ? 1U : 0U;
        }
        return count;
    }
    [[nodiscard]] bool is_nearly_full() const noexcept {
        std::uint32_t count = 0;
        for (const std::uint64_t word : words_) {
            count += static_cast<std::uint32_t>(std::popcount(word));
        }
        constexpr std::uint32_t kFullPercent = 95;
        return std::size_t{count} * 100 >= kSliceBytes / kGranule * kFullPercent;
    }
    /// Adds all pages of the other where `places` says. Returns false where that is taken; then nothing changed.
    bool join(const MeshBytes& other, MeshPlaces places) noexcept {
        MeshBytes joined = *this;
        for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
            const std::uint32_t place = mesh_place(places, page);
            if (!joined.has_room(place, other, page)) {
                return false;
            }
            joined.add_page(place, other, page);
        }
        *this = joined;
        return true;
    }
    /// A place for each page of the other, so that join() succeeds; those that follow each other stay together where they can.
    [[nodiscard]] bool find_places(const MeshBytes& other, MeshPlaces& places) const noexcept {
        MeshBytes joined = *this;
        std::uint32_t next = 0;
        places = 0;
        for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
            std::uint32_t tried = 0;
            while (tried < kPagesOfSlice && !joined.has_room((next + tried) % kPagesOfSlice, other, page)) {
                ++tried;
            }
            if (tried == kPagesOfSlice) {
                return false;
            }
            const std::uint32_t place = (next + tried) % kPagesOfSlice;
            joined.add_page(place, other, page);
            places |= MeshPlaces{place} << (4 * page);
            next = (place + 1) % kPagesOfSlice;
        }
        return true;
    }

private:
    std::array<std::uint64_t, kSliceBytes / kGranule / 64> words_{};
};

/// How many mappings a slice needs.
[[nodiscard]] constexpr std::uint32_t mesh_runs(MeshPlaces places) noexcept {
    std::uint32_t runs = 0;
    for (std::uint32_t page = 0; page < kPagesOfSlice; page = mesh_run_end(places, page)) {
        ++runs;
    }
    return runs;
}

/// Spans that were disjoint when they were looked at, and where their pages shall lie.
struct MeshPlan {
    static constexpr std::uint32_t kMostMembers = 16;

    MeshPlan* next = nullptr;
    std::uint32_t members = 0;
    std::uint32_t mappings = 0;
    std::array<std::uint32_t, kMostMembers> slices{};
    std::array<MeshPlaces, kMostMembers> places{};
    MeshBytes bytes;

    /// Whether the span of that slice has room at these places.
    bool join(std::uint32_t slice, const MeshBytes& of_span, MeshPlaces where) noexcept {
        if (!bytes.join(of_span, where)) {
            return false;
        }
        slices[members] = slice;
        places[members++] = where;
        mappings += mesh_runs(where) + 1;  // one more where what follows it is no member
        return true;
    }
};

}  // namespace heapwright::heap
