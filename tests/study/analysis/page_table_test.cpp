// OS pages against a plain list of blocks, and pictures of them.
#include <heapwright/study/analysis/page_table.hpp>

#include <algorithm>
#include <map>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/fragmentation.hpp>
#include <heapwright/study/analysis/heap_map.hpp>
#include <heapwright/study/analysis/memory_maps.hpp>
#include <heapwright/study/analysis/page_sweep.hpp>
#include <heapwright/study/analysis/pinning.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using namespace study;

constexpr std::uint64_t kBase = 0x7f12'3450'0000;

LiveBlock block_at(std::uint64_t address, std::uint64_t size, std::uint32_t site) {
    BlockRecord record;
    record.address = address;
    record.size = size & kLargestSize;
    record.site = site;
    return LiveBlock(record);
}

trace::MapLine line(std::uint64_t begin, std::uint64_t bytes, std::uint64_t resident) {
    return {.where = {.begin = begin, .bytes = bytes, .resident_bytes = resident, .anonymous_bytes = 0, .permissions = 3}, .name = ""};
}

}  // namespace

TEST_CASE("pages are those of a plain list of blocks") {
    Random random(4);
    PageTable pages;
    std::map<std::uint64_t, std::uint64_t> blocks;  // address -> bytes
    for (int step = 0; step < 6000; ++step) {
        if (random.one_in(2) || blocks.empty()) {
            const std::uint64_t address = kBase + random.below(1 << 22);
            const std::uint64_t bytes = random.one_in(20)  ? random.between(kLargeBlockBytes, 1 << 20)
                                        : random.one_in(4) ? random.between(1, 40'000)
                                                           : random.between(1, 300);
            const auto after = blocks.lower_bound(address);
            const bool is_free = (after == blocks.end() || after->first >= address + bytes) &&
                                 (after == blocks.begin() || std::prev(after)->first + std::prev(after)->second <= address);
            if (is_free) {
                REQUIRE(pages.add(address, bytes));
                blocks[address] = bytes;
            }
        } else {
            auto victim = std::next(blocks.begin(), static_cast<std::ptrdiff_t>(random.below(blocks.size())));
            pages.remove(victim->first, victim->second);
            blocks.erase(victim);
        }
        if (step % 500 == 0) {
            std::map<std::uint64_t, std::uint64_t> plain;
            std::uint64_t bytes = 0;
            for (const auto& [address, length] : blocks) {
                bytes += length;
                for (std::uint64_t page = address / 4096; page <= (address + length - 1) / 4096; ++page) {
                    plain[page] += std::min(address + length, (page + 1) * 4096) - std::max(address, page * 4096);
                }
            }
            CHECK(pages.occupied_pages() == plain.size());
            CHECK(pages.live_bytes() == bytes);
            REQUIRE(pages.broken_invariant() == nullptr);
            for (const LargeBlock& large : pages.large_blocks()) {
                for (std::uint64_t page = large.first_inner_page(); page < large.end_inner_page(); ++page) {
                    plain.erase(page);
                }
            }
            std::map<std::uint64_t, std::uint64_t> seen;
            pages.for_each_page([&](std::uint64_t page, std::uint64_t live) { seen[page] = live; });
            CHECK(seen == plain);
        }
    }
}

TEST_CASE("what does not fit on its pages is refused and changes nothing") {
    PageTable pages;
    REQUIRE(pages.add(kBase, 4000));
    CHECK_FALSE(pages.add(kBase + 100, 200));
    CHECK_FALSE(pages.add(kBase - 2000, 8000));
    CHECK_FALSE(pages.add(kBase - 200'000, 200'100));
    CHECK_FALSE(pages.add(~0ULL - 10, 8));
    CHECK_FALSE(pages.add((1ULL << 47) - 8, 16));
    CHECK_FALSE(pages.add(0x1000, 1ULL << 48));
    CHECK(pages.add((1ULL << 47) - 16, 16));
    CHECK(pages.occupied_pages() == 2);
    CHECK(pages.live_bytes() == 4016);
    CHECK(pages.broken_invariant() == nullptr);
    REQUIRE(pages.add(kBase + 8192, 1 << 20));
    CHECK_FALSE(pages.add(kBase + 8192, 1 << 20));
}

TEST_CASE("used stretches remember small blocks and forget large ones") {
    PageTable pages;
    REQUIRE(pages.add(kBase, 10));
    REQUIRE(pages.add(kBase + 4096, 10));
    REQUIRE(pages.add(kBase + (1 << 23), 1 << 20));
    pages.remove(kBase, 10);
    auto stretches = pages.used_stretches();
    REQUIRE(stretches.size() == 2);
    CHECK(stretches[0].end - stretches[0].first == 2);
    CHECK(stretches[1].end - stretches[1].first == 256);
    pages.remove(kBase + (1 << 23), 1 << 20);
    stretches = pages.used_stretches();
    CHECK(stretches.size() == 3);  // its two ends were pages like others
}

TEST_CASE("a sweep leaves out blocks that lie on others") {
    Snapshot snapshot;
    UsableSizes usable;
    snapshot.add(block_at(kBase, 1 << 20, 0));
    snapshot.add(block_at(kBase + 8192, 100, 1));
    snapshot.add(block_at(kBase + (2 << 20), 100, 2));
    snapshot.sort();
    const auto pinned = measure_pinning(snapshot, TouchedShares(nullptr, snapshot, usable), usable, 3);
    CHECK(pinned[0].bytes == 1 << 20);
    CHECK(pinned[0].free_bytes == 0);
    CHECK(pinned[1].bytes == 0);
    CHECK(pinned[2].free_bytes == 3996);
}

TEST_CASE("a map's cells say how full they are") {
    PageTable pages;
    Snapshot snapshot;
    UsableSizes usable;
    const auto put = [&](std::uint64_t address, std::uint64_t bytes) {
        REQUIRE(pages.add(address, bytes));
        snapshot.add(block_at(address, bytes, 0));
    };
    put(kBase, 4096);
    put(kBase + 4096, 1);
    put(kBase + 3 * 4096, 2048);
    put(kBase + (64 << 20), 1 << 20);
    snapshot.sort();
    for (const HeapMap& map : {draw_map(pages, 100'000), draw_map(snapshot, usable, pages, 100'000)}) {
        REQUIRE(map.runs.size() == 2);
        CHECK(map.runs[0].begin == kBase);
        CHECK(map.runs[0].cell_bytes == 4096);
        CHECK(map.runs[0].occupancy == std::vector<std::uint8_t>{255, 1, 0, 128});
        CHECK(map.runs[1].occupancy == std::vector<std::uint8_t>(256, 255));
    }
    // Fewer cells: they grow until all runs together fit.
    const HeapMap coarse = draw_map(pages, 9);
    CHECK(coarse.runs[0].cell_bytes == 32 * 4096);
    CHECK(coarse.runs[0].occupancy.size() == 1);
    CHECK(coarse.runs[1].occupancy == std::vector<std::uint8_t>(8, 255));
}

TEST_CASE("an empty heap has an empty picture") {
    const PageTable pages;
    CHECK(draw_map(pages, 10).runs.empty());
}

TEST_CASE("the map nearest to the peak is the one that counts") {
    PageTable pages;
    REQUIRE(pages.add(kBase, 100));
    MapHistory history;
    CHECK(history.nearest_to_peak(10) == nullptr);
    const std::vector<trace::MapLine> some{line(kBase, 0x10000, 0x5000), line(0x1000, 0x2000, 0x2000)};
    history.add(100, some, pages);
    history.mark_peak();  // at 150
    history.mark_peak();  // at 180
    CHECK(history.nearest_to_peak(180)->tick == 100);
    history.add(200, {}, pages);
    CHECK(history.nearest_to_peak(180)->tick == 200);
    CHECK(history.nearest_to_peak(120)->tick == 100);
    auto with_recorder = some;
    with_recorder.push_back(
        {.where = {.begin = 0x900000, .bytes = 0x1000, .resident_bytes = 0x1000, .anonymous_bytes = 0, .permissions = 3},
         .name = "[anon:heapwright buffers]"});
    history.add(300, with_recorder, pages);
    CHECK(history.nearest_to_peak(180)->tick == 200);
    CHECK(history.last()->tick == 300);
    CHECK(history.last()->retained_bytes == 0x4000);
    CHECK(history.last()->non_heap_bytes == 0x2000);
    CHECK(history.last()->resident_bytes == 0x7000);
    CHECK(line_of(history.last()->lines, kBase + 5)->where.begin == kBase);
    CHECK(line_of(history.last()->lines, kBase + 0x10000) == nullptr);
    CHECK(line_of(history.last()->lines, 0) == nullptr);
}

TEST_CASE("the memory of a program that runs on heapwright's malloc is the program's, not the recorder's") {
    PageTable pages;
    REQUIRE(pages.add(kBase, 100));
    MapHistory history;
    auto heap = line(kBase, 0x10000, 0x5000);
    heap.name = "[anon:heapwright heap]";
    history.add(100, {{heap}}, pages);
    CHECK(history.last()->retained_bytes == 0x4000);
    CHECK(history.last()->resident_bytes == 0x5000);
}

TEST_CASE("occupancy has a bucket of its own for full pages") {
    CHECK(occupancy_bucket(409) == 0);
    CHECK(occupancy_bucket(410) == 1);
    CHECK(occupancy_bucket(4095) == 9);
    CHECK(occupancy_bucket(4096) == 10);
}

}  // namespace heapwright::test
