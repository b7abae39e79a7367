// Files of any bytes: what is whole is read, what is not is counted, and nothing is believed unchecked.
#include <heapwright/trace/read/reader.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/trace/read/event_cursor.hpp>

#include <tests/support/random.hpp>
#include <tests/trace/read/trace_builder.hpp>

namespace heapwright::test {
namespace {

using namespace trace;

std::vector<std::uint8_t> small_trace(bool compressed) {
    TraceBuilder builder(compressed);
    builder.info({{"program", "/usr/bin/true"}});
    const StackId stack = builder.stack({0x1000, 0x2000});
    for (std::uint64_t i = 0; i < 20; ++i) {
        builder.allocate(1 + i % 2, 100 + i, 0x10000 + i * 64, 40 + i, stack);
    }
    builder.flush().watermark(120).release(1, 130, 0x10000).end();
    return builder.bytes();
}

/// Every event of every chunk that can be read.
std::vector<Event> all_events(Reader& reader) {
    std::vector<Event> events;
    EventCursor cursor;
    std::vector<Event> batch(7);
    for (const ChunkRef& chunk : reader.chunks()) {
        if (chunk.header.kind != ChunkKind::events || !reader.load(chunk, cursor.payload()) || !cursor.start(chunk.header, 0)) {
            continue;
        }
        std::size_t count = 0;
        do {
            count = cursor.next(batch);
            events.insert(events.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(count));
        } while (count == batch.size());
    }
    return events;
}

/// Offsets at which a whole chunk ends, the file header's end first.
std::vector<std::uint64_t> chunk_ends(const std::vector<std::uint8_t>& bytes) {
    std::vector<std::uint64_t> ends{sizeof(FileHeader)};
    while (ends.back() < bytes.size()) {
        ChunkHeader header{};
        std::memcpy(&header, bytes.data() + ends.back(), sizeof header);
        ends.push_back(ends.back() + sizeof header + header.stored_bytes);
    }
    return ends;
}

}  // namespace

TEST_CASE("a whole file is used to its last byte") {
    for (const bool compressed : {false, true}) {
        const auto bytes = small_trace(compressed);
        auto reader = Reader::open(write_bytes("whole", bytes));
        REQUIRE(reader.has_value());
        CHECK(reader->outline().events == 21);
        CHECK(reader->outline().first_tick == 100);
        CHECK(reader->outline().last_tick == 130);
        CHECK(reader->outline().valid_bytes == bytes.size());
        CHECK(reader->outline().has_end);
        CHECK_FALSE(reader->outline().damaged);
        CHECK(all_events(*reader).size() == 21);
        CHECK(reader->health().used_bytes == bytes.size());
        CHECK_FALSE(reader->health().damaged());
    }
}

TEST_CASE("a file cut at any byte is readable up to its last whole chunk") {
    const auto bytes = small_trace(true);
    const auto ends = chunk_ends(bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        CAPTURE(cut);
        auto reader = Reader::open(write_bytes("cut", std::span(bytes).first(cut)));
        if (cut < sizeof(FileHeader)) {
            REQUIRE_FALSE(reader.has_value());
            CHECK(reader.error().kind == Errc::damaged_data);
            continue;
        }
        REQUIRE(reader.has_value());
        const std::uint64_t whole = *std::prev(std::ranges::upper_bound(ends, cut));
        CHECK(reader->outline().valid_bytes == whole);
        CHECK(reader->health().tail_bytes == cut - whole);
        CHECK(reader->outline().damaged == (cut != whole));
        CHECK(all_events(*reader).size() == reader->outline().events);
        CHECK(reader->health().used_bytes == whole);
    }
}

TEST_CASE("a changed byte is never taken for data") {
    for (const bool compressed : {false, true}) {
        const auto good = small_trace(compressed);
        auto whole = Reader::open(write_bytes("good", good));
        const auto events = all_events(*whole);
        for (std::size_t at = 0; at < good.size(); ++at) {
            CAPTURE(at);
            auto bad = good;
            bad[at] ^= 0x40;
            auto reader = Reader::open(write_bytes("bad", bad));
            if (!reader) {
                CHECK(at < sizeof(FileHeader));
                continue;
            }
            // What is still read is some of what was written: whole chunks are missing, and nothing else has come in.
            const auto left = all_events(*reader);
            std::size_t next = 0;
            for (const Event& event : left) {
                while (next < events.size() && std::memcmp(&events[next].address, &event.address, 8) != 0) {
                    ++next;
                }
                CHECK(next++ < events.size());
            }
            CHECK(left.size() + reader->health().lost_events == reader->outline().events);
        }
    }
}

TEST_CASE("a chunk with a damaged payload is left out and those behind it are used") {
    TraceBuilder builder;
    builder.allocate(1, 10, 0x1000, 8).allocate(1, 11, 0x2000, 8).flush();
    const std::size_t first_end = builder.bytes().size();
    builder.allocate(1, 20, 0x3000, 8).end();
    auto bytes = builder.bytes();
    bytes[first_end - 3] ^= 1;
    auto reader = Reader::open(write_bytes("payload", bytes));
    REQUIRE(reader.has_value());
    const auto events = all_events(*reader);
    REQUIRE(events.size() == 1);
    CHECK(events[0].address == 0x3000);
    CHECK(reader->health().damaged_chunks == 1);
    CHECK(reader->health().lost_events == 2);
    CHECK(reader->health().damaged_at == sizeof(FileHeader));
    CHECK(reader->health().used_bytes == bytes.size() - (first_end - sizeof(FileHeader)));
    all_events(*reader);
    CHECK(reader->health().damaged_chunks == 1);  // counted once, however often it is read
}

TEST_CASE("another major version is refused and another minor one is read") {
    auto bytes = small_trace(true);
    FileHeader header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    header.version_minor = kVersionMinor + 3;
    std::memcpy(bytes.data(), &header, sizeof header);
    CHECK(Reader::open(write_bytes("minor", bytes)).has_value());
    header.version_major = kVersionMajor + 1;
    std::memcpy(bytes.data(), &header, sizeof header);
    const auto refused = Reader::open(write_bytes("major", bytes));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == Errc::unsupported_version);
    CHECK(refused.error().number == kVersionMajor + 1);
}

TEST_CASE("a longer file header of a newer minor version is skipped") {
    auto bytes = small_trace(true);
    FileHeader header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    header.header_bytes = sizeof header + 24;
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes.insert(bytes.begin() + sizeof header, 24, 0xEE);
    const auto reader = Reader::open(write_bytes("longer", bytes));
    REQUIRE(reader.has_value());
    CHECK(reader->outline().events == 21);
    CHECK_FALSE(reader->outline().damaged);
}

TEST_CASE("chunks of unknown kinds are skipped") {
    TraceBuilder builder;
    builder.allocate(1, 10, 0x1000, 8).flush();
    const std::vector<std::uint8_t> payload{1, 2, 3};
    ChunkHeader header{};
    header.magic = kChunkMagic;
    header.kind = static_cast<ChunkKind>(200);
    header.stored_bytes = header.plain_bytes = 3;
    builder.chunk(sealed(header), payload).allocate(1, 11, 0x2000, 8).end();
    auto reader = Reader::open(builder.write("unknown"));
    REQUIRE(reader.has_value());
    CHECK(reader->health().skipped_chunks == 1);
    CHECK(all_events(*reader).size() == 2);
    CHECK_FALSE(reader->health().damaged());
}

TEST_CASE("lengths beyond the limits end the file") {
    for (const bool stored : {true, false}) {
        TraceBuilder builder;
        builder.allocate(1, 10, 0x1000, 8).flush();
        const std::size_t good = builder.bytes().size();
        ChunkHeader header{};
        header.magic = kChunkMagic;
        header.kind = ChunkKind::events;
        header.compression = Compression::zstd;
        header.stored_bytes = stored ? kMaxStoredBytes + 1 : 4;
        header.plain_bytes = stored ? 4 : kMaxPlainBytes + 1;
        builder.chunk(sealed(header), std::vector<std::uint8_t>(16));
        auto reader = Reader::open(builder.write("limits"));
        REQUIRE(reader.has_value());
        CHECK(reader->outline().valid_bytes == good);
        CHECK(reader->outline().damaged);
    }
}

TEST_CASE("what is no trace is refused with the reason") {
    const auto kind_of = [](const std::string& path) {
        const auto reader = Reader::open(path);
        REQUIRE_FALSE(reader.has_value());
        return reader.error().kind;
    };
    CHECK(kind_of("/nowhere/at/all.hwtrace") == Errc::not_found);
    CHECK(kind_of(write_bytes("empty", {})) == Errc::damaged_data);
    CHECK(kind_of("/tmp") == Errc::invalid_argument);
    Random random(7);
    for (int round = 0; round < 50; ++round) {
        std::vector<std::uint8_t> bytes(random.below(300));
        std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random.next()); });
        CHECK(kind_of(write_bytes("noise", bytes)) == Errc::damaged_data);
    }
}

TEST_CASE("a trace without any chunk is an empty trace") {
    TraceBuilder builder;
    auto reader = Reader::open(builder.write("nothing"));
    REQUIRE(reader.has_value());
    CHECK(reader->outline().events == 0);
    CHECK_FALSE(reader->outline().has_end);
    CHECK_FALSE(reader->health().damaged());
}

TEST_CASE("for_each_chunk hands out every whole chunk in file order") {
    auto reader = Reader::open(write_bytes("each", small_trace(true)));
    std::vector<ChunkKind> kinds;
    REQUIRE(reader->for_each_chunk([&](const ChunkRef& chunk, std::span<const std::uint8_t> payload) {
        kinds.push_back(chunk.header.kind);
        CHECK(payload.size() == chunk.header.plain_bytes);
    }));
    CHECK(kinds == std::vector<ChunkKind>{ChunkKind::info, ChunkKind::stacks, ChunkKind::events, ChunkKind::events, ChunkKind::watermark,
                                          ChunkKind::events, ChunkKind::end});
}

TEST_CASE("ticks of a chunk never run backwards") {
    EventCursor cursor;
    TraceBuilder builder;
    builder.allocate(1, 50, 0x1000, 8).allocate(1, 60, 0x2000, 8).flush();
    auto reader = Reader::open(builder.write("ticks"));
    const ChunkRef& chunk = reader->chunks()[0];
    REQUIRE(reader->load(chunk, cursor.payload()));
    REQUIRE(cursor.start(chunk.header, 55));
    std::vector<Event> events(3);
    REQUIRE(cursor.next(events) == 2);
    CHECK(events[0].tick == 55);
    CHECK(events[1].tick == 60);
}

}  // namespace heapwright::test
