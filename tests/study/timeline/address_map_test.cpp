// The table of live blocks against std::map, and the arrays below it.
#include <heapwright/study/timeline/address_map.hpp>

#include <map>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/timeline/fetch.hpp>
#include <heapwright/study/timeline/live_blocks.hpp>
#include <heapwright/study/timeline/pages_array.hpp>
#include <heapwright/study/timeline/wide.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using namespace study;

struct Entry {
    std::uint64_t address = 0;
    std::uint64_t value = 0;
};

}  // namespace

TEST_CASE("an empty map finds nothing") {
    AddressMap<Entry> map;
    CHECK(map.find(0x1000) == nullptr);
    CHECK(map.find(0) == nullptr);
    CHECK(map.size() == 0);
    CHECK(map.broken_invariant() == nullptr);
    map.prefetch(0x1000);
}

TEST_CASE("a second record at an address is refused and the first stays") {
    AddressMap<Entry> map;
    CHECK(map.insert({.address = 16, .value = 1}).second);
    const auto [record, is_new] = map.insert({.address = 16, .value = 2});
    CHECK_FALSE(is_new);
    CHECK(record->value == 1);
    CHECK(map.size() == 1);
}

TEST_CASE("address 0 is refused") {
    const auto death = death_of([] {
        AddressMap<Entry> map;
        static_cast<void>(map.insert({.address = 0, .value = 1}));
    });
    CHECK(death.died);
}

TEST_CASE("a map does what std::map does, through growth and removals") {
    Random random(1);
    AddressMap<Entry> map;
    std::map<std::uint64_t, std::uint64_t> model;
    for (int step = 0; step < 60'000; ++step) {
        // Dense addresses, so that probes meet each other; growing for the first half, then mostly removing.
        const std::uint64_t address = 0x7f0000001000 + random.below(20'000) * 16;
        if (random.below(100) < (step < 30'000 ? 70U : 30U)) {
            const Entry entry{.address = address, .value = random.next()};
            const bool is_new = map.insert(entry).second;
            CHECK(is_new == model.try_emplace(address, entry.value).second);
        } else if (Entry* found = map.find(address)) {
            REQUIRE(model.contains(address));
            CHECK(found->value == model[address]);
            map.erase(found);
            model.erase(address);
        } else {
            CHECK_FALSE(model.contains(address));
        }
        if (step % 5000 == 0) {
            REQUIRE(map.broken_invariant() == nullptr);
        }
    }
    REQUIRE(map.broken_invariant() == nullptr);
    CHECK(map.size() == model.size());
    std::map<std::uint64_t, std::uint64_t> seen;
    map.for_each([&](const Entry& entry) { seen[entry.address] = entry.value; });
    CHECK(seen == model);
}

TEST_CASE("records survive growth, and clearing gives an empty map") {
    LiveBlocks live;
    for (std::uint64_t i = 1; i <= 100'000; ++i) {
        BlockRecord record;
        record.address = i * 32;
        record.entered = i;
        static_cast<void>(live.insert(record));
    }
    CHECK(live.size() == 100'000);
    for (std::uint64_t i = 1; i <= 100'000; ++i) {
        REQUIRE(live.find(i * 32) != nullptr);
        CHECK(live.find(i * 32)->entered == i);
    }
    CHECK(live.broken_invariant() == nullptr);
    live.clear();
    CHECK(live.empty());
    CHECK(live.find(32) == nullptr);
}

TEST_CASE("a pages array starts as zeros, keeps what was written, and forgets what it is told to") {
    PagesArray<std::uint32_t> array(10);
    CHECK(array[9] == 0);
    array[3] = 7;
    array.grow(1'000'000);
    CHECK(array.capacity() >= 1'000'000);
    CHECK(array[3] == 7);
    array[900'000] = 5;
    array.forget(0, 500'000);
    CHECK(array[3] == 0);
    CHECK(array[900'000] == 5);
    PagesArray<std::uint32_t> other = std::move(array);
    CHECK(other[900'000] == 5);
    CHECK_THROWS_AS(other.grow(SIZE_MAX / 2), std::bad_alloc);
}

TEST_CASE("a pages list is a list") {
    PagesList<std::uint64_t> list;
    CHECK(list.empty());
    for (std::uint64_t i = 0; i < 50'000; ++i) {
        list.push_back(i);
    }
    CHECK(list.size() == 50'000);
    CHECK(list[49'999] == 49'999);
    list.truncate(10);
    CHECK(list.end() - list.begin() == 10);
    list.clear();
    CHECK(list.empty());
    list.push_back(3);
    CHECK(list[0] == 3);
    list.release();
    CHECK(list.empty());
}

TEST_CASE("wide products keep all bits") {
    CHECK(multiply_high(~0ULL, 8) == 7);
    CHECK(multiply_divide(~0ULL, 1000, 1000) == ~0ULL);
    CHECK(multiply_divide(10, 3, 4) == 7);
    int anything = 0;
    fetch_line(&anything);
    fetch_line(nullptr);
}

}  // namespace heapwright::test
