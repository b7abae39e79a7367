// A vector at the low end of an arena.
#include <heapwright/alloc/arena/growing_array.hpp>

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

TEST_CASE("an array grows in place while objects are made in the same arena") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 1 << 20}};
    GrowingArray<int> array{arena};
    array.emplace_back(0);
    const int* const first = array.begin();
    for (int value = 1; value < 50'000; ++value) {
        array.emplace_back(value);
        if (value % 100 == 0) {
            arena.create<long>(1L);
        }
    }
    CHECK(array.begin() == first);
    CHECK(array[49'999] == 49'999);
    array.shrink_to_fit();
    CHECK(array.capacity() == array.size());
    CHECK(arena.stats().used_bytes < 50'000 * sizeof(int) + 500 * (sizeof(long) + 8) + 64);
}

TEST_CASE("an array that must move moves its elements and not their bytes") {
    FailingSource source;
    Arena arena{source};
    {
        GrowingArray<std::unique_ptr<std::string>> array{arena};
        for (int value = 0; value < 500; ++value) {
            array.emplace_back(std::make_unique<std::string>(std::to_string(value) + " long enough to need the heap"));
            REQUIRE(arena.try_allocate({.size = 8, .alignment = 8}) != nullptr);  // in the way
        }
        CHECK(array[499]->starts_with("499"));
        array.pop_back();
        CHECK(array.size() == 499);
        CHECK(array.broken_invariant() == nullptr);
    }
}

TEST_CASE("a refused growth changes nothing") {
    FailingSource source;
    Arena arena{source, {.first_chunk_bytes = 512, .limit_bytes = 512}};
    GrowingArray<int> array{arena};
    int value = 0;
    while (array.try_emplace_back(value)) {
        ++value;
    }
    CHECK(array.size() == static_cast<std::size_t>(value));
    CHECK(array[static_cast<std::size_t>(value) - 1] == value - 1);
    CHECK_FALSE(array.try_reserve(SIZE_MAX));
    CHECK(array.broken_invariant() == nullptr);
}

TEST_CASE("the elements may stay in the arena when the array goes") {
    FailingSource source;
    Arena arena{source};
    std::span<int> kept;
    {
        GrowingArray<int> array{arena};
        array.emplace_back(1);
        array.emplace_back(2);
        kept = array.release();
        CHECK(array.empty());
    }
    CHECK(arena.try_allocate({.size = 100, .alignment = 4}) != kept.data());
    CHECK(kept[1] == 2);
}

}  // namespace
}  // namespace heapwright
