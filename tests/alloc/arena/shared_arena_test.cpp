// One arena, many threads.
#include <heapwright/alloc/arena/shared_arena.hpp>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

void on_threads(int count, const auto& body) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < count; ++thread) {
        threads.emplace_back([&body, thread] { body(thread); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_CASE("blocks of several threads do not overlap and keep their contents") {
    SharedArena arena{os::kPages, {.chunk_bytes = 65536, .first_run_bytes = 1024}};
    struct Written {
        unsigned char* block;
        std::size_t size;
        unsigned char mark;
    };
    std::vector<std::vector<Written>> written(4);
    on_threads(4, [&](int thread) {
        for (std::size_t count = 0; count < 3000; ++count) {
            const std::size_t size = 1 + count * 7 % 200;
            auto* const block = static_cast<unsigned char*>(arena.try_allocate({.size = size, .alignment = std::size_t{1} << count % 7}));
            REQUIRE(block != nullptr);
            const auto mark = static_cast<unsigned char>(count * 4 + static_cast<std::size_t>(thread));
            std::memset(block, mark, size);
            written[static_cast<std::size_t>(thread)].push_back({block, size, mark});
        }
    });
    for (const auto& list : written) {
        for (const Written& one : list) {
            for (std::size_t at = 0; at < one.size; ++at) {
                REQUIRE(one.block[at] == one.mark);
            }
        }
    }
    CHECK(arena.broken_invariant() == nullptr);
    CHECK(arena.lanes() <= 4);
}

TEST_CASE("everything is destroyed and returned together") {
    static std::atomic<int> alive{0};
    struct Counted {
        std::string text = "long enough to need the heap of the host";
        Counted() { ++alive; }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        ~Counted() { --alive; }
    };
    SharedArena arena{os::kPages};
    on_threads(3, [&](int) {
        for (int count = 0; count < 500; ++count) {
            arena.create<Counted>();
        }
    });
    CHECK(alive == 1500);
    CHECK(arena.stats().destructors == 1500);
    arena.reset();
    CHECK(alive == 0);
    const std::size_t owned = arena.owned_bytes();
    on_threads(3, [&](int) {
        for (int count = 0; count < 500; ++count) {
            arena.create<Counted>();
        }
    });
    CHECK(arena.owned_bytes() == owned);
    arena.release();
    CHECK(alive == 0);
    CHECK(arena.owned_bytes() == 0);
}

TEST_CASE("threads that come and go take over each other's arenas") {
    SharedArena arena{os::kPages};
    for (int round = 0; round < 300; ++round) {
        on_threads(1, [&](int) { CHECK(arena.try_allocate({.size = 100, .alignment = 8}) != nullptr); });
    }
    CHECK(arena.lanes() == 1);
    CHECK(arena.stats().used_bytes < 300 * 128);
    CHECK(arena.owned_bytes() == std::size_t{1} << 20);
}

TEST_CASE("a thread that uses many arenas finds its own in each") {
    std::vector<std::unique_ptr<SharedArena>> arenas;
    for (int count = 0; count < 20; ++count) {
        arenas.push_back(std::make_unique<SharedArena>(os::kPages));
    }
    for (int round = 0; round < 10; ++round) {
        for (const auto& arena : arenas) {
            CHECK(arena->try_allocate({.size = 8, .alignment = 8}) != nullptr);
        }
    }
    for (const auto& arena : arenas) {
        CHECK(arena->lanes() == 1);
        CHECK(arena->stats().used_bytes >= 80);
    }
}

TEST_CASE("an arena that is gone is not found by the next at its address") {
    for (int round = 0; round < 20; ++round) {
        SharedArena arena{os::kPages};
        CHECK(arena.try_allocate({.size = 8, .alignment = 8}) != nullptr);
        CHECK(arena.lanes() == 1);
    }
}

TEST_CASE("a large request gets a chunk of its own size") {
    SharedArena arena{os::kPages};
    void* const block = arena.try_allocate({.size = 5'000'000, .alignment = 4096});
    REQUIRE(block != nullptr);
    CHECK(is_aligned(block, 4096));
    std::memset(block, 1, 5'000'000);
    CHECK(arena.try_allocate({.size = 8, .alignment = 8}) != nullptr);
}

TEST_CASE("the limit holds for all threads together") {
    SharedArena arena{os::kPages, {.chunk_bytes = 65536, .first_run_bytes = 4096, .limit_bytes = 200'000}};
    std::atomic<std::size_t> given{0};
    on_threads(4, [&](int) {
        while (arena.try_allocate({.size = 1000, .alignment = 8}) != nullptr) {
            given += 1000;
        }
    });
    CHECK(given > 100'000);
    CHECK(given < 200'000);
    CHECK(arena.owned_bytes() <= 200'000);
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("memory that runs out at any step leaves nothing behind") {
    test::fail_at_every_step([](test::FailingSource& source) {
        SharedArena arena{source, {.chunk_bytes = 2048, .first_run_bytes = 512}};
        for (int count = 0; count < 50; ++count) {
            if (arena.try_allocate({.size = 200, .alignment = 8}) == nullptr) {
                CHECK(arena.broken_invariant() == nullptr);
                return false;
            }
        }
        return true;
    });
}

}  // namespace
}  // namespace heapwright
