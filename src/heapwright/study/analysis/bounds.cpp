#include <heapwright/study/analysis/bounds.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <heapwright/study/analysis/page_table.hpp>

namespace heapwright::study {
namespace {

/// No allocator begins blocks at other multiples.
constexpr std::uint64_t kGranuleBytes = 16;
constexpr std::size_t kGranulesOfPage = kOsPageBytes / kGranuleBytes;

/// A bit for each 16 bytes of an OS page in which something lives.
class PageMask {
public:
    void add(std::size_t first, std::size_t end) {
        for (std::size_t granule = first; granule < end;) {
            const std::size_t count = std::min(end - granule, 64 - granule % 64);
            words_[granule / 64] |= (~std::uint64_t{0} >> (64 - count)) << (granule % 64);
            granule += count;
        }
    }
    void add(const PageMask& other) {
        for (std::size_t word = 0; word < words_.size(); ++word) {
            words_[word] |= other.words_[word];
        }
    }
    [[nodiscard]] bool collides(const PageMask& other) const {
        std::uint64_t common = 0;
        for (std::size_t word = 0; word < words_.size(); ++word) {
            common |= words_[word] & other.words_[word];
        }
        return common != 0;
    }
    [[nodiscard]] bool has(std::size_t granule) const { return (words_[granule / 64] >> (granule % 64) & 1) != 0; }
    [[nodiscard]] std::size_t granules() const {
        std::size_t sum = 0;
        for (const std::uint64_t word : words_) {
            sum += static_cast<std::size_t>(std::popcount(word));
        }
        return sum;
    }

private:
    std::array<std::uint64_t, kGranulesOfPage / 64> words_{};
};

struct Pages {
    std::uint64_t full = 0;  ///< without a free granule: nothing fits beside
    std::vector<PageMask> sparse;
};

/// Gathers the blocks page by page, ascending.
class PageGathering {
public:
    /// Requires: at or behind all that came before.
    void add(std::uint64_t from, std::uint64_t to) {
        for (std::uint64_t at = from; at < to;) {
            const std::uint64_t page = at / kOsPageBytes;
            const std::uint64_t end = std::min(to, (page + 1) * kOsPageBytes);
            if (page != page_) {
                close();
                page_ = page;
            }
            if (at % kOsPageBytes == 0 && to - at >= 2 * kOsPageBytes) {  // so the inner pages of a large block cost nothing
                const std::uint64_t whole = (to - at) / kOsPageBytes - 1;
                pages_.full += whole;
                at += whole * kOsPageBytes;
                continue;
            }
            const std::uint64_t begin = at % kOsPageBytes;
            open_.add(begin / kGranuleBytes, (begin + (end - at) + kGranuleBytes - 1) / kGranuleBytes);
            at = end;
        }
    }
    Pages finish() {
        close();
        return std::move(pages_);
    }

private:
    void close() {
        const std::size_t granules = open_.granules();
        if (granules == kGranulesOfPage) {
            ++pages_.full;
        } else if (granules != 0) {
            pages_.sparse.push_back(open_);
        }
        open_ = {};
    }

    Pages pages_;
    PageMask open_;
    std::uint64_t page_ = ~std::uint64_t{0};
};

/// Pages that all have a block at one place need memory each.
std::uint64_t most_at_one_place(const std::vector<PageMask>& pages) {
    std::array<std::uint64_t, kGranulesOfPage> uses{};
    for (const PageMask& page : pages) {
        for (std::size_t granule = 0; granule < kGranulesOfPage; ++granule) {
            uses[granule] += page.has(granule) ? 1U : 0U;
        }
    }
    return *std::ranges::max_element(uses);
}

/// Pages laid over each other where no two blocks collide: each on the first set of pages that has room for it. A set that has refused
/// many pages on end gets no more, so that others are asked.
class Overlay {
public:
    void add(const PageMask& page) {
        const std::size_t count = std::min(open_.size(), kCompared);
        for (std::size_t i = 0; i < count; ++i) {
            Set& set = open_[i];
            if (!set.mask.collides(page)) {
                set.mask.add(page);
                set.refusals = 0;
                return;
            }
            ++set.refusals;
        }
        std::erase_if(open_, [](const Set& set) { return set.refusals >= kRefusalsMost; });
        open_.push_back({.mask = page});
        ++sets_;
    }
    [[nodiscard]] std::uint64_t sets() const { return sets_; }

private:
    static constexpr std::size_t kCompared = 4096;
    static constexpr std::uint32_t kRefusalsMost = 4096;
    struct Set {
        PageMask mask;
        std::uint32_t refusals = 0;
    };

    std::vector<Set> open_;
    std::uint64_t sets_ = 0;
};

/// The fullest pages first: so the emptier ones fill what these leave.
std::uint64_t sets_by_first_fit(std::vector<PageMask>& pages) {
    std::ranges::stable_sort(pages, std::ranges::greater{}, &PageMask::granules);
    Overlay overlay;
    for (const PageMask& page : pages) {
        overlay.add(page);
    }
    return overlay.sets();
}

}  // namespace

MemoryBounds measure_bounds(const Snapshot& snapshot, const UsableSizes& usable) {
    MemoryBounds bounds;
    PageGathering gathering;
    std::uint64_t moved = 0;
    std::uint64_t free_from = 0;
    for (const LiveBlock& block : snapshot.blocks()) {
        ++bounds.live_blocks;
        bounds.live_requested += block.size;
        if (block.off_pages || block.address < free_from) {
            continue;
        }
        const std::uint64_t bytes = covered_bytes(usable, block.size);
        const std::uint64_t first = block.address / kGranuleBytes * kGranuleBytes;
        const std::uint64_t end = (block.address + bytes + kGranuleBytes - 1) / kGranuleBytes * kGranuleBytes;
        free_from = block.address + bytes;
        moved += bytes;
        gathering.add(first, end);
    }
    Pages pages = gathering.finish();
    bounds.page_floor_bytes = (pages.full + pages.sparse.size()) * kOsPageBytes;
    bounds.mesh_bound_bytes = (pages.full + most_at_one_place(pages.sparse)) * kOsPageBytes;
    bounds.meshed_bytes = (pages.full + sets_by_first_fit(pages.sparse)) * kOsPageBytes;
    bounds.moved_bytes = (moved + kOsPageBytes - 1) / kOsPageBytes * kOsPageBytes;
    return bounds;
}

}  // namespace heapwright::study
