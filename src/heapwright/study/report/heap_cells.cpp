#include <heapwright/study/report/heap_cells.hpp>

#include <cstdint>

namespace heapwright::study {
namespace {

std::size_t cells_of(const HeapMap& map) {
    std::size_t cells = 0;
    for (const HeapMap::Run& run : map.runs) {
        cells += run.occupancy.size();
    }
    return cells;
}

// Addresses stay: a cell begins where the first of its pair began.
void merge_pairs(HeapMap::Run& run) {
    constexpr std::uint32_t kLargestCell = std::uint32_t{1} << 30U;
    if (run.occupancy.size() < 2 || run.cell_bytes >= kLargestCell) {
        return;
    }
    const std::size_t pairs = (run.occupancy.size() + 1) / 2;
    for (std::size_t i = 0; i < pairs; ++i) {
        const unsigned first = run.occupancy[2 * i];
        const unsigned second = 2 * i + 1 < run.occupancy.size() ? run.occupancy[2 * i + 1] : 0U;
        run.occupancy[i] = static_cast<std::uint8_t>((first + second + 1) / 2);  // 1 and 0 give 1: little is not nothing
    }
    run.occupancy.resize(pairs);
    run.cell_bytes *= 2;
}

}  // namespace

HeapMap with_cells_at_most(const HeapMap& map, std::size_t limit) {
    HeapMap small = map;
    for (std::size_t cells = cells_of(small); cells > limit;) {
        for (HeapMap::Run& run : small.runs) {
            merge_pairs(run);
        }
        const std::size_t fewer = cells_of(small);
        if (fewer == cells) {
            break;
        }
        cells = fewer;
    }
    return small;
}

}  // namespace heapwright::study
