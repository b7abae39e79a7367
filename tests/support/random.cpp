// Where the seed comes from.
#include <tests/support/random.hpp>

#include <cstdlib>

#include <heapwright/os/clock.hpp>

namespace heapwright::test {

std::uint64_t seed() {
    static const std::uint64_t chosen = [] {
        const char* given = std::getenv("HEAPWRIGHT_SEED");
        return given != nullptr ? std::strtoull(given, nullptr, 10) : os::wall_ns() % 1'000'000'000;
    }();
    return chosen;
}

}  // namespace heapwright::test
