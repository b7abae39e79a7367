// Routes: what was added is found, the first of equals first, and nothing else.
#include <heapwright/alloc/heap/detail/route_table.hpp>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using heap::RouteTable;

struct Route {
    std::uintptr_t code;
    std::uint32_t least;
    std::uint32_t most;
};

TEST_CASE("a route table finds the first route for a code and size, and none for others") {
    Random random(3);
    for (const std::uint32_t count : {0U, 1U, 2U, 7U, 100U, 1000U}) {
        void* const room = std::aligned_alloc(64, (RouteTable::bytes_for(count) + 63) / 64 * 64);
        auto* const table = new (room) RouteTable;
        for (unsigned round = 0; round < 2; ++round) {  // written over as the plan changes
            table->clear(count);
            std::vector<Route> routes;
            for (std::uint32_t i = 0; i < count; ++i) {
                const auto least = static_cast<std::uint32_t>(random.below(500));
                // Few codes and near each other, so that beginnings are shared; some are there several times.
                routes.push_back({0x5555'0000 + random.below(count) * 5, least, least + static_cast<std::uint32_t>(random.below(1000))});
                table->add({.code = routes[i].code, .least = routes[i].least, .most = routes[i].most, .place = i + 1});
            }
            CHECK(table->broken_invariant() == nullptr);
            for (unsigned probe = 0; probe < 2000; ++probe) {
                const std::uintptr_t code = 0x5555'0000 + random.below(count * 6 + 10);
                const std::size_t bytes = random.one_in(50) ? SIZE_MAX : random.below(1600);
                std::uint32_t expected = 0;
                for (std::uint32_t i = 0; i < count && expected == 0; ++i) {
                    expected = routes[i].code == code && bytes >= routes[i].least && bytes <= routes[i].most ? i + 1 : 0;
                }
                const RouteTable::Slot* const found = table->find(code, bytes);
                CHECK((found == nullptr ? 0 : found->place.load()) == expected);
            }
        }
        std::free(room);
    }
}

}  // namespace
}  // namespace heapwright::test
