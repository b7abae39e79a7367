#include <set>

#include <doctest/doctest.h>

#include "plan_reading.hpp"

#include <heapwright/study/replay/held_pages.hpp>

namespace heapwright::test {

namespace {

trace::MapLine line(std::uint64_t begin, std::uint64_t bytes, std::uint64_t resident, const char* name = "") {
    trace::MapLine map;
    map.where = {.begin = begin, .bytes = bytes, .resident_bytes = resident, .anonymous_bytes = resident, .permissions = 3};
    map.name = name;
    return map;
}

/// What the planner takes for memory that no allocator changes, after these events.
std::uint64_t other_bytes(const std::vector<trace::Event>& events, const std::vector<trace::MapLine>& lines, bool large_blocks_alone) {
    const TemporaryFile file;
    auto writer = study::PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    study::Planner planner(*writer, {}, 0);
    planner.set_large_blocks_alone(large_blocks_alone);
    for (const trace::Event& event : events) {
        planner.on_event(event);
    }
    planner.on_mappings(lines);
    REQUIRE(planner.moments().size() == 1);
    return planner.moments().front().other_bytes;
}

}  // namespace

TEST_CASE("each page that held a block is told once") {
    study::HeldPages pages;
    for (const std::uint64_t address : {0x10008ULL, 0x10ff0ULL, 0x12000ULL, 0x7fff'0000'0010ULL, 0x10008ULL, 0x110010ULL}) {
        pages.note(address);
    }
    std::multiset<std::uint64_t> told;
    pages.for_each([&told](std::uint64_t page) { told.insert(page); });
    CHECK(told == std::multiset<std::uint64_t>{0x10000, 0x12000, 0x7fff'0000'0000, 0x110000});
}

TEST_CASE("a mapping whose blocks are all gone is still the allocator's") {
    const std::vector<trace::MapLine> lines{line(0x10000000, 1 << 20, 600 << 10), line(0x20000000, 1 << 20, 100 << 10)};
    CHECK(other_bytes({allocation(1, 0x10000040, 100), release(1, 0x10000040)}, lines, true) == 100 << 10);
    CHECK(other_bytes({}, lines, true) == 700 << 10);
}

TEST_CASE("a file that lies where a heap once was is none") {
    const std::vector<trace::MapLine> lines{line(0x10000000, 1 << 20, 600 << 10, "/usr/lib/libm.so.6")};
    CHECK(other_bytes({allocation(1, 0x10000040, 100), release(1, 0x10000040)}, lines, true) == 600 << 10);
}

TEST_CASE("a large block is all of its mapping where the allocator maps each for itself, and goes with it") {
    const std::vector<trace::Event> live{allocation(1, 0x10000010, 256 << 10)};
    const std::vector<trace::Event> gone{allocation(1, 0x10000010, 256 << 10), release(1, 0x10000010)};
    // The kernel joined it with 300 KiB of something else.
    const std::vector<trace::MapLine> lines{line(0x10000000, 1 << 20, 560 << 10)};
    CHECK(other_bytes(live, lines, true) == (560 << 10) - (260 << 10));
    CHECK(other_bytes(gone, lines, true) == 560 << 10);
    // Another allocator has it among its own, and keeps the memory.
    CHECK(other_bytes(live, lines, false) == 0);
    CHECK(other_bytes(gone, lines, false) == 0);
}

TEST_CASE("what a preloaded allocator wrote in its own data is the heap's") {
    const TemporaryFile file;
    auto writer = study::PlanWriter::create(file.path());
    REQUIRE(writer.has_value());
    study::Planner planner(*writer, {}, 0);
    planner.set_allocator_file("/usr/lib/libtcmalloc_minimal.so.4");
    std::vector<trace::MapLine> lines{line(0x10000000, 1 << 20, 600 << 10, "/usr/lib/libtcmalloc_minimal.so.4.5.10"),
                                      line(0x10100000, 1 << 20, 100 << 10, "/usr/lib/libtcmalloc_minimal.so.4.5.10"),
                                      line(0x10200000, 1 << 20, 50 << 10), line(0x10300000, 1 << 20, 30 << 10)};
    lines[0].where.anonymous_bytes = 0;  // code
    planner.on_mappings(lines);
    REQUIRE(planner.moments().size() == 1);
    CHECK(planner.moments().front().other_bytes == (600 << 10) + (30 << 10));
}

}  // namespace heapwright::test
