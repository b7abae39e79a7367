// The addresses of sampled blocks, against a set that is known to be right, and from several threads.
#include <heapwright/trace/record/sampled_set.hpp>

#include <memory>
#include <thread>
#include <unordered_set>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

using heapwright::trace::record::SampledSet;

TEST_CASE("random entering and removing agrees with a standard set") {
    const auto set = std::make_unique<SampledSet>();
    heapwright::test::Random random;
    std::unordered_set<std::uint64_t> truth;
    for (int step = 0; step < 300000; ++step) {
        const std::uint64_t address = 0x555500000000 + random.below(200000) * 16;
        if (truth.contains(address)) {
            if (random.one_in(2)) {
                REQUIRE(set->remove(address));
                truth.erase(address);
            }
        } else if (random.one_in(3)) {
            REQUIRE(!set->remove(address));
        } else {
            REQUIRE(set->enter(address));
            truth.insert(address);
        }
    }
    for (const std::uint64_t address : truth) {
        REQUIRE(set->remove(address));
        REQUIRE(!set->remove(address));
    }
}

TEST_CASE("more addresses than the first table holds are kept in the next") {
    const auto set = std::make_unique<SampledSet>();
    constexpr std::uint64_t kMany = 400000;
    for (std::uint64_t number = 1; number <= kMany; ++number) {
        REQUIRE(set->enter(number * 48));
    }
    for (std::uint64_t number = 1; number <= kMany; ++number) {
        REQUIRE(set->remove(number * 48));
    }
}

TEST_CASE("threads with blocks of their own do not disturb each other") {
    const auto set = std::make_unique<SampledSet>();
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&set, &wrong, thread] {
            for (std::uint64_t round = 0; round < 20; ++round) {
                for (std::uint64_t number = 0; number < 2000; ++number) {
                    wrong += set->enter((number * 4 + thread + 1) * 16) ? 0 : 1;
                }
                for (std::uint64_t number = 0; number < 2000; ++number) {
                    wrong += set->remove((number * 4 + thread + 1) * 16) ? 0 : 1;
                }
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}
