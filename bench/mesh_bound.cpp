// How much of what could share memory is found, on paper: the bound that is proved for Mesh's search, that search itself, ours, and what is possible.
// Prints one JSON object a line.
//
// Usage: mesh_bound PIECES      pieces of a page of 256-byte blocks, live by chance: 2, 3, ... of 16
//
// R. Powers et al., "Mesh: Compacting Memory Management for C/C++ Applications", PLDI 2019: two of n pieces with r live of b slots are
// disjoint with chance q = C(b - r, r) / C(b, r); who compares each with k / q others finds n (1 - exp(-2 k)) / 4 pairs (lemma 5.3).
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include <heapwright/alloc/heap/detail/mesh_packing.hpp>
#include <heapwright/os/report_by_default.hpp>

#include <bench/defrag/population.hpp>

namespace {

using namespace heapwright;

constexpr std::uint32_t kSlots = 16;
constexpr std::uint32_t kBlockBytes = 256;
constexpr std::uint32_t kPagesApart = 4;  // of a span: none has a neighbour to be a larger piece with
constexpr std::uint32_t kPiecesOfSpan = heap::kPagesOfSlice / kPagesApart;
constexpr double kParameter = 1;  // k; the paper compares 64 times, whatever q is

using Masks = std::vector<std::uint32_t>;

double chance_to_be_disjoint(std::uint32_t live) {
    double q = 1;
    for (std::uint32_t i = 0; i < live; ++i) {
        q *= (kSlots - live - i) * 1.0 / (kSlots - i);
    }
    return q;
}

Masks pieces_by_chance(std::uint32_t count, std::uint32_t live) {
    bench::Random random(live);
    Masks masks(count);
    for (std::uint32_t& mask : masks) {
        while (static_cast<std::uint32_t>(std::popcount(mask)) < live) {
            mask |= 1U << random.below(kSlots);
        }
    }
    return masks;
}

/// The search of the paper: halves in an order by chance, each piece of the one compared with the next ones of the other. Returns: pairs.
std::uint32_t pairs_of_split_mesher(const Masks& masks, double compared) {
    const std::size_t half = masks.size() / 2;
    std::vector<bool> is_taken(half, false);
    std::uint32_t pairs = 0;
    std::vector<bool> is_done(half, false);
    for (std::size_t step = 0; step < std::min<std::size_t>(half, static_cast<std::size_t>(std::ceil(compared))); ++step) {
        for (std::size_t left = 0; left < half; ++left) {
            const std::size_t right = (left + step) % half;
            if (!is_done[left] && !is_taken[right] && (masks[left] & masks[half + right]) == 0) {
                is_done[left] = is_taken[right] = true;
                ++pairs;
            }
        }
    }
    return pairs;
}

struct Found {
    std::uint32_t sets = 0;
    double seconds = 0;
};

Found sets_of_ours(const Masks& masks) {
    heap::MeshPacking packing;
    const auto spans = static_cast<std::uint32_t>(masks.size() / kPiecesOfSpan);
    if (!packing.begin(spans, UINT32_MAX)) {
        std::exit(1);
    }
    for (std::uint32_t span = 0; span < spans; ++span) {
        heap::MeshSnapshot& blank = packing.blank();
        blank.slice = span;
        blank.block_bytes = kBlockBytes;
        for (std::uint32_t piece = 0; piece < kPiecesOfSpan; ++piece) {
            const std::size_t page = std::size_t{piece} * kPagesApart;
            blank.own = static_cast<std::uint16_t>(blank.own | 1U << page);
            for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
                if ((masks[std::size_t{span} * kPiecesOfSpan + piece] >> slot & 1) != 0) {
                    const std::size_t at = page * 4096 + std::size_t{slot} * kBlockBytes;
                    blank.bytes.add(at, at + kBlockBytes);
                }
            }
        }
        packing.keep();
    }
    const auto begin = std::chrono::steady_clock::now();
    static_cast<void>(packing.go_on(~std::uint64_t{0}));
    Found found{.sets = spans * kPiecesOfSpan, .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
    for (std::uint32_t level = 0; level < heap::MeshPacking::kLevels; ++level) {
        for (const heap::MeshSet* set = nullptr; (set = packing.take_set(level, nullptr)) != nullptr;) {
            found.sets -= set->members - 1;
        }
    }
    packing.end();
    return found;
}

}  // namespace

int main(int count, char** words) {
    const auto wanted = static_cast<std::uint32_t>(count > 1 ? std::strtoul(words[1], nullptr, 10) : 8192);
    const std::uint32_t pieces = std::max<std::uint32_t>(wanted / (2 * kPiecesOfSpan), 1) * 2 * kPiecesOfSpan;
    for (std::uint32_t live = 1; live <= kSlots / 2; ++live) {
        const double q = chance_to_be_disjoint(live);
        const Masks masks = pieces_by_chance(pieces, live);
        std::array<std::uint32_t, kSlots> uses{};  // each set holds a slot once
        for (const std::uint32_t mask : masks) {
            for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
                uses[slot] += mask >> slot & 1;
            }
        }
        const Found ours = sets_of_ours(masks);
        std::printf(
            "{\"live_of_16\": %u, \"pieces\": %u, \"q\": %.6f, \"bound_pages\": %.0f, \"split_mesher_pages\": %u, \"ours_pages\": %u, "
            "\"fewest_pages\": %u, \"ours_ms\": %.2f}\n",
            live, pieces, q, pieces - pieces * (1 - std::exp(-2 * kParameter)) / 4, pieces - pairs_of_split_mesher(masks, kParameter / q),
            ours.sets, *std::ranges::max_element(uses), ours.seconds * 1e3);
    }
}
