// The file: whole chunks only, also when it cannot grow, and an end that can be taken back.
#include <heapwright/trace/record/trace_writer.hpp>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/trace/read/reader.hpp>

#include <tests/support/random.hpp>

using namespace heapwright;
using namespace heapwright::trace;
using record::TraceWriter;

namespace {

/// A file name that is free, and free again afterwards.
class Name {
public:
    Name() {
        static int number = 0;
        path_ =
            (std::filesystem::temp_directory_path() / ("heapwright-writer-" + std::to_string(::getpid()) + "-" + std::to_string(++number)))
                .string();
        std::filesystem::remove(path_);
    }
    Name(const Name&) = delete;
    Name& operator=(const Name&) = delete;
    ~Name() { std::filesystem::remove(path_); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::vector<std::uint8_t> payload_of(std::size_t bytes, std::uint64_t values, test::Random& random) {
    std::vector<std::uint8_t> payload(bytes);
    for (auto& byte : payload) {
        byte = static_cast<std::uint8_t>(random.below(values));
    }
    return payload;
}

/// The limit on file sizes for this process, put back at the end.
class FileLimit {
public:
    explicit FileLimit(std::uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;
    ~FileLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int);
};

}  // namespace

TEST_CASE("chunks of any content come back, compressed where that helps") {
    const Name name;
    const auto writer = std::make_unique<TraceWriter>();
    REQUIRE(writer->prepare());
    REQUIRE(writer->create(name.path().c_str()));
    test::Random random;
    std::vector<std::vector<std::uint8_t>> payloads;
    for (std::size_t at = 0; at < 40; ++at) {
        payloads.push_back(payload_of(at == 0 ? 0 : random.below(60000), at % 3 == 0 ? 256 : 5, random));
        REQUIRE(writer->write({.kind = ChunkKind::events,
                               .items = static_cast<std::uint32_t>(at),
                               .thread = ThreadIndex{2},
                               .first_tick = at,
                               .last_tick = at + 1},
                              payloads.back()));
    }
    CHECK(writer->chunks() == 40);
    CHECK(writer->bytes() == std::filesystem::file_size(name.path()));

    auto reader = Reader::open(name.path());
    REQUIRE(reader);
    REQUIRE(reader->chunks().size() == 40);
    std::size_t compressed = 0;
    std::vector<std::uint8_t> room;
    for (std::size_t at = 0; at < 40; ++at) {
        const ChunkRef& chunk = reader->chunks()[at];
        CHECK(chunk.header.items == at);
        CHECK(chunk.header.thread == ThreadIndex{2});
        compressed += chunk.header.compression == Compression::zstd ? 1U : 0U;
        const auto plain = reader->load(chunk, room);
        REQUIRE(plain);
        CHECK(std::vector<std::uint8_t>(plain->begin(), plain->end()) == payloads[at]);
    }
    CHECK(compressed >= 20);
    CHECK(!reader->health().damaged());
}

TEST_CASE("a file that exists is not touched") {
    const Name name;
    const auto first = std::make_unique<TraceWriter>();
    REQUIRE(first->prepare());
    REQUIRE(first->create(name.path().c_str()));
    const auto second = std::make_unique<TraceWriter>();
    REQUIRE(second->prepare());
    const auto created = second->create(name.path().c_str());
    REQUIRE(!created);
    CHECK(created.error().system_errno == EEXIST);
    CHECK(!second->write({.kind = ChunkKind::info}, {}));
}

TEST_CASE("a chunk that does not fit is cut off, and a smaller one may follow") {
    const Name name;
    const auto writer = std::make_unique<TraceWriter>();
    REQUIRE(writer->prepare());
    REQUIRE(writer->create(name.path().c_str()));
    test::Random random;
    REQUIRE(writer->write({.kind = ChunkKind::info, .items = 1}, payload_of(3000, 256, random)));
    {
        const FileLimit limit(8192);
        CHECK(!writer->write({.kind = ChunkKind::events, .items = 2}, payload_of(20000, 256, random)));
        CHECK(writer->has_failed());
        CHECK(!writer->write({.kind = ChunkKind::events, .items = 3}, payload_of(10, 256, random)));
        writer->try_again();
        CHECK(writer->write({.kind = ChunkKind::end, .items = 1}, payload_of(100, 256, random)));
    }
    auto reader = Reader::open(name.path());
    REQUIRE(reader);
    CHECK(!reader->health().damaged());
    REQUIRE(reader->chunks().size() == 2);
    CHECK(reader->outline().has_end);
}

TEST_CASE("an end is taken back when the program goes on") {
    const Name name;
    const auto writer = std::make_unique<TraceWriter>();
    REQUIRE(writer->prepare());
    REQUIRE(writer->create(name.path().c_str()));
    test::Random random;
    REQUIRE(writer->write({.kind = ChunkKind::info, .items = 1}, payload_of(200, 4, random)));
    writer->mark_end();
    REQUIRE(writer->write({.kind = ChunkKind::end, .items = 1}, payload_of(300, 4, random)));
    CHECK(writer->has_end());
    writer->take_back_end();
    CHECK(!writer->has_end());
    REQUIRE(writer->write({.kind = ChunkKind::samples, .items = 7}, payload_of(400, 4, random)));
    auto reader = Reader::open(name.path());
    REQUIRE(reader);
    CHECK(!reader->outline().has_end);
    REQUIRE(reader->chunks().size() == 2);
    CHECK(reader->chunks()[1].header.items == 7);
    CHECK(!reader->health().damaged());
}
