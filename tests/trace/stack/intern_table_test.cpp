// Interning: numbers without gaps, one per key, also when threads race and memory ends.
#include <heapwright/trace/stack/intern_table.hpp>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

using heapwright::test::Random;
using heapwright::trace::stack::InternTable;

namespace {

struct Record {
    std::atomic<std::uint64_t> key;
};

struct Table : InternTable<Record> {
    explicit Table(std::uint32_t most, unsigned slots_log2 = 6) { REQUIRE(open(most, slots_log2, "test table")); }
    ~Table() { close(); }
};

}  // namespace

TEST_CASE("keys are numbered from 1 in the order of their first sight") {
    Table table{100'000};
    CHECK(table.count() == 0);
    CHECK(table.find(77) == 0);
    CHECK(table.intern(77) == 1);
    CHECK(table.intern(5) == 2);
    CHECK(table.intern(77) == 1);
    CHECK(table.find(5) == 2);
    CHECK(table.count() == 2);
    CHECK(table.record(2).key.load() == 5);
}

TEST_CASE("the index grows without losing a key") {
    Table table{1U << 20};
    Random random;
    std::map<std::uint64_t, std::uint32_t> model;
    for (int step = 0; step < 40'000; ++step) {
        const std::uint64_t key = 1 + random.below(20'000) * 4096;
        const std::uint32_t number = table.intern(key);
        const auto [at, is_new] = model.try_emplace(key, number);
        REQUIRE(at->second == number);
        REQUIRE(table.count() == model.size());
    }
    CHECK(table.broken_invariant() == nullptr);
}

TEST_CASE("a full table refuses new keys and keeps the old ones") {
    Table table{10};
    for (std::uint64_t key = 1; key <= 10; ++key) {
        CHECK(table.intern(key) == key);
    }
    CHECK(table.intern(11) == 0);
    CHECK(table.intern(4) == 4);
    CHECK(table.count() == 10);
}

TEST_CASE("a closed table can be opened again, empty") {
    InternTable<Record> table;
    REQUIRE(table.open(5000, 4, "test table"));
    CHECK(table.intern(9) == 1);
    table.close();
    CHECK_FALSE(table.is_open());
    REQUIRE(table.open(5000, 4, "test table"));
    CHECK(table.find(9) == 0);
    table.close();
}

TEST_CASE("threads that intern the same keys agree on their numbers") {
    constexpr int kThreads = 4;
    constexpr std::uint64_t kKeys = 20'000;
    Table table{1U << 20};
    std::vector<std::vector<std::uint32_t>> numbers(kThreads, std::vector<std::uint32_t>(kKeys + 1));
    std::vector<std::thread> threads;
    std::atomic<bool> is_done{false};
    // Reads what is published while others write, as the recorder's background thread does.
    std::thread reader{[&] {
        while (!is_done.load()) {
            for (std::uint32_t number = table.count(); number > 0; number -= number > 100 ? 100 : number) {
                REQUIRE(table.record(number).key.load() != 0);
            }
        }
    }};
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            Random random{static_cast<std::uint64_t>(thread)};
            const std::uint64_t step = 2 * random.below(kKeys) + 1;
            for (std::uint64_t i = 0, key = 0; i < kKeys; ++i) {
                key = (key + step) % (kKeys + 1);
                if (key != 0) {
                    numbers[static_cast<std::size_t>(thread)][key] = table.intern(key);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    is_done.store(true);
    reader.join();
    std::uint64_t disagreements = 0;
    for (std::uint64_t key = 1; key <= kKeys; ++key) {
        for (const auto& of_thread : numbers) {
            if (of_thread[key] != 0) {
                CHECK(table.record(of_thread[key]).key.load() == key);
                disagreements += of_thread[key] != table.find(key) ? 1U : 0U;
            }
        }
    }
    // Allowed, but only for what is made while the index is replaced.
    CHECK(disagreements <= 64);
    CHECK(table.broken_invariant() == nullptr);
}
