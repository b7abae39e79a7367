// What an arena tells of each of its chunks.
#include <array>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

std::vector<ArenaChunk> chunks_of(const Arena& arena) {
    std::vector<ArenaChunk> chunks;
    arena.for_each_chunk([&](const ArenaChunk& chunk) { chunks.push_back(chunk); });
    return chunks;
}

TEST_CASE("the chunks of an arena add up to its figures, in use and kept for later") {
    test::FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 1024}};
    CHECK(chunks_of(arena).empty());
    for (int count = 0; count < 60; ++count) {
        CHECK(arena.try_allocate({.size = 100, .alignment = 4}) != nullptr);
        CHECK(arena.try_create<double>(1.0) != nullptr);
        const ArenaStats stats = arena.stats();
        std::size_t used = 0;
        std::size_t owned = 0;
        std::size_t lost = 0;
        std::size_t current = 0;
        for (const ArenaChunk& chunk : chunks_of(arena)) {
            used += chunk.used_bytes;
            owned += chunk.owned_bytes;
            lost += chunk.is_current ? 0 : chunk.free_bytes;
            current += chunk.is_current ? 1 : 0;
            CHECK_FALSE(chunk.is_borrowed);
            CHECK_FALSE(chunk.is_retained);
        }
        CHECK(used == stats.used_bytes);
        CHECK(owned == stats.owned_bytes);
        CHECK(lost == stats.lost_bytes);
        CHECK(current == 1);
    }
    const std::size_t before = chunks_of(arena).size();
    CHECK(before > 2);
    arena.reset();
    std::size_t retained = 0;
    for (const ArenaChunk& chunk : chunks_of(arena)) {
        CHECK(chunk.used_bytes == 0);
        CHECK(chunk.is_retained);
        retained += chunk.owned_bytes;
    }
    CHECK(chunks_of(arena).size() == before);
    CHECK(retained == arena.stats().retained_bytes);
}

TEST_CASE("the caller's buffer is told from the chunks of the source") {
    test::FailingSource source;
    alignas(16) std::array<std::byte, 512> buffer;
    Arena arena{std::span<std::byte>{buffer}, source};
    CHECK(arena.try_allocate({.size = 100, .alignment = 8}) != nullptr);
    CHECK(arena.try_allocate({.size = 5000, .alignment = 8}) != nullptr);
    const std::vector<ArenaChunk> chunks = chunks_of(arena);
    REQUIRE(chunks.size() == 2);
    CHECK(chunks[0].is_borrowed);
    CHECK_FALSE(chunks[1].is_borrowed);
}

}  // namespace
}  // namespace heapwright
