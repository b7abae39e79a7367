// The walk over chunks: known heaps, random ones against a model that counts byte by byte, and damaged ones.
#include <heapwright/study/doctor/chunk_walk.hpp>

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include <tests/study/doctor/glibc_image.hpp>
#include <tests/support/random.hpp>

namespace heapwright::study::doctor::glibc {
namespace {

constexpr std::uint64_t kBase = 0x5555'5575'0000;

struct Walked {
    ChunkFigures figures;
    const char* broken;
    std::vector<CacheCandidate> candidates;
};

Walked walk(ImageMemory& memory, const Segment& segment, const ChunkSet& fast = {}) {
    const PageRun pages = memory.residency(page_down(segment.start), page_up(segment.end), 0);
    ChunkWalk walk(memory, pages, segment, fast);
    walk.run();
    return {.figures = walk.figures(), .broken = walk.broken_invariant(), .candidates = walk.candidates()};
}

Segment main_segment(std::uint64_t bytes, std::uint64_t top) {
    return {.start = kBase, .begin = kBase, .end = kBase + bytes, .top = top, .is_main = true};
}

/// What a trim gives back of a free run, page by page, as glibc's mtrim() and systrim() do it.
bool is_given_back(std::uint64_t page, std::uint64_t from, std::uint64_t to, bool is_top) {
    if (is_top) {
        const std::uint64_t spare = to - from - kSmallestChunk - 1;
        return to - from > kSmallestChunk + 1 && page >= to - (spare - spare % kPageBytes);
    }
    return to - from > kPageBytes - 1 + kFreeRecordBytes && page >= page_up(from + kFreeRecordBytes) && page + kPageBytes <= to;
}

/// Byte by byte.
ChunkFigures counted_slowly(ImageMemory& memory, const Segment& segment, std::span<const MadeChunk> chunks,
                            std::span<const std::uint64_t> places) {
    ChunkFigures figures;
    const PageRun pages = memory.residency(page_down(segment.start), page_up(segment.end), 0);
    std::uint64_t run = 0;
    for (std::size_t index = 0; index <= chunks.size(); ++index) {
        const bool is_top = index == chunks.size();
        if (!is_top && chunks[index].state == State::used) {
            ++figures.used_chunks;
            for (std::uint64_t at = places[index]; at < places[index] + chunks[index].bytes; ++at) {
                figures.live_bytes += pages.is_resident(at) ? 1U : 0U;
            }
            figures.header_bytes += kHeaderBytes;
            figures.live_bytes -= kHeaderBytes;
            continue;
        }
        const bool begins = index == 0 || chunks[index - 1].state == State::used;
        run = begins ? places[index] : run;
        const bool ends = is_top || (index + 1 < chunks.size() && chunks[index + 1].state == State::used);
        figures.free_chunks += is_top ? 0U : 1U;
        if (!ends) {
            continue;
        }
        const std::uint64_t to = is_top ? segment.end : places[index] + chunks[index].bytes;
        for (std::uint64_t at = run; at < to; ++at) {
            const bool is_given = is_given_back(page_down(at), run, to, is_top);
            const bool is_kept = is_top && !is_given && page_down(at) >= run + kFreeRecordBytes;
            if (pages.is_resident(at)) {
                figures.trimmable_bytes += is_given ? 1 : 0;
                figures.kept_bytes += !is_given && is_kept ? 1 : 0;
                figures.pinned_bytes += !is_given && !is_kept ? 1 : 0;
            }
        }
    }
    return figures;
}

}  // namespace

TEST_CASE("live, free and returnable bytes of a small heap are told apart") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks{{64, State::used}, {4 * kPageBytes, State::freed}, {32, State::used}};
    const std::uint64_t bytes = 16 * kPageBytes;
    memory.touch(kBase, kBase + bytes);
    const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
    const Walked walked = walk(memory, main_segment(bytes, places.back()));
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.live_bytes == 64 + 32 - 2 * kHeaderBytes);
    CHECK(walked.figures.header_bytes == 2 * kHeaderBytes);
    // Three whole pages of the free chunk, and eleven of the top.
    CHECK(walked.figures.trimmable_bytes == (3 + 11) * kPageBytes);
    CHECK(walked.figures.used_chunks == 2);
    CHECK(walked.figures.free_chunks == 1);
    CHECK(walked.figures.uncertain_bytes == 0);
    CHECK(walked.figures.lost == 0);
}

TEST_CASE("the top of another arena is kept, not returnable") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks{{64, State::used}};
    const std::uint64_t bytes = 16 * kPageBytes;
    memory.touch(kBase, kBase + bytes);
    const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
    Segment segment = main_segment(bytes, places.back());
    segment.is_main = false;
    const Walked walked = walk(memory, segment);
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.trimmable_bytes == 0);
    CHECK(walked.figures.kept_bytes == 15 * kPageBytes);
}

TEST_CASE("a heap that grows by huge pages gives back whole ones") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks{{64, State::used}};
    const std::uint64_t bytes = 3 * kHugeBytes;
    memory.touch(kBase, kBase + bytes);
    const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
    Segment segment = main_segment(bytes, places.back());
    segment.trim_step = kHugeBytes;
    const Walked walked = walk(memory, segment);
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.trimmable_bytes == 2 * kHugeBytes);
    CHECK(walked.figures.kept_bytes == kHugeBytes - kPageBytes);
}

TEST_CASE("a heap that is full ends with a fence post") {
    ImageMemory memory;
    const std::uint64_t bytes = 4 * kPageBytes;
    memory.touch(kBase, kBase + bytes);
    const std::vector<MadeChunk> chunks{{bytes - 32, State::used}, {16, State::used}};
    lay_out(memory, kBase, chunks, kBase);  // what closes it has no bytes
    Segment segment = main_segment(bytes, 0);
    segment.is_main = false;
    const Walked walked = walk(memory, segment);
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.uncertain_bytes == 0);
    CHECK(walked.figures.live_bytes == bytes - 32 - kHeaderBytes);
}

TEST_CASE("little is read of a large block") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks(4, MadeChunk{8 << 20, State::used});
    const std::uint64_t bytes = 33 << 20;
    memory.touch(kBase, kBase + bytes);
    const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
    memory.bytes_read = 0;
    const Walked walked = walk(memory, main_segment(bytes, places.back()));
    CHECK(walked.figures.used_chunks == 4);
    CHECK(memory.bytes_read < 1 << 20);
}

TEST_CASE("a heap with pages in swap is followed again behind them") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks(2000, MadeChunk{64, State::used});
    const std::uint64_t bytes = 64 * kPageBytes;
    const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
    memory.drop(kBase + 5 * kPageBytes);
    memory.drop(kBase + 6 * kPageBytes);
    const Walked walked = walk(memory, main_segment(bytes, places.back()));
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.lost == 1);
    CHECK(walked.figures.used_chunks == 2000 - 128);
    CHECK(walked.figures.uncertain_bytes == 0);  // what is not resident takes nothing
}

TEST_CASE("a top that grew since the mappings were read ends where they end") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks{{64, State::used}};
    memory.touch(kBase, kBase + 8 * kPageBytes);
    const auto places = lay_out(memory, kBase, chunks, kBase + 100 * kPageBytes);
    const Walked walked = walk(memory, main_segment(8 * kPageBytes, places.back()));
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.uncertain_bytes == 0);
    CHECK(walked.figures.trimmable_bytes == 7 * kPageBytes);
}

TEST_CASE("a top that moved since the arena was read is still found") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks{{64, State::used}, {1024, State::used}, {64, State::freed}, {512, State::used}};
    memory.touch(kBase, kBase + 8 * kPageBytes);
    const auto places = lay_out(memory, kBase, chunks, kBase + 8 * kPageBytes);
    const Walked walked = walk(memory, main_segment(8 * kPageBytes, places[1]));
    CHECK(walked.broken == nullptr);
    CHECK(walked.figures.used_chunks == 3);
    CHECK(walked.figures.trimmable_bytes == 7 * kPageBytes);
}

TEST_CASE("chunks of the size of a thread's cache are remembered") {
    ImageMemory memory;
    const std::vector<MadeChunk> chunks{{kThreadCacheChunk, State::used}, {64, State::used}, {kOldThreadCacheChunk, State::used}};
    const auto places = lay_out(memory, kBase, chunks, kBase + kPageBytes);
    const Walked walked = walk(memory, main_segment(kPageBytes, places.back()));
    REQUIRE(walked.candidates.size() == 2);
    CHECK(walked.candidates[0].address == kBase);
    CHECK(walked.candidates[1].bytes == kOldThreadCacheChunk);
}

TEST_CASE("random heaps are counted as byte by byte") {
    test::Random random;
    for (int round = 0; round < 40; ++round) {
        ImageMemory memory;
        std::vector<MadeChunk> chunks;
        const std::size_t count = 1 + random.next() % 300;
        for (std::size_t index = 0; index < count; ++index) {
            const bool may_be_freed = chunks.empty() || chunks.back().state != State::freed;
            const std::uint64_t bytes = random.next() % 8 == 0 ? 32 + random.next() % 2000 * 16 : 32 + random.next() % 12 * 16;
            const std::uint64_t kind = random.next() % 4;
            const State kept = kind == 1 ? State::fast : State::used;
            chunks.push_back({bytes, kind == 0 && may_be_freed ? State::freed : kept});
        }
        // A chunk that lies before the top is merged with it, unless it is in use.
        chunks.push_back({64, State::used});
        if (random.next() % 2 == 0) {
            chunks.push_back({32, State::fast});
        }
        const std::uint64_t used = std::accumulate(chunks.begin(), chunks.end(), std::uint64_t{0},
                                                   [](std::uint64_t sum, const MadeChunk& each) { return sum + each.bytes; });
        const std::uint64_t bytes = page_up(used + 64 + random.next() % 50'000);
        const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
        for (std::uint64_t page = kBase; page < kBase + bytes; page += kPageBytes) {
            if (random.next() % 2 == 0) {
                memory.touch(page, page + 1);
            }
        }
        ChunkSet fast;
        for (std::size_t index = 0; index < chunks.size(); ++index) {
            if (chunks[index].state == State::fast) {
                fast.insert(places[index]);
            }
        }
        const Segment segment = main_segment(bytes, places.back());
        const Walked walked = walk(memory, segment, fast);
        const ChunkFigures slow = counted_slowly(memory, segment, chunks, places);
        CAPTURE(round);
        CHECK(walked.broken == nullptr);
        CHECK(walked.figures.live_bytes == slow.live_bytes);
        CHECK(walked.figures.header_bytes == slow.header_bytes);
        CHECK(walked.figures.trimmable_bytes == slow.trimmable_bytes);
        CHECK(walked.figures.pinned_bytes == slow.pinned_bytes);
        CHECK(walked.figures.kept_bytes == slow.kept_bytes);
        CHECK(walked.figures.used_chunks == slow.used_chunks);
        CHECK(walked.figures.free_chunks == slow.free_chunks);
        CHECK(walked.figures.uncertain_bytes == 0);
    }
}

TEST_CASE("damaged heaps and plain noise are walked to the end, and no byte is counted twice") {
    test::Random random;
    for (int round = 0; round < 150; ++round) {
        ImageMemory memory;
        std::vector<MadeChunk> chunks;
        for (std::size_t index = 0; index < 200; ++index) {
            chunks.push_back({32 + random.next() % 40 * 16, index % 5 == 0 ? State::freed : State::used});
        }
        const std::uint64_t bytes = 48 * kPageBytes;
        const auto places = lay_out(memory, kBase, chunks, kBase + bytes);
        const std::size_t hits = round % 3 == 0 ? 20'000 : random.next() % 50;
        for (std::size_t hit = 0; hit < hits; ++hit) {
            // Words that look like sizes are worse than noise.
            const std::uint64_t word = random.next() % 3 == 0 ? random.next() : random.next() % (2 * bytes);
            memory.put(kBase + (random.next() % bytes & ~std::uint64_t{7}), word);
        }
        for (std::uint64_t page = 0; page < 48; ++page) {
            if (random.next() % 16 == 0) {
                memory.drop(kBase + page * kPageBytes);
            }
        }
        Segment segment =
            main_segment(bytes, random.next() % 2 == 0 ? places.back() : kBase + (random.next() % bytes & ~std::uint64_t{15}));
        segment.is_main = random.next() % 2 == 0;
        ChunkSet fast;
        for (int each = 0; each < 50; ++each) {
            fast.insert(kBase + (random.next() % bytes & ~std::uint64_t{15}));
        }
        const Walked walked = walk(memory, segment, fast);
        CAPTURE(round);
        CHECK(walked.broken == nullptr);
    }
}

}  // namespace heapwright::study::doctor::glibc
