// The chunks other than events come back as they were written, and damage ends them where it stands.
#include <heapwright/trace/read/metadata.hpp>

#include <vector>

#include <doctest/doctest.h>

#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/read/decompressor.hpp>
#include <heapwright/trace/read/framing.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using namespace trace;

template <class Write>
std::vector<std::uint8_t> payload_of(Write write) {
    std::vector<std::uint8_t> room(4096);
    ByteWriter out(room);
    write(out);
    REQUIRE_FALSE(out.overflowed());
    room.resize(out.size());
    return room;
}

ChunkHeader header_of(std::uint32_t items) {
    ChunkHeader header{};
    header.items = items;
    return header;
}

}  // namespace

TEST_CASE("modules come back whole") {
    const std::vector<std::uint8_t> id{1, 2, 3};
    const auto payload = payload_of([&](ByteWriter& out) {
        ModuleWriter writer;
        writer.write(out, Module{.begin = 0x1000, .end = 0x2000, .bias = 0x1000, .path = "/bin/a", .build_id = id});
        writer.write(out, Module{.begin = 0x8000, .end = 0x9000, .bias = 0, .path = "[vdso]", .build_id = {}});
    });
    std::vector<ModuleInfo> modules;
    REQUIRE(decode_modules(header_of(2), payload, modules));
    REQUIRE(modules.size() == 2);
    CHECK(modules[0].path == "/bin/a");
    CHECK(modules[0].build_id == id);
    CHECK(modules[0].bias == 0x1000);
    CHECK(modules[1].begin == 0x8000);
    CHECK(modules[1].end == 0x9000);
    CHECK(modules[1].build_id.empty());
}

TEST_CASE("another number of items than promised is damage, and what was read is kept") {
    const auto payload = payload_of([](ByteWriter& out) {
        write_usable(out, {.requested = 24, .usable = 24});
        write_usable(out, {.requested = 100, .usable = 104});
    });
    std::vector<UsableSize> pairs;
    CHECK_FALSE(decode_usable(header_of(3), payload, pairs));
    REQUIRE(pairs.size() == 2);
    CHECK(pairs[1].usable == 104);
    pairs.clear();
    CHECK(decode_usable(header_of(2), payload, pairs));
    pairs.clear();
    CHECK_FALSE(decode_usable(header_of(2), std::span(payload).first(payload.size() - 1), pairs));
    CHECK(pairs.size() == 1);
}

TEST_CASE("a stack node cannot hang below itself or a later one") {
    const auto payload = payload_of([](ByteWriter& out) {
        StackWriter writer(5);
        writer.write(out, {.parent = static_cast<StackId>(4), .pc = 0x10});
    });
    std::vector<StackNode> nodes;
    REQUIRE(decode_stacks(header_of(1), payload, 5, nodes));
    CHECK(nodes[0].parent == static_cast<StackId>(4));
    nodes.clear();
    CHECK_FALSE(decode_stacks(header_of(1), payload, 1, nodes));  // there is no node before the first
    CHECK(nodes.empty());
}

TEST_CASE("text keeps newlines and backslashes, and a repeated key its last value") {
    const auto payload = payload_of([](ByteWriter& out) {
        write_pair(out, "a", "one\ntwo\\three");
        write_pair(out, "b", std::string_view("1"));
        out.bytes("no pair\n", 8);
        write_pair(out, "b", std::string_view("2"));
    });
    InfoLines lines;
    decode_text(payload, lines);
    CHECK(lines.size() == 2);
    CHECK(lines["a"] == "one\ntwo\\three");
    CHECK(lines["b"] == "2");
}

TEST_CASE("threads, samples and maps come back whole") {
    std::vector<ThreadInfo> threads;
    REQUIRE(decode_threads(
        header_of(1), payload_of([](ByteWriter& out) {
            write_thread(
                out,
                {.thread = static_cast<ThreadIndex>(3), .tid = 77, .first_tick = 5, .last_tick = 9, .finished = true, .name = "worker"});
        }),
        threads));
    CHECK(threads[0].name == "worker");
    CHECK(threads[0].tid == 77);
    CHECK(threads[0].finished);

    std::vector<Sample> samples;
    REQUIRE(decode_samples(header_of(2), payload_of([](ByteWriter& out) {
                               SampleWriter writer;
                               writer.write(out, {.tick = 10,
                                                  .monotonic_ns = 1000,
                                                  .resident_pages = 5,
                                                  .file_pages = 1,
                                                  .minor_faults = 2,
                                                  .major_faults = 0,
                                                  .cpu_ns = 9});
                               writer.write(out, {.tick = 20,
                                                  .monotonic_ns = 1500,
                                                  .resident_pages = 3,
                                                  .file_pages = 1,
                                                  .minor_faults = 4,
                                                  .major_faults = 1,
                                                  .cpu_ns = 19});
                           }),
                           samples));
    CHECK(samples[1].resident_pages == 3);
    CHECK(samples[1].monotonic_ns == 1500);

    std::vector<MapLine> map;
    REQUIRE(decode_mappings(
        header_of(1), payload_of([](ByteWriter& out) {
            MappingWriter().write(out, {.begin = 0x1000, .bytes = 0x3000, .resident_bytes = 0x1000, .anonymous_bytes = 0, .permissions = 3},
                                  "[heap]");
        }),
        map));
    CHECK(map[0].end() == 0x4000);
    CHECK(map[0].name == "[heap]");
}

TEST_CASE("decoders survive any bytes") {
    Random random(3);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::uint8_t> bytes(random.below(80));
        for (std::uint8_t& byte : bytes) {
            byte = static_cast<std::uint8_t>(random.next());
        }
        const ChunkHeader header = header_of(static_cast<std::uint32_t>(random.next()));
        std::vector<ModuleInfo> modules;
        std::vector<StackNode> nodes;
        std::vector<Sample> samples;
        std::vector<MapLine> map;
        std::vector<UsableSize> pairs;
        std::vector<ThreadInfo> threads;
        InfoLines lines;
        static_cast<void>(decode_modules(header, bytes, modules));
        static_cast<void>(decode_stacks(header, bytes, 1, nodes));
        static_cast<void>(decode_samples(header, bytes, samples));
        static_cast<void>(decode_mappings(header, bytes, map));
        static_cast<void>(decode_usable(header, bytes, pairs));
        static_cast<void>(decode_threads(header, bytes, threads));
        decode_text(bytes, lines);
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            CHECK(static_cast<std::size_t>(nodes[i].parent) <= i);
        }
        CHECK(modules.size() + nodes.size() + samples.size() + map.size() + pairs.size() + threads.size() <= 6 * bytes.size());
    }
}

TEST_CASE("a payload of another compression, length or check is refused") {
    Decompressor decompressor;
    const std::vector<std::uint8_t> bytes{1, 2, 3, 4};
    std::vector<std::uint8_t> plain(4);
    ChunkHeader header{};
    header.stored_bytes = header.plain_bytes = 4;
    header.payload_check = fnv1a(bytes.data(), bytes.size());
    CHECK(decompressor.expand(header, bytes, plain));
    CHECK(plain == bytes);
    header.payload_check ^= 1;
    CHECK_FALSE(decompressor.expand(header, bytes, plain));
    header.compression = Compression::zstd;
    CHECK_FALSE(decompressor.expand(header, bytes, plain));
    header.compression = static_cast<Compression>(9);
    CHECK_FALSE(decompressor.expand(header, bytes, plain));
}

}  // namespace heapwright::test
