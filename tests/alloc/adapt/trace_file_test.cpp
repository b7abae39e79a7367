// A trace file of one allocator, read back chunk by chunk.
#include <heapwright/alloc/adapt/trace_file.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/adapt/foreign_sources.hpp>
#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/trace/chunk.hpp>

namespace heapwright {
namespace {

struct Chunk {
    trace::ChunkHeader header;
    std::string payload;
};

/// Empty where anything is not as the format says.
std::vector<Chunk> chunks_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
    trace::FileHeader head{};
    if (bytes.size() < sizeof(head)) {
        return {};
    }
    std::memcpy(&head, bytes.data(), sizeof(head));
    std::vector<Chunk> chunks;
    std::size_t at = head.header_bytes;
    for (Chunk chunk; at < bytes.size(); at += sizeof(chunk.header) + chunk.payload.size()) {
        if (bytes.size() - at < sizeof(chunk.header)) {
            return {};
        }
        std::memcpy(&chunk.header, bytes.data() + at, sizeof(chunk.header));
        chunk.payload = bytes.substr(at + sizeof(chunk.header), chunk.header.stored_bytes);
        const auto* const stored = reinterpret_cast<const unsigned char*>(chunk.payload.data());
        const auto* const header = reinterpret_cast<const unsigned char*>(&chunk.header);
        const bool is_right = chunk.header.magic == trace::kChunkMagic && chunk.payload.size() == chunk.header.stored_bytes &&
                              chunk.header.payload_check == trace::fnv1a(stored, chunk.payload.size()) &&
                              chunk.header.header_check == trace::fnv1a(header, offsetof(trace::ChunkHeader, header_check));
        if (!is_right) {
            return {};
        }
        chunks.push_back(chunk);
    }
    return chunks;
}

TEST_CASE("a trace file begins with who wrote it, holds every event, and ends with the word that it is whole") {
    const std::string path = "/tmp/heapwright_trace_file_" + std::to_string(::getpid());
    constexpr std::uint64_t kPairs = 40'000;
    {
        TraceFile file{path.c_str(), "malloc of the test"};
        REQUIRE(file.status());
        MallocSource below;
        Tracked tracked{below, file};
        for (std::uint64_t pair = 0; pair < kPairs; ++pair) {
            const Layout layout{.size = 16 + pair % 64, .alignment = 8};
            tracked.deallocate(tracked.try_allocate(layout), layout);
        }
        CHECK(file.status());
    }
    const std::vector<Chunk> chunks = chunks_of(path);
    static_cast<void>(std::remove(path.c_str()));
    REQUIRE(chunks.size() >= 5);
    CHECK(chunks.front().header.kind == trace::ChunkKind::info);
    CHECK(chunks.front().payload.find("allocator=malloc of the test\n") != std::string::npos);
    CHECK(chunks.back().header.kind == trace::ChunkKind::end);
    CHECK(chunks.back().payload.find("reason=exit\nevents=80000\n") == 0);
    std::uint64_t events = 0;
    std::size_t samples = 0;
    for (const Chunk& chunk : chunks) {
        events += chunk.header.kind == trace::ChunkKind::events ? chunk.header.items : 0;
        samples += chunk.header.kind == trace::ChunkKind::samples ? 1 : 0;
    }
    CHECK(events == 2 * kPairs);
    CHECK(samples == 2);
}

TEST_CASE("a trace file that cannot be made says so and hinders nobody") {
    TraceFile file{"/nonexistent/folder/file.hwtrace"};
    REQUIRE_FALSE(file.status());
    CHECK(file.status().error().kind == Errc::not_found);
    MallocSource below;
    Tracked tracked{below, file};
    void* const block = tracked.try_allocate({.size = 10, .alignment = 8});
    CHECK(block != nullptr);
    tracked.deallocate(block, {.size = 10, .alignment = 8});
}

}  // namespace
}  // namespace heapwright
