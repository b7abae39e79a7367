// Powers of two, alignment and overflow, against the plain definitions.
#include <heapwright/base/bits.hpp>

#include <cstdint>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright {

TEST_CASE("zero is no power of two, one is, and so is each single bit") {
    CHECK_FALSE(is_power_of_two(0));
    for (unsigned shift = 0; shift < 64; ++shift) {
        const std::uint64_t power = std::uint64_t{1} << shift;
        CHECK(is_power_of_two(power));
        CHECK(is_power_of_two(power | 1) == (shift == 0));
    }
}

TEST_CASE("log2 rounds down and up around each power") {
    for (unsigned shift = 1; shift < 64; ++shift) {
        const std::uint64_t power = std::uint64_t{1} << shift;
        CHECK(log2_floor(power) == shift);
        CHECK(log2_ceil(power) == shift);
        CHECK(log2_floor(power - 1) == shift - 1);
        CHECK(log2_ceil(power - 1) == (shift == 1 ? 0 : shift));
        if (shift < 63) {
            CHECK(log2_floor(power + 1) == shift);
            CHECK(log2_ceil(power + 1) == shift + 1);
        }
    }
    CHECK(log2_floor(UINT64_MAX) == 63);
    CHECK(log2_ceil(UINT64_MAX) == 64);
}

TEST_CASE("aligning moves to the nearest multiple and leaves multiples alone") {
    test::Random random;
    for (int round = 0; round < 10'000; ++round) {
        const std::size_t alignment = std::size_t{1} << random.below(20);
        const std::size_t number = random.next() >> 8;
        const std::size_t down = align_down(number, alignment);
        const std::size_t up = align_up(number, alignment);
        CHECK(down % alignment == 0);
        CHECK(up % alignment == 0);
        CHECK(down <= number);
        CHECK(number - down < alignment);
        CHECK(up >= number);
        CHECK(up - number < alignment);
        CHECK(is_aligned(number, alignment) == (up == down));
    }
}

TEST_CASE("a pointer is aligned within its object") {
    alignas(64) std::byte room[256];
    CHECK(align_up(room + 1, 64) == room + 64);
    CHECK(align_up(room + 64, 64) == room + 64);
    CHECK(align_down(room + 127, 64) == room + 64);
    CHECK(is_aligned(room + 128, 64));
    CHECK_FALSE(is_aligned(room + 8, 64));
}

TEST_CASE("arithmetic says when the sum, difference or product does not fit") {
    std::size_t out = 0;
    CHECK_FALSE(add_overflows<std::size_t>(SIZE_MAX - 1, 1, &out));
    CHECK(out == SIZE_MAX);
    CHECK(add_overflows<std::size_t>(SIZE_MAX, 1, &out));
    CHECK(subtract_overflows<std::size_t>(0, 1, &out));
    CHECK_FALSE(multiply_overflows<std::size_t>(SIZE_MAX / 2, 2, &out));
    CHECK(multiply_overflows<std::size_t>(SIZE_MAX / 2 + 1, 2, &out));
    CHECK_FALSE(align_up_overflows(SIZE_MAX - 15, 16, &out));
    CHECK(out == SIZE_MAX - 15);
    CHECK(align_up_overflows(SIZE_MAX - 14, 16, &out));
}

TEST_CASE("everything works in constant expressions") {
    static_assert(is_power_of_two(4096));
    static_assert(log2_ceil(4097) == 13);
    static_assert(align_up(std::size_t{13}, 8) == 16);
    static_assert(align_down(std::size_t{13}, 8) == 8);
}

}  // namespace heapwright
