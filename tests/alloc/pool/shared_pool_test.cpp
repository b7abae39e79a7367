// One pool, many threads.
#include <heapwright/alloc/pool/shared_pool.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

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
    SharedPool pool{{64, 8}, os::kPages};
    on_threads(4, [&](int thread) {
        test::Random random{static_cast<std::uint64_t>(thread)};
        std::vector<std::uint64_t*> mine;
        const auto mark = static_cast<std::uint64_t>(thread) + 1;
        for (int step = 0; step < 20'000; ++step) {
            if (mine.size() < 500 && random.below(5) < 3) {
                auto* const block = static_cast<std::uint64_t*>(pool.try_allocate());
                REQUIRE(block != nullptr);
                std::fill_n(block, 8, mark);
                mine.push_back(block);
            } else if (!mine.empty()) {
                const std::size_t victim = random.below(mine.size());
                REQUIRE(std::all_of(mine[victim], mine[victim] + 8, [mark](std::uint64_t word) { return word == mark; }));
                pool.deallocate(mine[victim]);
                mine[victim] = mine.back();
                mine.pop_back();
            }
        }
        for (std::uint64_t* block : mine) {
            pool.deallocate(block);
        }
    });
    CHECK(pool.stats().live_blocks == 0);
    CHECK(pool.broken_invariant() == nullptr);
}

TEST_CASE("what one thread makes and another frees stays bounded") {
    SharedPool pool{{64, 8}, os::kPages, {.spare_bytes = 0}};
    constexpr std::size_t kInFlight = 256;
    std::array<std::atomic<void*>, kInFlight> ring{};
    constexpr std::size_t kBlocks = 100'000;
    on_threads(2, [&](int thread) {
        for (std::size_t count = 0; count < kBlocks; ++count) {
            std::atomic<void*>& slot = ring[count % kInFlight];
            if (thread == 0) {
                void* const block = pool.allocate();
                void* empty = nullptr;
                while (!slot.compare_exchange_weak(empty, block)) {
                    empty = nullptr;
                    std::this_thread::yield();
                }
            } else {
                void* block = nullptr;
                while ((block = slot.exchange(nullptr)) == nullptr) {
                    std::this_thread::yield();
                }
                pool.deallocate(block);
            }
        }
    });
    // In flight, in both magazines and in the depot: nothing else may be outstanding at any time.
    CHECK(pool.stats().peak_blocks <= kInFlight + 2 * SharedPool::kMagazine + SharedPool::kDepot);
    CHECK(pool.broken_invariant() == nullptr);
}

TEST_CASE("a thread that ends returns its magazine") {
    SharedPool pool{{64, 8}, os::kPages, {.spare_bytes = 0}};
    for (int round = 0; round < 100; ++round) {
        on_threads(2, [&](int) {
            std::vector<void*> blocks;
            for (int count = 0; count < 100; ++count) {
                blocks.push_back(pool.allocate());
            }
            for (void* block : blocks) {
                pool.deallocate(block);
            }
        });
    }
    CHECK(pool.stats().peak_blocks < 1000);
    static_cast<void>(pool.trim());
    CHECK(pool.stats().slabs == 0);
}

TEST_CASE("a thread that uses many pools finds its magazine in each") {
    std::vector<std::unique_ptr<SharedPool>> pools;
    for (int count = 0; count < 20; ++count) {
        pools.push_back(std::make_unique<SharedPool>(Layout{32, 8}, os::kPages));
    }
    for (int round = 0; round < 100; ++round) {
        for (const auto& pool : pools) {
            pool->deallocate(pool->allocate());
        }
    }
    for (const auto& pool : pools) {
        CHECK(pool->stats().live_blocks == 0);
        CHECK(pool->stats().peak_blocks <= SharedPool::kMagazine);
        CHECK(pool->broken_invariant() == nullptr);
    }
}

TEST_CASE("misuse stops the program, also across threads") {
    os::report_failures_to_stderr();
    const auto twice = test::death_of([] {
        SharedPool pool{{48, 8}, os::kPages};
        void* const block = pool.allocate();
        std::thread{[&] { pool.deallocate(block); }}.join();
        pool.deallocate(block);
    });
    CHECK(test::said(twice, "heapwright: double free: block 0x"));
    const auto foreign = test::death_of([] {
        SharedPool pool{{48, 8}, os::kPages};
        static_cast<void>(pool.allocate());
        int local = 0;
        pool.deallocate(&local);
    });
    CHECK(test::said(foreign, "heapwright: foreign block: 0x"));
    const auto leak = test::death_of([] {
        SharedPool pool{{48, 8}, os::kPages};
        static_cast<void>(pool.allocate());
    });
    CHECK(test::said(leak, "heapwright: pool ended with 1 block still in use"));
}

TEST_CASE("blocks are refused past the limit, and given again after frees") {
    FailingSource source;
    SharedPool pool{{32, 8}, source, {.limit_blocks = 100}};
    std::vector<void*> blocks;
    while (void* block = pool.try_allocate()) {
        blocks.push_back(block);
    }
    CHECK(blocks.size() == 100);
    CHECK(pool.stats().refusals == 1);
    for (void* block : blocks) {
        pool.deallocate(block);
    }
    CHECK(pool.try_allocate() != nullptr);
    pool.release_all();
    CHECK(pool.broken_invariant() == nullptr);
}

TEST_CASE("memory that runs out at any step leaves nothing behind") {
    test::fail_at_every_step([](FailingSource& source) {
        SharedPool pool{{1000, 8}, source, {.spare_bytes = 0, .leaks = Leaks::forget}};
        for (int count = 0; count < 1200; ++count) {
            if (pool.try_allocate() == nullptr) {
                CHECK(pool.broken_invariant() == nullptr);
                return false;
            }
        }
        return true;
    });
}

}  // namespace
}  // namespace heapwright
