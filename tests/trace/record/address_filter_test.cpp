// The byte per hash that says "surely not".
#include <heapwright/trace/record/address_filter.hpp>

#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

using heapwright::trace::record::PageFilter;

namespace {

const void* address(std::uint64_t number) { return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(number)); }

}  // namespace

TEST_CASE("what was entered is found until it has left as often") {
    const auto filter = std::make_unique<PageFilter>();
    CHECK(!filter->may_hold(address(0x7f0000010010)));
    filter->enter(address(0x7f0000010010));
    filter->enter(address(0x7f0000010010));
    CHECK(filter->may_hold(address(0x7f0000010020)));  // the same OS page
    filter->leave(address(0x7f0000010010));
    CHECK(filter->may_hold(address(0x7f0000010010)));
    filter->leave(address(0x7f0000010010));
    CHECK(!filter->may_hold(address(0x7f0000010010)));
    filter->leave(address(0x7f0000010010));
    CHECK(!filter->may_hold(address(0x7f0000010010)));
}

TEST_CASE("a counter that is full stays full") {
    const auto filter = std::make_unique<PageFilter>();
    for (int time = 0; time < 300; ++time) {
        filter->enter(address(0x1000));
    }
    for (int time = 0; time < 300; ++time) {
        filter->leave(address(0x1000));
    }
    CHECK(filter->may_hold(address(0x1000)));
    filter->stick(address(0x2000));
    filter->leave(address(0x2000));
    CHECK(filter->may_hold(address(0x2000)));
}

TEST_CASE("random comings and goings never lose an address") {
    const auto filter = std::make_unique<PageFilter>();
    heapwright::test::Random random;
    std::vector<std::uint64_t> inside;
    for (int step = 0; step < 20000; ++step) {
        if (inside.size() < 200 && random.one_in(2)) {
            inside.push_back(0x7f0000000000 + random.below(1U << 20) * 4096);
            filter->enter(address(inside.back()));
        } else if (!inside.empty()) {
            std::swap(inside[random.below(inside.size())], inside.back());
            filter->leave(address(inside.back()));
            inside.pop_back();
        }
        if (!inside.empty()) {
            REQUIRE(filter->may_hold(address(inside[random.below(inside.size())])));
        }
    }
}

TEST_CASE("after stick_all everything deserves a look") {
    const auto filter = std::make_unique<PageFilter>();
    filter->stick_all();
    CHECK(filter->may_hold(address(0x123456789000)));
}
