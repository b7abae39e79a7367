// Arena, account, limit and one release.
#include <heapwright/alloc/arena/scope.hpp>

#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/retired_pages.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

TEST_CASE("what a scope holds is on its account while it lasts, and nothing of it afterwards") {
    FailingSource source;
    ScopeAccount account{"parse"};
    {
        Scope scope{account, source, {.first_chunk_bytes = 1024}};
        REQUIRE(scope.try_allocate({.size = 3000, .alignment = 8}) != nullptr);
        scope.create<long>(7L);
        CHECK(account.stats().open == 1);
        CHECK(account.stats().held_bytes == source.outstanding_bytes());
    }
    CHECK(source.outstanding() == 0);
    const ScopeStats stats = account.stats();
    CHECK(stats.held_bytes == 0);
    CHECK(stats.open == 0);
    CHECK(stats.opened == 1);
    CHECK(stats.peak_held_bytes >= 3000);
    CHECK(stats.largest_bytes >= 3008);
}

TEST_CASE("an account's limit holds for all its scopes together") {
    FailingSource source;
    ScopeAccount account{"requests", 10'000};
    Scope first{account, source, {.first_chunk_bytes = 6000}};
    Scope second{account, source, {.first_chunk_bytes = 6000}};
    CHECK(first.try_allocate({.size = 5000, .alignment = 8}) != nullptr);
    CHECK(second.try_allocate({.size = 5000, .alignment = 8}) == nullptr);
    CHECK(second.try_allocate({.size = 1000, .alignment = 8}) != nullptr);
    CHECK(account.stats().refusals >= 1);
    CHECK(account.stats().held_bytes <= 10'000);
}

TEST_CASE("an account counts the scopes of all threads") {
    ScopeAccount account{"work"};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&account] {
            for (int round = 0; round < 50; ++round) {
                Scope scope{account, os::kPages};
                static_cast<void>(scope.try_allocate({.size = 5000, .alignment = 8}));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(account.stats().opened == 200);
    CHECK(account.stats().held_bytes == 0);
    CHECK(account.stats().open == 0);
}

TEST_CASE("a use after the end of a scope faults, without a sanitizer") {
    static volatile int* escaped = nullptr;
    const auto death = test::death_of([] {
        static constexpr os::RetiredPages kRetired;
        ScopeAccount account{"parse"};
        {
            Scope scope{account, kRetired};
            escaped = &scope.create<int>(7);
        }
        *escaped = 8;
    });
    CHECK(death.died);
}

}  // namespace
}  // namespace heapwright
