// The size classes are what they promise.
#include <heapwright/alloc/heap/size_class.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using namespace heap;

TEST_CASE("each size goes into the smallest class that holds it") {
    for (std::size_t bytes = 1; bytes <= kSmallBytes; ++bytes) {
        const SizeClass size_class = class_of(bytes);
        REQUIRE(bytes_of(size_class) >= bytes);
        REQUIRE((size_class == 0 || bytes_of(static_cast<SizeClass>(size_class - 1)) < bytes));
    }
    CHECK(class_of(0) == 0);
}

TEST_CASE("above 128 bytes at most an eighth of a block is rounding") {
    for (std::size_t bytes = kSteppedBytes + 1; bytes <= kSmallBytes; ++bytes) {
        REQUIRE(static_cast<double>(bytes_of(class_of(bytes)) - bytes) <= 0.125 * static_cast<double>(bytes));
    }
}

TEST_CASE("blocks of more than 8 bytes lie at multiples of 16") {
    for (unsigned size_class = 1; size_class < kClassCount; ++size_class) {
        CHECK(bytes_of(static_cast<SizeClass>(size_class)) % 16 == 0);
    }
}

TEST_CASE("each step of the direct table belongs to the class of its size") {
    std::size_t steps = 0;
    for (unsigned number = 0; number < kClassCount; ++number) {
        const auto size_class = static_cast<SizeClass>(number);
        const DirectSteps range = direct_steps_of(size_class);
        for (std::size_t step = range.first; step <= range.last; ++step, ++steps) {
            CHECK(class_of(step * 8) == size_class);
        }
    }
    CHECK(steps == kDirectSteps);
}

TEST_CASE("a span wastes at most a fifth of itself at its end, and holds at least four blocks") {
    for (unsigned number = 0; number < kClassCount; ++number) {
        const auto size_class = static_cast<SizeClass>(number);
        const std::size_t span = slices_of(size_class) * kSliceBytes;
        CHECK(capacity_of(size_class) >= 4);
        CHECK(span - capacity_of(size_class) * bytes_of(size_class) <= span / 5);
    }
}

}  // namespace heapwright::test
