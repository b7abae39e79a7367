// Arenas, fast bins and threads' caches in made memory: found by their shape, in every form that glibc had.
#include <algorithm>
#include <array>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/doctor/free_lists.hpp>
#include <heapwright/study/doctor/glibc_heap.hpp>
#include <heapwright/study/doctor/glibc_walk.hpp>

#include <tests/study/doctor/glibc_image.hpp>
#include <tests/support/random.hpp>

namespace heapwright::study::doctor::glibc {
namespace {

constexpr std::uint64_t kData = 0x7f12'3456'7000;
constexpr std::uint64_t kArena = kData + 0xc60;
constexpr std::uint64_t kBrk = 0x5555'5575'0000;
constexpr std::uint64_t kOther = 0x7f00'0400'0000;  // a multiple of 64 MiB

ProcessMapping mapping(std::uint64_t start, std::uint64_t bytes, const char* path, std::uint64_t inode) {
    ProcessMapping made;
    made.start = start;
    made.end = start + bytes;
    made.readable = made.writable = true;
    made.path = path;
    made.inode = inode;
    made.resident_bytes = bytes;
    return made;
}

/// A process with a main heap and one more arena of two heaps.
struct Process {
    ImageMemory memory;
    std::vector<ProcessMapping> mappings;
    Arena main = fresh_arena(kArena);
    std::vector<std::uint64_t> main_chunks;
    std::vector<std::uint64_t> other_chunks;
    std::uint64_t other = 0;
    Arena second{};

    explicit Process(std::uint64_t head_bytes = kHeapHeadBytes) {
        mappings.push_back(mapping(kBrk, 16 * kPageBytes, "[heap]", 0));
        mappings.push_back(mapping(kOther, 8 * kPageBytes, "", 0));
        mappings.push_back(mapping(kOther + kHeapBytes, 4 * kPageBytes, "", 0));
        mappings.push_back(mapping(kData, 4 * kPageBytes, "/usr/lib/x86_64-linux-gnu/libc.so.6", 7));
        memory.touch(kData, kData + 4 * kPageBytes);
        const std::vector<MadeChunk> chunks{
            {kThreadCacheChunk, State::used}, {64, State::used}, {64, State::used}, {64, State::used}, {32, State::used}};
        memory.touch(kBrk, kBrk + 16 * kPageBytes);
        main_chunks = lay_out(memory, kBrk, chunks, kBrk + 16 * kPageBytes);
        main.top = main_chunks.back();
        main.system_bytes = main.most_system_bytes = 16 * kPageBytes;

        other = kOther + head_bytes;  // NOLINT(*-prefer-member-initializer): beside what uses it
        const std::uint64_t begin = (other + sizeof(Arena) + 15) & ~std::uint64_t{15};
        memory.touch(kOther, kOther + 8 * kPageBytes);
        other_chunks = lay_out(memory, begin, chunks, kOther + 8 * kPageBytes - 32);
        memory.put(kOther, HeapHead{.arena = other, .previous = 0, .bytes = 8 * kPageBytes, .writable_bytes = 8 * kPageBytes});
        memory.touch(kOther + kHeapBytes, kOther + kHeapBytes + 4 * kPageBytes);
        const auto newer = lay_out(memory, kOther + kHeapBytes + head_bytes, chunks, kOther + kHeapBytes + 4 * kPageBytes);
        memory.put(kOther + kHeapBytes,
                   HeapHead{.arena = other, .previous = kOther, .bytes = 4 * kPageBytes, .writable_bytes = 4 * kPageBytes});
        second = fresh_arena(other);
        second.top = newer.back();
        main.next = other;
        second.next = kArena;
        write();
    }
    void write() {
        memory.put(kArena, main);
        memory.put(other, second);
    }
};

/// A thread's cache that holds two of the blocks of 64 bytes.
void fill_cache(Process& process, bool is_mixed) {
    ThreadCache cache{};
    const std::uint64_t last = process.main_chunks[1] + kBlockOffset;
    const std::uint64_t first = process.main_chunks[3] + kBlockOffset;
    cache.counts[2] = 2;
    cache.entries[2] = first;
    process.memory.put(first, unmixed(first, last, is_mixed));
    process.memory.put(last, unmixed(last, 0, is_mixed));
    process.memory.put(process.main_chunks[0] + kBlockOffset, cache);
}

}  // namespace

TEST_CASE("the main arena is found among the data of libc, whatever surrounds it") {
    Process process;
    test::Random random;
    for (std::uint64_t at = kData; at < kArena; at += 8) {
        process.memory.put(at, random.next());
    }
    const auto found = find_main_arena(process.memory, process.mappings, false);
    REQUIRE(found.has_value());
    CHECK(*found == kArena);
}

TEST_CASE("no arena is found where there is none") {
    Process process;
    test::Random random;
    for (int round = 0; round < 10; ++round) {
        for (std::uint64_t at = kData; at < kData + 4 * kPageBytes; at += 8) {
            process.memory.put(at, random.one_in(2) ? random.next() : kData + random.below(4 * kPageBytes) / 16 * 16);
        }
        CHECK_FALSE(find_main_arena(process.memory, process.mappings, false).has_value());
    }
}

TEST_CASE("the data of other files is not looked at, but that of a static executable is") {
    Process process;
    process.mappings[3].path = "/usr/bin/program";
    CHECK_FALSE(find_main_arena(process.memory, process.mappings, false).has_value());
    CHECK(find_main_arena(process.memory, process.mappings, true).has_value());
    process.mappings[3].path = "/lib/x86_64-linux-gnu/libc-2.31.so";
    CHECK(find_main_arena(process.memory, process.mappings, false).has_value());
}

TEST_CASE("an arena that holds chunks in some rings is one, one with a broken ring is none") {
    Process process;
    process.main.bins[20] = process.main.bins[21] = kBrk + 0x400;
    CHECK(is_arena(process.main, kArena));
    process.main.bins[20] = kBrk + 0x401;
    CHECK_FALSE(is_arena(process.main, kArena));
    CHECK_FALSE(is_arena(Arena{}, kArena));
}

TEST_CASE("arenas of other threads and all their heaps are found, with old and new heads") {
    for (const std::uint64_t head_bytes : {kOldHeapHeadBytes, kHeapHeadBytes}) {
        Process process(head_bytes);
        const auto places = find_arenas(process.memory, process.mappings, kArena);
        REQUIRE(places.size() == 2);
        CHECK(places[0].is_main);
        REQUIRE(places[0].segments.size() == 1);
        CHECK(places[0].segments[0].top == process.main_chunks.back());
        CHECK(places[1].address == kOther + head_bytes);
        REQUIRE(places[1].segments.size() == 2);
        CHECK(places[1].segments[0].begin == process.other_chunks.front());
        CHECK(places[1].segments[0].top == 0);
        CHECK(places[1].segments[1].begin == kOther + kHeapBytes + head_bytes);
        CHECK(places[1].segments[1].top == process.second.top);
    }
}

TEST_CASE("a ring of arenas that leads astray is followed as far as it makes sense") {
    Process process;
    process.second.next = kOther + 0x100;
    process.write();
    CHECK(find_arenas(process.memory, process.mappings, kArena).size() == 2);
    process.second.next = process.other;
    process.write();
    CHECK(find_arenas(process.memory, process.mappings, kArena).size() == 2);
}

TEST_CASE("a main heap that brk could not grow is found by its top") {
    Process process;
    process.mappings[0].path = "";
    const auto places = find_arenas(process.memory, process.mappings, kArena);
    REQUIRE(places[0].segments.size() == 1);
    CHECK_FALSE(places[0].segments[0].is_main);
    CHECK(places[0].segments[0].top == process.main_chunks.back());
}

TEST_CASE("fast bins are followed with links as they are and with mixed ones") {
    for (const bool is_mixed : {true, false}) {
        Process process;
        process.main.fast[2] = link_fast(process.memory, std::vector{process.main_chunks[1], process.main_chunks[3]}, is_mixed);
        process.main.fast[0] = link_fast(process.memory, std::vector{process.main_chunks[4]}, is_mixed);
        process.write();
        const auto places = find_arenas(process.memory, process.mappings, kArena);
        const ChunkSet chunks = fast_chunks(process.memory, places[0]);
        CHECK(chunks.size() == 3);
        CHECK(chunks.contains(process.main_chunks[1]));
        CHECK_FALSE(chunks.contains(process.main_chunks[2]));
    }
}

TEST_CASE("a fast bin that leads in a circle or out of the heap ends") {
    Process process;
    process.main.fast[2] = link_fast(process.memory, std::vector{process.main_chunks[1], process.main_chunks[3]}, true);
    const std::uint64_t last = process.main_chunks[1] + kBlockOffset;
    process.memory.put(last, unmixed(last, process.main_chunks[3], true));
    process.main.fast[3] = 0x7777'7777'0000;
    process.main.fast[4] = process.main_chunks[1];  // of another size
    process.write();
    CHECK(fast_chunks(process.memory, find_arenas(process.memory, process.mappings, kArena)[0]).size() == 2);
}

TEST_CASE("what a thread keeps for itself is counted as cached, not live") {
    for (const bool is_mixed : {true, false}) {
        Process process;
        fill_cache(process, is_mixed);
        const auto places = find_arenas(process.memory, process.mappings, kArena);
        const HeapFigures figures = examine_arenas(process.memory, process.mappings, places);
        CHECK(figures.caches == 1);
        CHECK(figures.cached_blocks == 2);
        CHECK(figures.cached_bytes == 2 * (64 - kHeaderBytes));
        CHECK(figures.chunks.used_chunks == 3 * 5 + 1 - 3);  // one fills the older heap up
        std::uint64_t covered = 0;
        for (const Covered& each : figures.covered) {
            covered += each.resident_bytes;
        }
        const ChunkFigures& chunks = figures.chunks;
        CHECK(covered == chunks.live_bytes + chunks.header_bytes + chunks.trimmable_bytes + chunks.kept_bytes + chunks.pinned_bytes +
                             chunks.uncertain_bytes + figures.cached_bytes + figures.record_bytes);
    }
}

TEST_CASE("a block that only has the size of a thread's cache is none") {
    Process process;
    test::Random random;
    const auto places = find_arenas(process.memory, process.mappings, kArena);
    for (int round = 0; round < 50; ++round) {
        for (std::uint64_t at = 0; at < 640; at += 8) {
            process.memory.put(process.main_chunks[0] + kBlockOffset + at, random.one_in(3) ? 0 : random.below(1 << 20));
        }
        CHECK(examine_arenas(process.memory, process.mappings, places).caches == 0);
    }
}

TEST_CASE("examining damaged arenas ends, and counts each byte once") {
    test::Random random;
    for (int round = 0; round < 60; ++round) {
        Process process;
        fill_cache(process, true);
        process.main.fast[2] = process.main_chunks[2];
        process.write();
        for (std::uint64_t hit = random.below(200); hit > 0; --hit) {
            const std::uint64_t base = random.one_in(2) ? kBrk : kOther;
            const std::uint64_t word = random.one_in(2) ? random.next() : base + random.below(16 * kPageBytes) / 16 * 16;
            process.memory.put(base + random.below(8 * kPageBytes) / 8 * 8, word);
        }
        const auto places = find_arenas(process.memory, process.mappings, kArena);
        const HeapFigures figures = examine_arenas(process.memory, process.mappings, places);
        std::uint64_t covered = 0;
        for (const Covered& each : figures.covered) {
            covered += each.resident_bytes;
        }
        const ChunkFigures& chunks = figures.chunks;
        CHECK(covered == chunks.live_bytes + chunks.header_bytes + chunks.trimmable_bytes + chunks.kept_bytes + chunks.pinned_bytes +
                             chunks.uncertain_bytes + figures.cached_bytes + figures.record_bytes);
    }
}

TEST_CASE("blocks with mappings of their own are found where the kernel joined them") {
    ImageMemory memory;
    const std::uint64_t start = 0x7f00'1000'0000;
    memory.touch(start, start + 100 * kPageBytes);
    memory.put(start + 8, (40 * kPageBytes) | kMapped);
    memory.put(start + 41 * kPageBytes + 8, (50 * kPageBytes) | kMapped);  // a page of something else between them
    const MappedBlocks found = MappedBlockSearch{memory}.find(mapping(start, 100 * kPageBytes, "", 0));
    CHECK(found.blocks == 2);
    CHECK(found.live_bytes == 90 * kPageBytes - 4 * kHeaderBytes);
    CHECK(MappedBlockSearch{memory}.find(mapping(start + kPageBytes, 4 * kPageBytes, "", 0)).blocks == 0);
}

TEST_CASE("aligned blocks with mappings of their own are found by the header before them") {
    const std::uint64_t start = 0x7f00'1000'0000;
    for (const std::uint64_t offset : {std::uint64_t{48}, std::uint64_t{4080}, 3 * kPageBytes + 4080}) {
        ImageMemory memory;
        memory.touch(start + page_down(offset), start + 100 * kPageBytes);
        memory.put(start + offset, std::array<std::uint64_t, 2>{offset, (100 * kPageBytes - offset) | kMapped});
        const MappedBlocks found = MappedBlockSearch{memory}.find(mapping(start, 100 * kPageBytes, "", 0));
        CHECK(found.blocks == 1);
        CHECK(found.live_bytes == 100 * kPageBytes - page_down(offset) - 2 * kHeaderBytes);
    }
}

TEST_CASE("the search for mapped blocks loses patience, but looks at the start of each mapping") {
    const std::uint64_t start = 0x7f00'1000'0000;
    ImageMemory memory;
    memory.touch(start, start + 100 * kPageBytes);
    memory.put(start + 50 * kPageBytes + 8, (10 * kPageBytes) | kMapped);
    MappedBlockSearch search(memory, 20);
    CHECK(search.find(mapping(start, 100 * kPageBytes, "", 0)).blocks == 0);
    CHECK(search.find(mapping(start + 50 * kPageBytes, 10 * kPageBytes, "", 0)).blocks == 1);
    CHECK(MappedBlockSearch{memory}.find(mapping(start, 100 * kPageBytes, "", 0)).blocks == 1);
}

}  // namespace heapwright::study::doctor::glibc
