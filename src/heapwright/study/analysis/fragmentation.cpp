// One walk over the OS pages, one over the gaps between blocks.
#include <heapwright/study/analysis/fragmentation.hpp>

#include <algorithm>

#include <heapwright/study/analysis/page_sweep.hpp>

namespace heapwright::study {
namespace {

double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
}

std::uint64_t largest_gap(const Snapshot& snapshot, const MemoryMap* map, const UsableSizes& usable) {
    std::uint64_t largest = 0;
    std::uint64_t free_from = 0;
    const trace::MapLine* line = nullptr;  // the one in which free_from lies
    for (const LiveBlock& block : snapshot.blocks()) {
        if (block.address < free_from) {
            continue;
        }
        const std::uint64_t gap = block.address - free_from;
        // A mapping is looked up only for a gap that would count.
        if (free_from != 0 && gap > largest) {
            line = map == nullptr ? nullptr : line_of(map->lines, free_from - 1);
            const bool is_one_mapping = map == nullptr ? gap < kFarApartBytes : line != nullptr && block.address < line->end();
            largest = is_one_mapping ? gap : largest;
        }
        free_from = block.address + covered_bytes(usable, block.size);
    }
    return largest;
}

}  // namespace

Fragmentation measure_fragmentation(const Snapshot& snapshot, const LiveTotals& totals, const TouchedShares& touched,
                                    const UsableSizes& usable, const Scale& scale, std::uint64_t resident_bytes) {
    const MemoryMap* const map = touched.map();
    Fragmentation result;
    result.resident_bytes = resident_bytes;
    result.live_requested = scale.to_count(totals.requested);
    result.live_usable = scale.to_count(totals.usable);
    result.live_blocks = scale.to_count(totals.blocks);
    result.internal_bytes = result.live_usable > result.live_requested ? result.live_usable - result.live_requested : 0;
    result.internal_ratio = share(result.internal_bytes, result.live_usable);

    std::uint64_t live_bytes = 0;
    double touched_bytes = 0;
    sweep_pages(
        snapshot, usable,
        [&](const PageShare& page) {
            ++result.occupied_pages;
            live_bytes += page.bytes;
            touched_bytes += static_cast<double>(kOsPageBytes);
            ++result.occupancy[occupancy_bucket(page.bytes)];
        },
        [&](const FullPages& pages) {
            result.occupied_pages += pages.end - pages.first;
            const std::uint64_t bytes = (pages.end - pages.first) * kOsPageBytes;
            live_bytes += bytes;
            touched_bytes += static_cast<double>(bytes) * touched.of_page(pages.first);
            result.occupancy[occupancy_bucket(kOsPageBytes)] += pages.end - pages.first;
        });
    const std::uint64_t occupied_bytes = result.occupied_pages * kOsPageBytes;
    result.external_bytes = occupied_bytes - live_bytes;
    result.external_ratio = share(result.external_bytes, occupied_bytes);
    result.largest_free_run = largest_gap(snapshot, map, usable);
    if (map != nullptr) {
        result.non_heap_bytes = map->non_heap_bytes;
        result.retained_bytes = map->retained_bytes;
    }
    if (resident_bytes != 0) {
        // The map may be of another moment: no more can be retained at this one than is resident and in no block. Where much
        // more was resident than the map shows, the map says nothing of what was retained.
        const std::uint64_t in_use = result.non_heap_bytes + static_cast<std::uint64_t>(touched_bytes);
        const std::uint64_t unused = resident_bytes > in_use ? resident_bytes - in_use : 0;
        constexpr std::uint64_t kMuch = 1 << 20;
        const bool is_other_moment = map != nullptr && resident_bytes > map->resident_bytes + map->resident_bytes / 4 + kMuch;
        result.retained_bytes = is_other_moment ? unused : std::min(result.retained_bytes, unused);
    }
    return result;
}

}  // namespace heapwright::study
