// With how much memory the blocks of a moment could do: known pictures, chance against a slow count, and the moments of a trace.
#include <heapwright/study/analysis/bounds.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/page_table.hpp>

#include <tests/study/analysis/small_traces.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using namespace study;

constexpr std::uint64_t kBase = 0x7f00'0000'0000;

LiveBlock block_at(std::uint64_t address, std::uint64_t size) {
    LiveBlock block;
    block.address = address;
    block.size = size & ((std::uint64_t{1} << 48) - 1);
    return block;
}

MemoryBounds bounds_of(const std::vector<LiveBlock>& blocks) {
    Snapshot snapshot;
    for (const LiveBlock& block : blocks) {
        snapshot.add(block);
    }
    snapshot.sort();
    const UsableSizes usable;
    return measure_bounds(snapshot, usable);
}

/// One block of 256 bytes on each page, at the place that `slot` gives.
template <class Slot>
MemoryBounds of_survivors(std::uint64_t pages, Slot slot) {
    std::vector<LiveBlock> blocks;
    for (std::uint64_t page = 0; page < pages; ++page) {
        blocks.push_back(block_at(kBase + page * kOsPageBytes + slot(page) * 256, 256));
    }
    return bounds_of(blocks);
}

/// Pages and what lives of them, byte by byte.
struct SlowCount {
    std::map<std::uint64_t, std::array<bool, kOsPageBytes>> pages;
    std::uint64_t bytes = 0;

    void add(const LiveBlock& block) {
        for (std::uint64_t i = 0; i < block.size; ++i, ++bytes) {
            pages[(block.address + i) / kOsPageBytes][(block.address + i) % kOsPageBytes] = true;
        }
    }
    [[nodiscard]] std::uint64_t most_at_one_place() const {
        std::uint64_t most = 0;
        for (std::uint64_t first = 0; first < kOsPageBytes; first += 16) {
            most = std::max<std::uint64_t>(most, static_cast<std::uint64_t>(std::ranges::count_if(pages, [&](const auto& page) {
                                               const auto* const begin = page.second.data() + static_cast<std::ptrdiff_t>(first);
                                               return std::find(begin, begin + 16, true) != begin + 16;
                                           })));
        }
        return most;
    }
};

void check_order(const MemoryBounds& bounds) {
    CHECK(bounds.moved_bytes <= bounds.mesh_bound_bytes);
    CHECK(bounds.mesh_bound_bytes <= bounds.meshed_bytes);
    CHECK(bounds.meshed_bytes <= bounds.page_floor_bytes);
}

}  // namespace

TEST_CASE("without blocks nothing is needed") {
    const MemoryBounds bounds = bounds_of({});
    CHECK(bounds.page_floor_bytes + bounds.meshed_bytes + bounds.mesh_bound_bytes + bounds.moved_bytes + bounds.live_blocks == 0);
}

TEST_CASE("blocks at different places of their pages may share memory, at the same place they may not") {
    const MemoryBounds different = of_survivors(160, [](std::uint64_t page) { return page % 16; });
    CHECK(different.live_blocks == 160);
    CHECK(different.live_requested == 160 * 256);
    CHECK(different.page_floor_bytes == 160 * kOsPageBytes);
    CHECK(different.mesh_bound_bytes == 10 * kOsPageBytes);
    CHECK(different.meshed_bytes == 10 * kOsPageBytes);
    CHECK(different.moved_bytes == 10 * kOsPageBytes);
    const MemoryBounds same = of_survivors(160, [](std::uint64_t) { return std::uint64_t{5}; });
    CHECK(same.mesh_bound_bytes == 160 * kOsPageBytes);
    CHECK(same.meshed_bytes == 160 * kOsPageBytes);
    CHECK(same.moved_bytes == 10 * kOsPageBytes);
}

TEST_CASE("the pages that a large block fills cannot be shared, its two ends can") {
    // 100 bytes before a page's end, 300 pages, and 64 bytes of the next; a small block fits beside each end.
    const std::uint64_t end = kBase + 301 * kOsPageBytes + 64;
    const MemoryBounds bounds = bounds_of({block_at(kBase + kOsPageBytes - 112, end - kBase - kOsPageBytes + 112)});
    CHECK(bounds.page_floor_bytes == 302 * kOsPageBytes);
    CHECK(bounds.mesh_bound_bytes == 301 * kOsPageBytes);
    CHECK(bounds.meshed_bytes == 301 * kOsPageBytes);
    CHECK(bounds.moved_bytes == 301 * kOsPageBytes);
}

TEST_CASE("blocks by chance: as a slow count of their bytes says") {
    Random random(3);
    for (unsigned turn = 0; turn < 20; ++turn) {
        std::vector<LiveBlock> blocks;
        SlowCount slow;
        std::uint64_t at = kBase;
        const std::uint64_t largest = std::uint64_t{16} << random.below(12);
        for (unsigned i = 0; i < 300; ++i) {
            at += random.below(2 * largest) / 16 * 16;
            const std::uint64_t size = 1 + random.below(largest);
            blocks.push_back(block_at(at, size));
            slow.add(blocks.back());
            at += (size + 15) / 16 * 16;
        }
        const MemoryBounds bounds = bounds_of(blocks);
        check_order(bounds);
        CHECK(bounds.page_floor_bytes == slow.pages.size() * kOsPageBytes);
        CHECK(bounds.mesh_bound_bytes == slow.most_at_one_place() * kOsPageBytes);
        CHECK(bounds.moved_bytes == (slow.bytes + kOsPageBytes - 1) / kOsPageBytes * kOsPageBytes);
    }
}

TEST_CASE("a search among many pages finds nearly all that can share memory where one block of sixteen is left") {
    Random random(4);
    const MemoryBounds bounds = of_survivors(20'000, [&random](std::uint64_t) { return random.below(16); });
    check_order(bounds);
    CHECK(bounds.meshed_bytes < bounds.mesh_bound_bytes * 21 / 20);
}

TEST_CASE("the bounds of a trace: evenly spaced, at moments that were asked for, of the peak and of the end") {
    TraceBuilder builder;
    constexpr double kTickNs = 64.0 / 3;  // where nothing is known of the clock
    for (std::uint64_t i = 0; i < 16; ++i) {
        builder.allocate(1, 1000 + i * 10, kBase + i * kOsPageBytes + i * 256, 256);
    }
    for (std::uint64_t i = 0; i < 15; ++i) {
        builder.release(1, 1500 + i * 10, kBase + i * kOsPageBytes + i * 256);
    }
    builder.release(1, 2000, 0x1234);  // the last event, of a block that nobody knows
    builder.end();
    const Findings without = findings_of(builder);
    CHECK(without.bounds.empty());
    const Findings with =
        findings_of(builder, {.symbolize = false, .bounds = BoundsMoments{.evenly = 3, .times_ns = {960, 6'400, 5'000'000}}});
    std::string told;
    for (const MemoryBounds& bounds : with.bounds) {
        check_order(bounds);
        told += std::to_string(std::llround(static_cast<double>(bounds.time_ns) / kTickNs)) + " " + bounds.label + ": " +
                std::to_string(bounds.page_floor_bytes / kOsPageBytes) + "\n";
    }
    CHECK(told == "45 : 5\n150 peak: 16\n250 : 16\n300 : 16\n500 : 16\n750 : 1\n1000 end: 1\n");
}

}  // namespace heapwright::test
