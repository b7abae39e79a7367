// What is resident at a moment, split into what live blocks need, what the allocator keeps, and what is not heap.
#include <heapwright/study/analysis/fragmentation.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using namespace study;

/// Ten OS pages of live blocks in a mapping of thirty.
struct Moment {
    Snapshot snapshot;
    LiveTotals totals;
    MemoryMap map;
    UsableSizes usable;

    Moment() {
        for (std::uint64_t page = 0; page < 10; ++page) {
            LiveBlock block;
            block.address = (0x1000 + page) * kOsPageBytes + 64;
            block.size = 1000;
            snapshot.add(block);
        }
        totals = {.blocks = 10, .requested = 10'000, .usable = 10'000};
        map.retained_bytes = 20 * kOsPageBytes;  // the heap was full once, or will be
        map.non_heap_bytes = 5 * kOsPageBytes;
        map.lines.push_back({.where = {0x1000 * kOsPageBytes, 30 * kOsPageBytes, 30 * kOsPageBytes, 30 * kOsPageBytes, 3}, .name = ""});
    }
    [[nodiscard]] Fragmentation measured(std::uint64_t resident_pages) const {
        return measure_fragmentation(snapshot, totals, TouchedShares(&map, snapshot, usable), usable, Scale{},
                                     resident_pages * kOsPageBytes);
    }
};

}  // namespace

TEST_CASE("a map of the same moment says what is retained") {
    const Fragmentation found = Moment().measured(35);
    CHECK(found.occupied_pages == 10);
    CHECK(found.external_bytes == 10 * kOsPageBytes - 10'000);
    CHECK(found.retained_bytes == 20 * kOsPageBytes);
    CHECK(found.non_heap_bytes == 5 * kOsPageBytes);
}

TEST_CASE("with a map of another moment, no more is retained than is resident and in no block") {
    CHECK(Moment().measured(18).retained_bytes == 3 * kOsPageBytes);
    CHECK(Moment().measured(15).retained_bytes == 0);
    CHECK(Moment().measured(7).retained_bytes == 0);  // less resident than the blocks and the map say
}

TEST_CASE("where much more was resident than the map shows, all that is in no block was retained") {
    constexpr std::uint64_t kManyPages = 10'000;
    CHECK(Moment().measured(kManyPages).retained_bytes == (kManyPages - 10 - 5) * kOsPageBytes);
}

TEST_CASE("without a sample the map's word stands, without a map nothing is retained") {
    CHECK(Moment().measured(0).retained_bytes == 20 * kOsPageBytes);
    const Moment moment;
    const TouchedShares unknown(nullptr, moment.snapshot, moment.usable);
    CHECK(measure_fragmentation(moment.snapshot, moment.totals, unknown, moment.usable, Scale{}, 35 * kOsPageBytes).retained_bytes == 0);
}

}  // namespace heapwright::test
