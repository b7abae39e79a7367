// Which pages may share memory, on paper: no two blocks overlap, and enough is found.
#include <heapwright/alloc/heap/detail/mesh_packing.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using heap::kPagesOfSlice;
using heap::kSliceBytes;
using heap::MeshPacking;
using heap::MeshSet;
using heap::MeshSnapshot;

constexpr std::uint64_t kForever = ~std::uint64_t{0};

/// Spans on paper, and what became of them.
class Paper {
public:
    Paper(std::uint32_t spans, std::uint32_t mappings) {
        REQUIRE(packing_.begin(spans, mappings));
        pages_of_slice_.resize(spans);
    }
    Paper(const Paper&) = delete;
    Paper& operator=(const Paper&) = delete;
    ~Paper() { packing_.end(); }

    /// A span of such blocks, of which those live that `is_live(index)` names.
    template <class IsLive>
    void add(std::uint32_t block_bytes, IsLive is_live, std::uint16_t own = 0xFFFF) {
        MeshSnapshot& blank = packing_.blank();
        blank.slice = count_;
        blank.block_bytes = block_bytes;
        blank.own = own;
        for (std::uint32_t index = 0; (index + 1) * block_bytes <= kSliceBytes; ++index) {
            if (is_live(index)) {
                blank.bytes.add(std::size_t{index} * block_bytes, std::size_t{index + 1} * block_bytes);
                live_bytes_ += block_bytes;
            }
        }
        for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
            pages_before_ += blank.bytes.granules(page, 1) != 0 ? 1U : 0U;
        }
        bytes_.push_back(blank.bytes);
        packing_.keep();
        ++count_;
    }
    /// Makes the plan and looks at every set of it.
    void plan() {
        REQUIRE(packing_.go_on(kForever));
        pages_after_ = pages_before_;
        for (std::uint32_t level = 0; level < MeshPacking::kLevels; ++level) {
            for (const MeshSet* set = nullptr; (set = packing_.take_set(level, nullptr)) != nullptr;) {
                look_at(*set, MeshPacking::pages_of(level));
            }
        }
    }
    [[nodiscard]] double before() const { return pages_before_ * 4096.0 / static_cast<double>(live_bytes_); }
    [[nodiscard]] double after() const { return pages_after_ * 4096.0 / static_cast<double>(live_bytes_); }
    [[nodiscard]] std::uint32_t mappings() const { return mappings_; }
    [[nodiscard]] std::uint32_t sets() const { return sets_; }

private:
    void look_at(const MeshSet& set, std::uint32_t pages) {
        heap::MeshBytes file;
        std::uint32_t members = 0;
        bool is_disjoint = true;
        bool is_first = true;
        for (const heap::MeshPiece* piece = set.pieces; piece != nullptr; piece = piece->next, ++members) {
            const std::uint32_t slice = packing_.snapshot_of(*piece).slice;
            const std::uint32_t mask = ((1U << pages) - 1) << piece->page;
            is_first = is_first && (pages_of_slice_[slice] & mask) == 0;
            pages_of_slice_[slice] |= mask;
            is_disjoint = is_disjoint && file.join(0, bytes_[slice], piece->page, pages);
            for (std::uint32_t page = piece->page; page < piece->page + pages; ++page) {
                pages_after_ -= bytes_[slice].granules(page, 1) != 0 ? 1U : 0U;
            }
        }
        pages_after_ += file.pages();
        CHECK(is_disjoint);
        CHECK(is_first);
        CHECK(members == set.members);
        CHECK(members > 1);
        mappings_ += members;
        ++sets_;
    }

    MeshPacking packing_;
    std::uint32_t count_ = 0;
    std::vector<std::uint32_t> pages_of_slice_;
    std::vector<heap::MeshBytes> bytes_;
    std::uint64_t live_bytes_ = 0;
    std::uint32_t pages_before_ = 0;
    std::uint32_t pages_after_ = 0;
    std::uint32_t mappings_ = 0;
    std::uint32_t sets_ = 0;
};

TEST_CASE("survivors at regular distances share whole spans") {
    for (const std::uint32_t block_bytes : {64U, 256U, 1024U}) {
        Paper paper(256, 40'000);
        Random random(1);
        for (std::uint32_t span = 0; span < 256; ++span) {
            const std::uint64_t shift = random.below(16);
            paper.add(block_bytes, [&](std::uint32_t index) { return (index + shift) % 16 == 0; });
        }
        paper.plan();
        CHECK(paper.before() > 3.9);
        CHECK(paper.after() < 2.1);
        CHECK(paper.mappings() <= 4 * 256);
    }
}

TEST_CASE("survivors by chance, of sizes of all magnitudes, share pieces as small as it pays, with few mappings") {
    constexpr std::uint32_t kSpans = 1024;
    Paper paper(kSpans, 40'000);
    Random random(2);
    // Each doubling of sizes has as many blocks as any other, and so twice the spans of the one before.
    for (std::uint32_t span = 0; span < kSpans; ++span) {
        const auto doubling = static_cast<std::uint32_t>(std::bit_width((span % 63) + 1) - 1);
        const std::uint32_t block_bytes = (16U << doubling) + (2U << doubling) * static_cast<std::uint32_t>(random.below(8)) / 16 * 16;
        paper.add(block_bytes, [&](std::uint32_t) { return random.one_in(5); });
    }
    paper.plan();
    MESSAGE("of what is live: " << paper.before() << " before, " << paper.after() << " after, mappings a span "
                                << paper.mappings() * 1.0 / kSpans << ", sets " << paper.sets());
    CHECK(paper.before() > 4.0);
    CHECK(paper.after() < 2.0);
    CHECK(paper.mappings() <= 6 * kSpans);
}

TEST_CASE("where few spans are sparse, more mappings are spent on them") {
    constexpr std::uint32_t kSpans = 256;
    double after[2] = {};
    std::uint32_t mappings[2] = {};
    for (std::uint32_t i = 0; i < 2; ++i) {
        Paper paper(i == 0 ? kSpans : 3 * kSpans, 40'000);
        Random random(5);
        for (std::uint32_t span = 0; span < kSpans; ++span) {
            paper.add(512, [&](std::uint32_t) { return random.one_in(5); });
        }
        paper.plan();
        after[i] = paper.after();
        mappings[i] = paper.mappings();
    }
    CHECK(after[1] < after[0]);
    CHECK(mappings[1] > mappings[0]);
}

TEST_CASE("where mappings are short, larger pieces share what they can") {
    constexpr std::uint32_t kSpans = 512;
    Paper paper(kSpans, 4 * kSpans);
    Random random(3);
    for (std::uint32_t span = 0; span < kSpans; ++span) {
        paper.add(512, [&](std::uint32_t) { return random.one_in(5); });
    }
    paper.plan();
    CHECK(paper.mappings() <= 4 * kSpans);
    CHECK(paper.after() < paper.before() * 0.7);
}

TEST_CASE("pairs are found as the bound of the paper on meshing promises, and sets are nearly as few as they can be") {
    // Of b slots r live in each of n pieces, by chance: two of them are disjoint with q = C(b - r, r) / C(b, r). Who compares each piece with
    // k / q others finds n (1 - exp(-2 k)) / 4 pairs at least (Powers, Tench, Berger, McGregor: Mesh, PLDI 2019, lemma 5.3); each saves a page.
    // And each set holds a slot once, so that there are no fewer sets than pieces with a block in the slot that most pieces use.
    constexpr std::uint32_t kSlots = 16;
    constexpr std::uint32_t kSpans = 200;
    constexpr std::uint32_t kPieces = 4 * kSpans;
    constexpr double kCompared = 64;  // far less than it is
    for (const std::uint32_t live : {2U, 4U, 5U}) {
        double q = 1.0;
        for (std::uint32_t i = 0; i < live; ++i) {
            q *= (kSlots - live - i) * 1.0 / (kSlots - i);
        }
        Paper paper(kSpans, 40'000);
        Random random(live);
        std::array<std::uint32_t, kSlots> uses{};
        for (std::uint32_t span = 0; span < kSpans; ++span) {
            std::array<std::uint32_t, kPagesOfSlice> masks{};
            for (std::uint32_t page = 0; page < kPagesOfSlice; page += 4) {
                while (static_cast<std::uint32_t>(std::popcount(masks[page])) < live) {
                    masks[page] |= 1U << random.below(kSlots);
                }
                for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
                    uses[slot] += masks[page] >> slot & 1;
                }
            }
            // Each fourth page: none has a neighbour to be a larger piece with.
            paper.add(256, [&](std::uint32_t index) { return (masks[index / kSlots] >> (index % kSlots) & 1) != 0; }, 0x1111);
        }
        paper.plan();
        const double pairs = kPieces * (1 - std::exp(-2 * kCompared * q)) / 4;
        const std::uint32_t fewest = *std::max_element(uses.begin(), uses.end());
        const std::uint32_t sets = paper.sets() + (kPieces - paper.mappings());
        MESSAGE(live << " of " << kSlots << " live: " << sets << " sets of " << kPieces << " pieces, no fewer than " << fewest
                     << " possible, " << kPieces - pairs << " by the paper's bound");
        CHECK(kPieces - sets >= pairs);
        CHECK(sets <= fewest * 1.5);
    }
}

TEST_CASE("what would save nothing has no mappings") {
    Paper paper(64, 40'000);
    Random random(4);
    for (std::uint32_t span = 0; span < 64; ++span) {
        paper.add(8192, [&](std::uint32_t) { return random.one_in(3); });  // what is free are whole pages, which go back as they are
    }
    paper.plan();
    CHECK(paper.mappings() == 0);
}

}  // namespace
}  // namespace heapwright::test
