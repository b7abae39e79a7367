// Layout arithmetic: it agrees with the compiler's own layout of structs and arrays, and never wraps.
#include <heapwright/base/layout.hpp>

#include <cstdint>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

struct Pair {
    char letter;
    double number;
};

struct Triple {
    std::uint16_t first;
    std::uint64_t second;
    char third;
};

struct alignas(64) Wide {
    char bytes[65];
};

}  // namespace

TEST_CASE("the layout of a type is the compiler's") {
    CHECK(Layout::of<int>() == Layout{.size = sizeof(int), .alignment = alignof(int)});
    CHECK(Layout::of<Wide>() == Layout{.size = 128, .alignment = 64});
}

TEST_CASE("an array's layout is the compiler's, and a count that is too large is refused") {
    CHECK(Layout::array<Triple>(7).value() == Layout{.size = sizeof(Triple[7]), .alignment = alignof(Triple)});
    CHECK(Layout::array<int>(0).value() == Layout{.size = 0, .alignment = alignof(int)});
    CHECK(Layout::array<int>(SIZE_MAX / 2).error() == Error{.kind = Errc::overflow, .number = SIZE_MAX / 2});
    CHECK(Layout::array<char>(PTRDIFF_MAX).has_value());
    CHECK(Layout::array<char>(std::size_t{PTRDIFF_MAX} + 1).error().kind == Errc::overflow);
}

TEST_CASE("a layout is refused when its alignment is no power of two or its rounded size too large") {
    CHECK(Layout::make(10, 0).error().kind == Errc::invalid_argument);
    CHECK(Layout::make(10, 24).error() == Error{.kind = Errc::invalid_argument, .number = 24});
    CHECK(Layout::make(Layout::kLargestSize, 1).has_value());
    CHECK(Layout::make(Layout::kLargestSize, 2).error().kind == Errc::overflow);
    CHECK(Layout::make(SIZE_MAX, 4096).error().kind == Errc::overflow);
}

TEST_CASE("layouts that follow each other land where the compiler puts members") {
    const auto pair = Layout::of<char>().extend(Layout::of<double>()).value();
    CHECK(pair.offset == offsetof(Pair, number));
    CHECK(pair.layout.padded() == Layout::of<Pair>());

    const auto two = Layout::of<std::uint16_t>().extend(Layout::of<std::uint64_t>()).value();
    const auto three = two.layout.extend(Layout::of<char>()).value();
    CHECK(two.offset == offsetof(Triple, second));
    CHECK(three.offset == offsetof(Triple, third));
    CHECK(three.layout.padded() == Layout::of<Triple>());
}

TEST_CASE("extending beyond the largest size is refused") {
    const Layout huge{.size = Layout::kLargestSize, .alignment = 1};
    CHECK(huge.extend(Layout{.size = 1, .alignment = 1}).error().kind == Errc::overflow);
    CHECK(huge.extend(Layout{.size = SIZE_MAX, .alignment = 1}).error().kind == Errc::overflow);
    CHECK(huge.extend(Layout{.size = 0, .alignment = 1}).has_value());
}

TEST_CASE("repeated layouts keep each one aligned") {
    const auto rows = Layout{.size = 13, .alignment = 8}.repeat(5).value();
    CHECK(rows.stride == 16);
    CHECK(rows.layout == Layout{.size = 80, .alignment = 8});
    CHECK(Layout{.size = 13, .alignment = 8}.repeat(0).value().layout.size == 0);
    CHECK(Layout{.size = 1, .alignment = 1}.repeat(SIZE_MAX).error().kind == Errc::overflow);
    CHECK(Layout{.size = 16, .alignment = 16}.repeat(SIZE_MAX / 16).error().kind == Errc::overflow);
}

TEST_CASE("a layout written by hand can be judged") {
    CHECK(Layout{.size = 48, .alignment = 16}.is_valid());
    CHECK_FALSE(Layout{.size = 48, .alignment = 12}.is_valid());
    CHECK_FALSE(Layout{.size = SIZE_MAX, .alignment = 1}.is_valid());
}

TEST_CASE("random layouts keep their invariants through every operation") {
    test::Random random;
    for (int round = 0; round < 20'000; ++round) {
        const auto one = Layout::make(random.next() >> random.below(64), std::size_t{1} << random.below(64));
        const auto other = Layout::make(random.next() >> random.below(64), std::size_t{1} << random.below(20));
        if (!one || !other) {
            continue;
        }
        CHECK(one->padded().is_valid());
        if (const auto both = one->extend(*other)) {
            CHECK(both->layout.is_valid());
            CHECK(both->offset >= one->size);
            CHECK(both->offset % other->alignment == 0);
            CHECK(both->layout.size == both->offset + other->size);
        }
        if (const auto many = one->repeat(random.below(100))) {
            CHECK(many->layout.is_valid());
            CHECK(many->stride % one->alignment == 0);
        }
    }
}

TEST_CASE("layouts are computed by the compiler where it knows them") {
    static_assert(Layout::array<int>(4).value().size == 16);
    static_assert(!Layout::array<int>(SIZE_MAX).has_value());
    static_assert(Layout::of<char>().extend(Layout::of<double>()).value().offset == 8);
    static_assert(Layout::of<Pair>().repeat(3).value().layout.size == 48);
}

}  // namespace heapwright
