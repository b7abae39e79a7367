// How do I refer to objects that others may have removed in the meantime, without a dangling pointer?
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/slab.hpp>

namespace {

struct Ship {
    std::string name;
    int hull;
    heapwright::SlabKey target;  // 8 bytes, may outlive what it names
};

using Ships = heapwright::Slab<Ship>;

/// Each ship shoots at its target, if that is still there; what is left without a hull is removed.
std::size_t fight(Ships& ships) {
    for (const Ship& ship : ships) {
        if (Ship* const target = ships.find(ship.target)) {
            target->hull -= 40;
        }
    }
    return ships.erase_if([](const Ship& ship) { return ship.hull <= 0; });
}

}  // namespace

int main() {
    Ships ships{heapwright::os::kPages};
    std::vector<heapwright::SlabKey> keys;
    for (int number = 0; number < 10'000; ++number) {
        keys.push_back(ships.insert("ship " + std::to_string(number), 100, heapwright::SlabKey{}));
    }
    for (std::size_t number = 0; number < keys.size(); ++number) {
        ships[keys[number]].target = keys[number / 2];
    }
    int rounds = 0;
    std::size_t lost = 0;
    for (std::size_t now = fight(ships); now > 0 || rounds == 0 || ships.size() == keys.size(); now = fight(ships)) {
        lost += now;
        ++rounds;
    }
    const heapwright::SlabStats stats = ships.stats();
    std::printf("%zu of %zu ships lost in %d rounds, %zu bytes owned\n", lost, keys.size(), rounds, stats.owned_bytes);
    // The keys of the lost ships name nothing, for ever, whatever moves into their places.
    std::size_t found = 0;
    for (const heapwright::SlabKey key : keys) {
        found += std::as_const(ships).find(key) != nullptr ? 1U : 0U;
    }
    return found == ships.size() && found + lost == keys.size() ? 0 : 1;
}
