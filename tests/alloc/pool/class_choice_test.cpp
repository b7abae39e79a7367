// Which size classes waste least.
#include <heapwright/alloc/pool/class_choice.hpp>

#include <array>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

std::vector<std::size_t> choose(const std::vector<SizeCount>& histogram, std::size_t most, std::size_t grain = 1) {
    std::vector<std::size_t> classes(most);
    classes.resize(choose_classes(histogram, classes, grain));
    return classes;
}

std::uint64_t waste(const std::vector<SizeCount>& histogram, const std::vector<std::size_t>& classes) {
    std::uint64_t bytes = 0;
    for (const SizeCount& entry : histogram) {
        for (const std::size_t block : classes) {
            if (block >= entry.size_bytes) {
                bytes += (block - entry.size_bytes) * entry.count;
                break;
            }
        }
    }
    return bytes;
}

TEST_CASE("with enough classes nothing is wasted") {
    CHECK(choose({{10, 5}, {24, 1}, {100, 7}}, 5) == std::vector<std::size_t>{10, 24, 100});
}

TEST_CASE("with too few, the rare sizes are rounded up") {
    CHECK(choose({{10, 1000}, {11, 1}, {12, 1000}, {100, 10}}, 3) == std::vector<std::size_t>{10, 12, 100});
}

TEST_CASE("an empty histogram wants no classes") { CHECK(choose({}, 4).empty()); }

TEST_CASE("classes are multiples of the grain and hold the largest size") {
    const auto classes = choose({{1, 10}, {17, 10}, {33, 1}, {250, 3}}, 3, 16);
    CHECK(classes.back() == 256);
    for (const std::size_t block : classes) {
        CHECK(block % 16 == 0);
    }
}

TEST_CASE("a histogram of more sizes than fit is made coarser, not cut off") {
    std::vector<SizeCount> histogram;
    for (std::size_t size = 1; size <= 5000; ++size) {
        histogram.push_back({size, 1});
    }
    const auto classes = choose(histogram, 8);
    CHECK(classes.size() == 8);
    CHECK(classes.back() >= 5000);
}

TEST_CASE("no other choice of as many classes wastes less") {
    test::Random random;
    for (int round = 0; round < 30; ++round) {
        std::vector<SizeCount> histogram;
        std::size_t size = 0;
        for (int entry = 0; entry < 8; ++entry) {
            size += random.between(1, 50);
            histogram.push_back({size, random.between(1, 100)});
        }
        const auto chosen = choose(histogram, 3);
        // Every class is one of the sizes in a best choice, and the largest must be in it.
        for (std::size_t a = 0; a < 8; ++a) {
            for (std::size_t b = a + 1; b < 7; ++b) {
                CHECK(waste(histogram, chosen) <=
                      waste(histogram, {histogram[a].size_bytes, histogram[b].size_bytes, histogram[7].size_bytes}));
            }
        }
    }
}

TEST_CASE("classes may be chosen when the program is compiled") {
    constexpr auto kChosen = [] {
        constexpr std::array<SizeCount, 3> kHistogram{{{16, 100}, {40, 50}, {200, 1}}};
        std::array<std::size_t, 2> classes{};
        static_cast<void>(choose_classes(kHistogram, classes));
        return classes;
    }();
    CHECK(kChosen == std::array<std::size_t, 2>{48, 208});
}

}  // namespace
}  // namespace heapwright
