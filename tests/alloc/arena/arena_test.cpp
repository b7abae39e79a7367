// What an arena promises about bytes, objects and time.
#include <heapwright/alloc/arena/arena.hpp>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

/// Tells a list when it dies.
struct Witness {
    std::vector<int>* deaths;
    int name;
    Witness(std::vector<int>& list, int own_name) : deaths(&list), name(own_name) {}
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
    ~Witness() { deaths->push_back(name); }
};

TEST_CASE("an arena gives aligned blocks that do not overlap, from both ends") {
    FailingSource source;
    Arena arena{source};
    std::vector<std::pair<std::byte*, std::size_t>> blocks;
    for (std::size_t round = 0; round < 200; ++round) {
        const std::size_t alignment = std::size_t{1} << (round % 8);
        void* const grown = arena.try_allocate(Layout{.size = round, .alignment = alignment});
        void* const fixed = arena.try_allocate_fixed<24, 8>();
        REQUIRE(grown != nullptr);
        REQUIRE(fixed != nullptr);
        CHECK(is_aligned(grown, alignment));
        CHECK(is_aligned(fixed, 8));
        blocks.emplace_back(static_cast<std::byte*>(grown), round);
        blocks.emplace_back(static_cast<std::byte*>(fixed), 24);
    }
    for (std::size_t index = 0; index < blocks.size(); ++index) {
        std::memset(blocks[index].first, static_cast<int>(index), blocks[index].second);
    }
    for (std::size_t index = 0; index < blocks.size(); ++index) {
        for (std::size_t at = 0; at < blocks[index].second; ++at) {
            REQUIRE(blocks[index].first[at] == static_cast<std::byte>(index));
        }
    }
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("an arena returns every chunk to its source") {
    FailingSource source;
    {
        Arena arena{source, {.first_chunk_bytes = 256}};
        for (int round = 0; round < 1000; ++round) {
            REQUIRE(arena.try_allocate({.size = 100, .alignment = 16}) != nullptr);
        }
        CHECK(source.outstanding() > 1);
        CHECK(arena.stats().owned_bytes == source.outstanding_bytes());
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("blocks of no bytes have addresses of their own") {
    FailingSource source;
    Arena arena{source};
    void* const first = arena.try_allocate({.size = 0, .alignment = 1});
    void* const second = arena.try_allocate({.size = 0, .alignment = 1});
    CHECK(first != nullptr);
    CHECK(first != second);
}

TEST_CASE("the newest block grows in place while objects are made") {
    FailingSource source;
    Arena arena{source};
    void* block = arena.try_allocate({.size = 16, .alignment = 8});
    for (std::size_t size = 16; size < 1024; size += 16) {
        arena.create<long>(1L);
        CHECK(arena.try_reallocate(block, {.size = size, .alignment = 8}, size + 16) == block);
    }
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("a block that is not the newest moves when it grows, with its contents") {
    FailingSource source;
    Arena arena{source};
    auto* const block = static_cast<char*>(arena.try_allocate({.size = 6, .alignment = 1}));
    std::memcpy(block, "hello", 6);
    REQUIRE(arena.try_allocate({.size = 6, .alignment = 1}) != nullptr);
    auto* const moved = static_cast<char*>(arena.try_reallocate(block, {.size = 6, .alignment = 1}, 60));
    REQUIRE(moved != nullptr);
    CHECK(moved != block);
    CHECK(std::string{moved} == "hello");
}

TEST_CASE("a refused growth leaves the block as it was") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 256, .limit_bytes = 256}};
    auto* const block = static_cast<char*>(arena.try_allocate({.size = 6, .alignment = 1}));
    std::memcpy(block, "hello", 6);
    CHECK(arena.try_reallocate(block, {.size = 6, .alignment = 1}, 1000) == nullptr);
    CHECK(arena.why_refused() == Errc::limit_reached);
    CHECK(std::string{block} == "hello");
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("the newest block at either end is reclaimed") {
    FailingSource source;
    Arena arena{source};
    void* const low = arena.try_allocate({.size = 40, .alignment = 8});
    void* const high = arena.try_allocate_fixed<40, 8>();
    const std::size_t used = arena.stats().used_bytes;
    arena.deallocate(low, {.size = 40, .alignment = 8});
    arena.deallocate(high, {.size = 40, .alignment = 8});
    CHECK(arena.stats().used_bytes < used);
    CHECK(arena.try_allocate({.size = 40, .alignment = 8}) == low);
    CHECK(arena.try_allocate_fixed<40, 8>() == high);
}

TEST_CASE("at_least gives the bytes that alignment would cost anyway") {
    FailingSource source;
    Arena arena{source};
    const SizedBlock block = arena.try_allocate_at_least({.size = 17, .alignment = 16});
    CHECK(block.start != nullptr);
    CHECK(block.size_bytes == 32);
    std::memset(block.start, 1, block.size_bytes);
}

TEST_CASE("one large request does not waste the rest of a chunk") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 4096}};
    auto* const before = static_cast<std::byte*>(arena.try_allocate({.size = 16, .alignment = 16}));
    REQUIRE(arena.try_allocate({.size = 100'000, .alignment = 16}) != nullptr);
    auto* const after = static_cast<std::byte*>(arena.try_allocate({.size = 16, .alignment = 16}));
    CHECK(after > before);
    CHECK(after < before + 4096);
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("objects are destroyed, the newest first, when the arena is emptied") {
    FailingSource source;
    std::vector<int> deaths;
    Arena arena{source};
    arena.create<Witness>(deaths, 1);
    arena.create<int>(7);
    arena.create<Witness>(deaths, 2);
    CHECK(arena.stats().destructors == 2);
    arena.reset();
    CHECK(deaths == std::vector{2, 1});
}

TEST_CASE("an array is destroyed from its end") {
    static std::vector<int> deaths;
    static int born;
    struct Item {
        int name = ++born;
        Item() = default;
        Item(const Item&) = delete;
        Item& operator=(const Item&) = delete;
        ~Item() { deaths.push_back(name); }
    };
    FailingSource source;
    {
        Arena arena{source};
        CHECK(arena.create_array<Item>(3).size() == 3);
    }
    CHECK(deaths == std::vector{3, 2, 1});
}

TEST_CASE("a mark is rewound as often as one likes") {
    FailingSource source;
    std::vector<int> deaths;
    Arena arena{source, {.first_chunk_bytes = 256}};
    arena.create<Witness>(deaths, 1);
    const std::size_t used = arena.stats().used_bytes;
    const Arena::Mark mark = arena.mark();
    for (int round = 0; round < 3; ++round) {
        arena.create<Witness>(deaths, 10 + round);
        for (int block = 0; block < 100; ++block) {
            REQUIRE(arena.try_allocate({.size = 50, .alignment = 2}) != nullptr);
        }
        arena.rewind(mark);
        CHECK(arena.stats().used_bytes == used);
        CHECK(arena.broken_invariant() == nullptr);
    }
    CHECK(deaths == std::vector{10, 11, 12});
    CHECK(source.requests() < 12);  // the chunks of the first round serve the others
}

TEST_CASE("a region ends what was made in it, and lets older blocks grow again") {
    FailingSource source;
    std::vector<int> deaths;
    Arena arena{source};
    void* const older = arena.try_allocate({.size = 16, .alignment = 8});
    {
        Region region{arena};
        arena.create<Witness>(deaths, 1);
        // Growing it in place would put its tail behind the mark.
        CHECK_FALSE(arena.try_expand(older, {.size = 16, .alignment = 8}, 32));
    }
    CHECK(deaths == std::vector{1});
    CHECK(arena.try_expand(older, {.size = 16, .alignment = 8}, 32));
}

TEST_CASE("a reset keeps all chunks, and a cycle like the last asks the source for nothing") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 256}};
    for (int cycle = 0; cycle < 5; ++cycle) {
        for (int block = 0; block < 500; ++block) {
            REQUIRE(arena.try_allocate({.size = 64, .alignment = 8}) != nullptr);
        }
        const std::size_t requests = source.requests();
        arena.reset();
        CHECK(arena.stats().used_bytes == 0);
        if (cycle > 0) {
            CHECK(source.requests() == requests);
        }
    }
    CHECK(arena.stats().peak_used_bytes >= 500 * 64);
}

TEST_CASE("trim keeps what most cycles need and returns the rest") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 4096, .largest_chunk_bytes = 4096}};
    for (int cycle = 0; cycle < 16; ++cycle) {
        const int blocks = cycle == 3 ? 100 : 10;  // one cycle in sixteen is an exception
        for (int block = 0; block < blocks; ++block) {
            REQUIRE(arena.try_allocate({.size = 1000, .alignment = 8}) != nullptr);
        }
        arena.reset();
    }
    const std::size_t before = arena.stats().owned_bytes;
    CHECK(arena.trim(90) > 0);
    CHECK(arena.stats().owned_bytes < before / 4);
    CHECK(arena.stats().owned_bytes >= 10'000);
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("a buffer is used before the source, and alone if there is none") {
    alignas(16) std::array<std::byte, 1024> buffer{};
    Arena arena{std::span{buffer}};
    auto* const block = static_cast<std::byte*>(arena.try_allocate({.size = 512, .alignment = 8}));
    REQUIRE(block != nullptr);
    CHECK(block >= buffer.data());
    CHECK(block + 512 <= buffer.data() + buffer.size());
    CHECK(arena.try_allocate({.size = 1024, .alignment = 8}) == nullptr);
    CHECK(arena.why_refused() == Errc::out_of_memory);
    CHECK(arena.stats().owned_bytes == 0);
    arena.release();
    CHECK(arena.try_allocate({.size = 512, .alignment = 8}) == block);
}

TEST_CASE("a limit in chunks is kept, and is met again after a refusal") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 1024, .limit_chunks = 2}};
    std::size_t blocks = 0;
    while (arena.try_allocate({.size = 100, .alignment = 4}) != nullptr) {
        ++blocks;
    }
    CHECK(source.outstanding() == 2);
    CHECK(arena.why_refused() == Errc::limit_reached);
    CHECK(arena.stats().refusals == 1);
    arena.reset();
    while (arena.try_allocate({.size = 100, .alignment = 4}) != nullptr) {
        --blocks;
    }
    CHECK(blocks == 0);
}

TEST_CASE("when doubling is refused, the smallest chunk that serves is asked for") {
    struct Narrow {
        FailingSource below;
        void* try_allocate(Layout layout) noexcept { return layout.size > 1024 ? nullptr : below.try_allocate(layout); }
        void deallocate(void* block, Layout layout) noexcept { below.deallocate(block, layout); }
    } narrow;
    Arena arena{narrow, {.first_chunk_bytes = 4096}};
    CHECK(arena.try_allocate({.size = 500, .alignment = 8}) != nullptr);
    CHECK(arena.try_allocate({.size = 2000, .alignment = 8}) == nullptr);
}

TEST_CASE("reset, when everything found room in one chunk, stays in it") {
    FailingSource source;
    Arena arena{source};
    void* const first = arena.try_allocate({.size = 100, .alignment = 8});
    arena.reset();
    CHECK(arena.try_allocate({.size = 100, .alignment = 8}) == first);
    CHECK(arena.stats().peak_used_bytes >= 100);
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("an arena may be released, used again and released again") {
    FailingSource source;
    Arena arena{source};
    for (int round = 0; round < 3; ++round) {
        REQUIRE(arena.try_allocate({.size = 100, .alignment = 8}) != nullptr);
        arena.release();
        CHECK(source.outstanding() == 0);
        CHECK(arena.broken_invariant() == nullptr);
        arena.release();
    }
}

TEST_CASE("memory that runs out at any step leaves nothing behind") {
    test::fail_at_every_step([](FailingSource& source) {
        std::vector<int> deaths;
        deaths.reserve(1000);
        Arena arena{source, {.first_chunk_bytes = 128, .largest_chunk_bytes = 512}};
        for (int round = 0; round < 100; ++round) {
            const std::size_t used = arena.stats().used_bytes;
            if (arena.try_create<Witness>(deaths, round) == nullptr) {
                CHECK(arena.stats().used_bytes == used);
                CHECK(arena.broken_invariant() == nullptr);
                return false;
            }
        }
        return true;
    });
}

TEST_CASE("chunks may come from the kernel") {
    Arena arena{os::kPages};
    auto* const block = static_cast<unsigned char*>(arena.allocate({.size = 1'000'000, .alignment = 4096}));
    CHECK(is_aligned(block, 4096));
    std::memset(block, 7, 1'000'000);
    CHECK(arena.stats().chunks == 1);
}

}  // namespace
}  // namespace heapwright
