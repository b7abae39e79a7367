// Twenty-four mistakes that allocators of this kind are known to make, each with the test that it is not made here.
//
// The numbers follow the mission's list: 1 to 12 arenas, 13 to 20 pools, 21 to 24 pools of several sizes. Number 13 (one
// block given to two owners under contention) has its own storm in tests/alloc/pool/aba_storm_test.cpp.
#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/shared_arena.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

TEST_CASE("fault 1: after one odd byte every alignment is still kept, also past a chunk's own") {
    FailingSource source;
    Arena arena{source};
    for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        REQUIRE(arena.try_allocate({.size = 1, .alignment = 1}) != nullptr);
        CHECK(is_aligned(arena.try_allocate({.size = 8, .alignment = alignment}), alignment));
    }
}

TEST_CASE("fault 2: a request larger than a chunk is served, or refused without leaking a chunk") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 4096, .largest_chunk_bytes = 4096}};
    CHECK(arena.try_allocate({.size = 1'048'577, .alignment = 8}) != nullptr);
    Arena limited{source, {.first_chunk_bytes = 4096, .limit_bytes = 65536}};
    const std::size_t outstanding = source.outstanding();
    for (int request = 0; request < 1000; ++request) {
        CHECK(limited.try_allocate({.size = 1'048'577, .alignment = 8}) == nullptr);
    }
    CHECK(source.outstanding() == outstanding);
}

TEST_CASE("fault 3: the first chunk goes back like every other") {
    FailingSource source;
    {
        Arena arena{source};
        CHECK(arena.try_allocate({.size = 1, .alignment = 1}) != nullptr);
        CHECK(source.outstanding() == 1);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("fault 4: an arena of thousands of chunks asks no old chunk again") {
    // Each request of the source walks nothing: the number of requests is the number of chunks, and nothing is searched.
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 256, .largest_chunk_bytes = 256}};
    for (int block = 0; block < 8000; ++block) {
        REQUIRE(arena.try_allocate({.size = 150, .alignment = 8}) != nullptr);
        REQUIRE(source.requests() == static_cast<std::size_t>(block) + 1);
    }
    arena.reset();
    // A request that fits no retained chunk looks at eight of them and no more; else this test would take minutes.
    for (int block = 0; block < 8000; ++block) {
        REQUIRE(arena.try_allocate({.size = 300, .alignment = 8}) != nullptr);
    }
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("fault 5: chunks stay where they are while threads add more") {
    SharedArena arena{os::kPages, {.chunk_bytes = 4096, .first_run_bytes = 256, .largest_run_bytes = 256}};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&arena] {
            std::vector<int*> mine;
            for (int value = 0; value < 2000; ++value) {
                mine.push_back(&arena.create<int>(value));
            }
            for (int value = 0; value < 2000; ++value) {
                REQUIRE(*mine[static_cast<std::size_t>(value)] == value);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_CASE("fault 6: a limit is kept by all threads together, not checked by each and then passed") {
    SharedArena arena{os::kPages, {.chunk_bytes = 4096, .first_run_bytes = 1024, .limit_bytes = 10 * 4096}};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&arena] {
            while (arena.try_allocate({.size = 500, .alignment = 8}) != nullptr) {}
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(arena.owned_bytes() <= 10 * 4096);
}

TEST_CASE("fault 7: sums of size, alignment and position do not wrap") {
    FailingSource source;
    Arena arena{source};
    CHECK(arena.try_allocate({.size = 1, .alignment = 1}) != nullptr);
    CHECK(arena.try_allocate({.size = Layout::kLargestSize, .alignment = 1}) == nullptr);
    CHECK(arena.try_allocate({.size = Layout::kLargestSize - 4095, .alignment = 4096}) == nullptr);
    CHECK(arena.try_allocate({.size = 1, .alignment = std::size_t{1} << 62}) == nullptr);
    CHECK_FALSE(Layout::array<int>(SIZE_MAX / 2));
    CHECK(arena.try_create_array<int>(SIZE_MAX / 2) == nullptr);
    CHECK(arena.why_refused() == Errc::overflow);
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("fault 8: what an arena takes from elsewhere goes back there") {
    FailingSource source;
    {
        Arena arena{source, {.first_chunk_bytes = 1024}};
        void* const large = arena.try_allocate({.size = 100'000, .alignment = 8});
        arena.deallocate(large, {.size = 100'000, .alignment = 8});
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("fault 9: allocating needs nothing from another allocator: no vector, no box, no mutex") {
    // A source is the only thing asked; with one that always refuses, every call is refused and none hangs or throws.
    FailingSource nothing{1};
    Arena arena{nothing};
    Pool pool{{64, 8}, nothing};
    SharedPool shared{{64, 8}, nothing};
    SharedArena shared_arena{nothing};
    CHECK(arena.try_allocate({.size = 8, .alignment = 8}) == nullptr);
    CHECK(pool.try_allocate() == nullptr);
    CHECK(shared.try_allocate() == nullptr);
    CHECK(shared_arena.try_allocate({.size = 8, .alignment = 8}) == nullptr);
}

TEST_CASE("fault 10: there is a reset, a rewind, a growth in place, and destructors run") {
    static int destroyed = 0;
    struct Counted {
        int value = 7;
        Counted() = default;
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        ~Counted() { ++destroyed; }
    };
    FailingSource source;
    Arena arena{source};
    void* const block = arena.try_allocate({.size = 8, .alignment = 8});
    CHECK(arena.try_reallocate(block, {.size = 8, .alignment = 8}, 800) == block);
    const auto mark = arena.mark();
    arena.create<Counted>();
    arena.rewind(mark);
    CHECK(destroyed == 1);
    arena.create<Counted>();
    arena.reset();
    CHECK(destroyed == 2);
    CHECK(arena.stats().used_bytes == 0);
}

TEST_CASE("fault 11: a block of no bytes is a block, with an address of its own") {
    FailingSource source;
    Arena arena{source};
    CHECK(arena.try_allocate({.size = 0, .alignment = 1}) != arena.try_allocate({.size = 0, .alignment = 1}));
}

TEST_CASE("fault 12: threads do not share a line for what each allocates") {
    SharedArena arena{os::kPages};
    Arena* first = nullptr;
    Arena* second = nullptr;
    std::atomic<int> ready{0};
    const auto look = [&](Arena*& mine) {
        mine = &arena.local();
        static_cast<void>(mine->try_allocate({.size = 8, .alignment = 8}));
        // Both at once, so that the second does not take the first one's over.
        ++ready;
        ready.notify_all();
        for (int seen = ready; seen < 2; seen = ready) {
            ready.wait(seen);
        }
    };
    std::thread one{[&] { look(first); }};
    std::thread other{[&] { look(second); }};
    one.join();
    other.join();
    const auto a = reinterpret_cast<std::uintptr_t>(first);
    const auto b = reinterpret_cast<std::uintptr_t>(second);
    CHECK((a > b ? a - b : b - a) >= sizeof(Arena));
    CHECK(a % kCacheLineBytes == 0);
    CHECK(b % kCacheLineBytes == 0);
}

TEST_CASE("fault 14: a second free stops the program, and the figures never run below zero") {
    os::report_failures_to_stderr();
    const auto death = test::death_of([] {
        Pool pool{{48, 8}, os::kPages, {.leaks = Leaks::forget}};
        void* const block = pool.try_allocate();
        static_cast<void>(pool.try_allocate());
        pool.deallocate(block);
        pool.deallocate(block);
    });
    CHECK(test::said(death, "heapwright: double free: block 0x"));
}

TEST_CASE("fault 15: figures that threads read while others work are never negative") {
    SharedPool pool{{64, 8}, os::kPages};
    std::atomic<bool> is_over{false};
    std::thread reader{[&] {
        while (!is_over) {
            const PoolStats stats = pool.stats();
            REQUIRE(stats.live_blocks < 1'000'000);
            REQUIRE(stats.free_blocks < 1'000'000);
        }
    }};
    for (int round = 0; round < 2000; ++round) {
        std::array<void*, 300> blocks{};
        for (void*& block : blocks) {
            block = pool.allocate();
        }
        for (void* block : blocks) {
            pool.deallocate(block);
        }
    }
    is_over = true;
    reader.join();
}

TEST_CASE("fault 16: blocks of 4, 48 and 0 bytes are served, and impossible counts are refused") {
    FailingSource source;
    for (const std::size_t size : {std::size_t{4}, std::size_t{48}, std::size_t{0}}) {
        Pool pool{{.size = size, .alignment = 4}, source};
        std::vector<unsigned char*> blocks;
        for (int count = 0; count < 1000; ++count) {
            blocks.push_back(static_cast<unsigned char*>(pool.try_allocate()));
            std::memset(blocks.back(), count, size);
        }
        for (std::size_t count = 0; count < blocks.size(); ++count) {
            for (std::size_t at = 0; at < size; ++at) {
                REQUIRE(blocks[count][at] == static_cast<unsigned char>(count));
            }
            pool.deallocate(blocks[count]);
        }
        CHECK(pool.broken_invariant() == nullptr);
    }
    Pool absurd{{.size = SIZE_MAX / 2, .alignment = 1}, source};
    CHECK(absurd.try_allocate() == nullptr);
}

TEST_CASE("fault 17: a pool touches memory when it needs it, grows, and shows every refusal") {
    FailingSource source;
    Pool pool{{1000, 8}, source, {.limit_blocks = 10'000}};
    CHECK(source.requests() == 0);
    std::vector<void*> blocks;
    while (void* block = pool.try_allocate()) {
        blocks.push_back(block);
    }
    CHECK(blocks.size() == 10'000);
    CHECK(pool.stats().refusals == 1);
    pool.release_all();
}

TEST_CASE("fault 18: nothing that is written into a freed block can lead the pool astray") {
    if constexpr (!kPoisoning) {  // under a sanitizer the write itself is the end
        FailingSource source;
        Pool pool{{64, 8}, source};
        std::vector<unsigned char*> blocks;
        for (int count = 0; count < 500; ++count) {
            blocks.push_back(static_cast<unsigned char*>(pool.try_allocate()));
        }
        for (unsigned char* block : blocks) {
            pool.deallocate(block);
        }
        for (unsigned char* block : blocks) {
            std::memset(block, 0xFF, 64);
        }
        CHECK(pool.broken_invariant() == nullptr);
        for (int count = 0; count < 500; ++count) {
            void* const block = pool.try_allocate();
            CHECK(pool.owns(block));
        }
        pool.release_all();
    }
}

TEST_CASE("fault 19: a pool that ends while blocks are live says so, and which") {
    os::report_failures_to_stderr();
    const auto death = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        static_cast<void>(pool.try_allocate());
        static_cast<void>(pool.try_allocate());
    });
    CHECK(test::said(death, "heapwright: pool ended with 2 blocks still in use, the first is block 0x"));
}

TEST_CASE("fault 20: the index of a block is exact without a division, for every size") {
    for (std::size_t size = 4; size < 3000; size += size < 100 ? 1 : 37) {
        const detail::SlotGeometry geometry = detail::make_geometry({.size = size, .alignment = 1}, 0);
        for (std::size_t offset = 0; offset < geometry.slab_bytes; offset += offset % 7 + 1) {
            REQUIRE(geometry.index_of(offset) == offset / geometry.slot_bytes);
        }
        REQUIRE(geometry.index_of(geometry.slab_bytes - 1) == (geometry.slab_bytes - 1) / geometry.slot_bytes);
    }
}

constexpr std::array<SizeClassOptions, 5> kClasses{{{16}, {32}, {64}, {256}, {4096}}};

TEST_CASE("fault 21: a pool of several sizes honours alignment") {
    FailingSource source;
    MultiPool pool{kClasses, source};
    for (int request = 0; request < 8; ++request) {
        void* const block = pool.try_allocate({.size = 20, .alignment = 64});
        CHECK(is_aligned(block, 64));
        pool.deallocate(block, {.size = 20, .alignment = 64});
    }
}

TEST_CASE("fault 22: a block freed with another size returns to its own pool, or stops the program") {
    FailingSource source;
    MultiPool pool{kClasses, source};
    void* const block = pool.try_allocate({.size = 30, .alignment = 8});
    pool.deallocate(block, {.size = 16, .alignment = 8});  // too small: as if it had been borrowed
    CHECK(pool.class_stats(1).live_blocks == 0);
    CHECK(pool.class_stats(0).live_blocks == 0);
    os::report_failures_to_stderr();
    const auto death = test::death_of([] {
        MultiPool own{kClasses, os::kPages};
        own.deallocate(own.try_allocate({.size = 16, .alignment = 8}), {.size = 4096, .alignment = 8});
    });
    CHECK(test::said(death, "heapwright: wrong size: block 0x"));
}

TEST_CASE("fault 23: an exhausted class borrows from the next larger") {
    FailingSource source;
    const std::array<SizeClassOptions, 2> classes{{{.block_bytes = 16, .limit_blocks = 1}, {32}}};
    MultiPool pool{classes, source};
    void* const first = pool.try_allocate({.size = 16, .alignment = 8});
    void* const second = pool.try_allocate({.size = 16, .alignment = 8});
    CHECK(second != nullptr);
    CHECK(pool.stats().all.borrowed == 1);
    pool.deallocate(first, {.size = 16, .alignment = 8});
    pool.deallocate(second, {.size = 16, .alignment = 8});
}

TEST_CASE("fault 24: what rounding up costs is reported, memory is taken when needed, classes are found without a search") {
    FailingSource source;
    MultiPool pool{kClasses, source};
    CHECK(source.outstanding() == 1);  // the classes themselves; no block yet
    void* const block = pool.try_allocate({.size = 65, .alignment = 1});
    CHECK(pool.stats().all.usable_bytes - pool.stats().all.requested_bytes == 256 - 65);
    pool.deallocate(block, {.size = 65, .alignment = 1});
    std::array<std::size_t, 3> classes{};
    constexpr std::array<SizeCount, 3> kHistogram{{{16, 100}, {65, 100}, {200, 100}}};
    CHECK(choose_classes(kHistogram, classes) == 3);
    CHECK(classes == std::array<std::size_t, 3>{16, 80, 208});
}

}  // namespace
}  // namespace heapwright
