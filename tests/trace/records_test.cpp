// The payloads of the small chunks: round trips, and bytes that are not what they should be.
#include <heapwright/trace/records.hpp>

#include <array>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

using namespace heapwright;
using namespace heapwright::trace;

namespace {

/// Reads records from random bytes until they end; only survival is asked.
template <class Reader, class Record>
void drain(const std::vector<std::uint8_t>& bytes) {
    Reader reader(bytes);
    Record record{};
    std::size_t records = 0;
    while (reader.next(record)) {
        ++records;
    }
    CHECK(records <= bytes.size());
}

}  // namespace

TEST_CASE("stack nodes keep parent and address across chunks") {
    const std::vector<StackNode> nodes = {{StackId::none, 0x401000}, {StackId{1}, 0x401200}, {StackId{2}, 0x7f0000001000},
                                          {StackId{1}, 0x401210},    {StackId::none, ~0ULL}, {StackId{3}, 0}};
    std::array<std::uint8_t, 256> room{};
    for (std::size_t split = 0; split <= nodes.size(); ++split) {
        std::vector<StackNode> read;
        for (const auto& [from, to] : {std::pair{std::size_t{0}, split}, std::pair{split, nodes.size()}}) {
            ByteWriter out(room);
            StackWriter writer(static_cast<std::uint32_t>(from + 1));
            for (std::size_t at = from; at < to; ++at) {
                writer.write(out, nodes[at]);
            }
            StackReader reader(out.written(), {.next = static_cast<std::uint32_t>(from + 1)});
            StackNode node{};
            while (reader.next(node)) {
                read.push_back(node);
            }
            CHECK(!reader.is_damaged());
        }
        REQUIRE(read.size() == nodes.size());
        for (std::size_t at = 0; at < nodes.size(); ++at) {
            CHECK(read[at].parent == nodes[at].parent);
            CHECK(read[at].pc == nodes[at].pc);
        }
    }
}

TEST_CASE("a stack node whose parent comes later is refused") {
    std::array<std::uint8_t, 32> room{};
    ByteWriter out(room);
    out.varint(2);  // two before the first node
    out.signed_varint(0x1000);
    StackReader reader(out.written());
    StackNode node{};
    CHECK(!reader.next(node));
    CHECK(reader.is_damaged());
}

TEST_CASE("modules keep their ranges, paths and build-ids") {
    std::array<std::uint8_t, 256> room{};
    ByteWriter out(room);
    const std::array<std::uint8_t, 3> id = {1, 2, 3};
    ModuleWriter writer;
    writer.write(out, {.begin = 0x7f0000, .end = 0x7f9000, .bias = 0x7f0000, .path = "/lib/a.so", .build_id = id});
    writer.write(out, {.begin = 0x400000, .end = 0x401000, .bias = 0, .path = "", .build_id = {}});
    ModuleReader reader(out.written());
    Module module;
    REQUIRE(reader.next(module));
    CHECK(module.begin == 0x7f0000);
    CHECK(module.end == 0x7f9000);
    CHECK(module.bias == 0x7f0000);
    CHECK(module.path == "/lib/a.so");
    CHECK(std::vector<std::uint8_t>(module.build_id.begin(), module.build_id.end()) == std::vector<std::uint8_t>{1, 2, 3});
    REQUIRE(reader.next(module));
    CHECK(module.begin == 0x400000);
    CHECK(module.bias == 0);
    CHECK(module.build_id.empty());
    CHECK(!reader.next(module));
    CHECK(!reader.is_damaged());
}

TEST_CASE("samples, mappings, usable sizes and threads come back as written") {
    std::array<std::uint8_t, 512> room{};
    {
        ByteWriter out(room);
        SampleWriter writer;
        const Sample first = {100, 1'000'000, 5000, 300, 70, 1, 2'000'000};
        const Sample second = {90, 2'000'000, 10, 400, 70, 1, 3'000'000};
        writer.write(out, first);
        writer.write(out, second);
        SampleReader reader(out.written());
        Sample sample{};
        REQUIRE(reader.next(sample));
        CHECK(sample.cpu_ns == first.cpu_ns);
        REQUIRE(reader.next(sample));
        CHECK(sample.tick == second.tick);
        CHECK(sample.resident_pages == second.resident_pages);
        CHECK(!reader.next(sample));
        CHECK(!reader.is_damaged());
    }
    {
        ByteWriter out(room);
        MappingWriter writer;
        writer.write(out, {.begin = 0x1000, .bytes = 0x2000, .resident_bytes = 0x1000, .anonymous_bytes = 0, .permissions = 5}, "[heap]");
        writer.write(out, {.begin = 0x9000, .bytes = 0x1000, .resident_bytes = 0, .anonymous_bytes = 0, .permissions = 3}, "");
        MappingReader reader(out.written());
        NamedMapping mapping;
        REQUIRE(reader.next(mapping));
        CHECK(mapping.name == "[heap]");
        CHECK(mapping.mapping.permissions == 5);
        REQUIRE(reader.next(mapping));
        CHECK(mapping.mapping.begin == 0x9000);
        CHECK(!reader.next(mapping));
    }
    {
        ByteWriter out(room);
        write_usable(out, {.requested = 100, .usable = 104});
        write_usable(out, {.requested = 0, .usable = 24});
        UsableReader reader(out.written());
        UsableSize pair;
        REQUIRE(reader.next(pair));
        CHECK(pair.usable == 104);
        REQUIRE(reader.next(pair));
        CHECK(pair.usable == 24);
    }
    {
        ByteWriter out(room);
        write_thread(out, {.thread = ThreadIndex{7}, .tid = 4711, .first_tick = 5, .last_tick = 50, .finished = true, .name = "worker"});
        ThreadReader reader(out.written());
        ThreadRecord thread;
        REQUIRE(reader.next(thread));
        CHECK(thread.thread == ThreadIndex{7});
        CHECK(thread.tid == 4711);
        CHECK(thread.last_tick == 50);
        CHECK(thread.finished);
        CHECK(thread.name == "worker");
    }
}

TEST_CASE("text keeps newlines, backslashes and equal signs") {
    std::array<std::uint8_t, 256> room{};
    ByteWriter out(room);
    write_pair(out, "arguments", "a\\b\nc=d");
    write_pair(out, "events", 12345);
    TextReader reader(out.written());
    std::string_view key;
    std::string_view value;
    REQUIRE(reader.next(key, value));
    CHECK(key == "arguments");
    std::string plain(value);
    plain.resize(unescape(value, plain.data()));
    CHECK(plain == "a\\b\nc=d");
    REQUIRE(reader.next(key, value));
    CHECK(key == "events");
    CHECK(value == "12345");
    CHECK(!reader.next(key, value));
}

TEST_CASE("every small payload survives random bytes") {
    std::mt19937_64 random(test::seed());
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::uint8_t> bytes(random() % 200);
        for (auto& byte : bytes) {
            byte = static_cast<std::uint8_t>(random() % (round % 2 == 0 ? 256 : 24));
        }
        drain<StackReader, StackNode>(bytes);
        drain<ModuleReader, Module>(bytes);
        drain<SampleReader, Sample>(bytes);
        drain<MappingReader, NamedMapping>(bytes);
        drain<UsableReader, UsableSize>(bytes);
        drain<ThreadReader, ThreadRecord>(bytes);
        TextReader text(bytes);
        std::string_view key;
        std::string_view value;
        while (text.next(key, value)) {
            std::string room(value);
            CHECK(unescape(value, room.data()) <= value.size());
        }
    }
}
