// Keys of slabs as values.
#include <heapwright/alloc/slab/slab_key.hpp>

#include <unordered_set>

#include <doctest/doctest.h>

namespace heapwright {
namespace {

TEST_CASE("a key that was never given names nothing") {
    constexpr SlabKey kNothing;
    static_assert(!kNothing);
    static_assert(kNothing == SlabKey{});
    CHECK(kNothing.generation() == 0);
}

TEST_CASE("a key survives being taken apart and put together") {
    constexpr auto kKey = SlabKey::from_parts(17, 5);
    static_assert(kKey && SlabKey::from_parts(kKey.index(), kKey.generation()) == kKey);
    CHECK(kKey.broken_invariant() == nullptr);
}

TEST_CASE("two numbers that are no key make the key that names nothing [slab/K1]") {
    for (const std::uint32_t generation : {0U, 2U, 4U, 0xFFFF'FFFEU}) {
        CHECK(SlabKey::from_parts(3, generation) == SlabKey{});
    }
}

TEST_CASE("keys are ordered and hashed, those of neighbours apart") {
    CHECK(SlabKey::from_parts(1, 3) < SlabKey::from_parts(2, 1));
    std::unordered_set<std::size_t> hashes;
    for (std::uint32_t index = 0; index < 1000; ++index) {
        for (std::uint32_t generation = 1; generation < 20; generation += 2) {
            hashes.insert(std::hash<SlabKey>{}(SlabKey::from_parts(index, generation)));
            hashes.insert(std::hash<WideSlabKey>{}(WideSlabKey::from_parts(index, (std::uint64_t{generation} << 40) + 1)));
        }
    }
    CHECK(hashes.size() >= 17'900);
}

}  // namespace
}  // namespace heapwright
