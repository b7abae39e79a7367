// Sizes as people write them.
#include <apps/cli/sizes.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using cli::parse_bytes;
using cli::signed_percent;

TEST_CASE("every spelling of a unit is a power of 1024") {
    CHECK(parse_bytes("0") == 0);
    CHECK(parse_bytes("4096") == 4096);
    CHECK(parse_bytes("64KiB") == 65536);
    CHECK(parse_bytes("64kb") == 65536);
    CHECK(parse_bytes("1.5 MiB") == 1572864);
    CHECK(parse_bytes("2G") == std::uint64_t{2} << 30);
    CHECK(parse_bytes("1t") == std::uint64_t{1} << 40);
}

TEST_CASE("what is no size is none") {
    for (const char* text : {"", "x", "-1", "1 apple", "KiB", "nan", "inf", "-inf", "1e30", "18446744073709551616", "12 34"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_bytes(text).has_value());
    }
}

TEST_CASE("ratios become signed percentages") {
    CHECK(signed_percent(0.88) == "-12 %");
    CHECK(signed_percent(1.044) == "+4.4 %");
    CHECK(signed_percent(1) == "+0.0 %");
    CHECK(signed_percent(3) == "+200 %");
}

}  // namespace heapwright::test
