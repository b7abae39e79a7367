// Random distances without a mathematics library.
#include <heapwright/trace/record/exponential.hpp>

#include <cmath>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

using heapwright::trace::record::ExponentialDraw;

TEST_CASE("the logarithm agrees with the library's") {
    heapwright::test::Random random;
    for (int time = 0; time < 10000; ++time) {
        const double number = static_cast<double>(random.next() >> random.below(60)) + 1;
        REQUIRE(std::abs(ExponentialDraw::log2(number) - std::log2(number)) < 2e-7);
    }
    CHECK(ExponentialDraw::log2(1.0) == 0.0);
    CHECK(ExponentialDraw::log2(1024.0) == doctest::Approx(10.0));
}

TEST_CASE("distances have the mean that was asked for, and the spread of an exponential distribution") {
    ExponentialDraw draw;
    draw.seed(heapwright::test::seed());
    constexpr int kDraws = 200000;
    constexpr double kMean = 50000;
    double sum = 0;
    double squares = 0;
    int short_ones = 0;
    for (int time = 0; time < kDraws; ++time) {
        const auto distance = static_cast<double>(draw.next(static_cast<std::uint64_t>(kMean)));
        REQUIRE(distance >= 1);
        sum += distance;
        squares += distance * distance;
        short_ones += distance <= kMean ? 1 : 0;
    }
    const double mean = sum / kDraws;
    CHECK(mean == doctest::Approx(kMean).epsilon(0.02));
    CHECK(std::sqrt(squares / kDraws - mean * mean) == doctest::Approx(kMean).epsilon(0.03));
    CHECK(static_cast<double>(short_ones) / kDraws == doctest::Approx(1 - std::exp(-1.0)).epsilon(0.02));
}
