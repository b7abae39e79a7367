// Joining memory maps with the places of blocks.
#include <heapwright/study/analysis/memory_maps.hpp>

#include <algorithm>
#include <iterator>
#include <string>

#include <heapwright/study/analysis/page_sweep.hpp>

namespace heapwright::study {
namespace {

/// Bytes that [begin, end) of one list and [other_begin, other_end) of another have in common.
std::uint64_t common_bytes(std::uint64_t begin, std::uint64_t end, std::uint64_t other_begin, std::uint64_t other_end) {
    const std::uint64_t from = std::max(begin, other_begin);
    const std::uint64_t to = std::min(end, other_end);
    return to > from ? to - from : 0;
}

/// For each line, what `pieces` (ascending, disjoint address ranges) cover of it.
template <class Piece, class Begin, class End>
std::vector<std::uint64_t> covered_by_line(const std::vector<trace::MapLine>& lines, const std::vector<Piece>& pieces, Begin begin,
                                           End end) {
    std::vector<std::uint64_t> covered(lines.size());
    std::size_t piece = 0;
    for (std::size_t line = 0; line < lines.size(); ++line) {
        while (piece < pieces.size() && end(pieces[piece]) <= lines[line].where.begin) {
            ++piece;
        }
        for (std::size_t i = piece; i < pieces.size() && begin(pieces[i]) < lines[line].end(); ++i) {
            covered[line] += common_bytes(begin(pieces[i]), end(pieces[i]), lines[line].where.begin, lines[line].end());
        }
    }
    return covered;
}

/// What the recorder itself needs is none of the program's memory; what our allocators named is.
bool is_recorders(const trace::MapLine& line) {
    const bool is_allocators = line.name == "[anon:heapwright heap]" || line.name == "[anon:heapwright scope]";
    return (line.name.starts_with("[anon:heapwright") && !is_allocators) || line.name.find("libheapwright-record") != std::string::npos;
}

}  // namespace

std::size_t line_index(std::span<const trace::MapLine> lines, std::uint64_t address) {
    const auto above = std::ranges::upper_bound(lines, address, {}, [](const trace::MapLine& line) { return line.where.begin; });
    if (above == lines.begin() || address >= std::prev(above)->end()) {
        return lines.size();
    }
    return static_cast<std::size_t>(std::prev(above) - lines.begin());
}

const trace::MapLine* line_of(std::span<const trace::MapLine> lines, std::uint64_t address) {
    const std::size_t index = line_index(lines, address);
    return index < lines.size() ? &lines[index] : nullptr;
}

void MapHistory::add(trace::Tick tick, std::span<const trace::MapLine> lines, const PageTable& pages) {
    auto map = std::make_shared<MemoryMap>();
    map->tick = tick;
    std::ranges::copy_if(lines, std::back_inserter(map->lines), [](const trace::MapLine& line) { return !is_recorders(line); });
    std::ranges::stable_sort(map->lines, {}, [](const trace::MapLine& line) { return line.where.begin; });

    const auto used = pages.used_stretches();
    const auto used_bytes = covered_by_line(
        map->lines, used, [](const auto& piece) { return piece.first * kOsPageBytes; },
        [](const auto& piece) { return piece.end * kOsPageBytes; });
    std::vector<PageTable::Stretch> occupied;
    pages.for_each_page([&](std::uint64_t page, std::uint64_t) {
        if (!occupied.empty() && occupied.back().end == page) {
            ++occupied.back().end;
        } else {
            occupied.push_back({.first = page, .end = page + 1});
        }
    });
    auto occupied_bytes = covered_by_line(
        map->lines, occupied, [](const auto& piece) { return piece.first * kOsPageBytes; },
        [](const auto& piece) { return piece.end * kOsPageBytes; });
    const auto large_bytes = covered_by_line(
        map->lines, pages.large_blocks(), [](const auto& block) { return block.first_inner_page() * kOsPageBytes; },
        [](const auto& block) { return block.end_inner_page() * kOsPageBytes; });

    for (std::size_t line = 0; line < map->lines.size(); ++line) {
        const std::uint64_t resident = std::min(map->lines[line].where.resident_bytes, map->lines[line].where.bytes);
        map->resident_bytes += resident;
        // The kernel merges mappings: beside the heap's pages a line may hold those of anybody. Which pages held blocks is
        // known, but of large blocks only while they live.
        const bool is_all_heap = used_bytes[line] != 0 && (!unmaps_large_ || map->lines[line].name == "[heap]");
        const std::uint64_t heap = is_all_heap ? resident : std::min(resident, used_bytes[line]);
        const std::uint64_t in_use = occupied_bytes[line] + large_bytes[line];
        map->retained_bytes += heap > in_use ? heap - in_use : 0;
        map->non_heap_bytes += resident - heap;
    }
    if (!is_behind_peak_) {
        before_peak_ = last_;
        behind_peak_ = map;
        is_behind_peak_ = true;
    }
    last_ = std::move(map);
}

std::shared_ptr<const MemoryMap> MapHistory::nearest_to_peak(trace::Tick tick) const {
    if (!is_behind_peak_) {
        return last_;  // no map came after the peak
    }
    if (before_peak_ == nullptr) {
        return behind_peak_;
    }
    return tick - before_peak_->tick <= behind_peak_->tick - tick ? before_peak_ : behind_peak_;
}

TouchedShares::TouchedShares(const MemoryMap* map, const Snapshot& snapshot, const UsableSizes& usable) : map_(map) {
    if (map_ == nullptr) {
        return;
    }
    std::vector<std::uint64_t> small(map_->lines.size());
    std::vector<std::uint64_t> large(map_->lines.size());
    sweep_pages(
        snapshot, usable,
        [&](const PageShare& share) {
            const std::size_t line = line_index(map_->lines, share.page * kOsPageBytes);
            if (line < small.size()) {
                small[line] += kOsPageBytes;
            }
        },
        [&](const FullPages& pages) {
            const std::size_t line = line_index(map_->lines, pages.first * kOsPageBytes);
            if (line < large.size()) {
                large[line] += (pages.end - pages.first) * kOsPageBytes;
            }
        });
    by_line_.assign(map_->lines.size(), 1.0);
    for (std::size_t line = 0; line < by_line_.size(); ++line) {
        const std::uint64_t resident = map_->lines[line].where.resident_bytes;
        if (large[line] != 0) {
            const std::uint64_t beyond = resident > small[line] ? resident - small[line] : 0;
            by_line_[line] = std::min(1.0, static_cast<double>(beyond) / static_cast<double>(large[line]));
        }
    }
}

double TouchedShares::of_page(std::uint64_t page) const {
    if (map_ == nullptr) {
        return 1.0;
    }
    const std::size_t line = line_index(map_->lines, page * kOsPageBytes);
    return line < by_line_.size() ? by_line_[line] : 1.0;
}

}  // namespace heapwright::study
