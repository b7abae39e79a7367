#include <heapwright/study/report/units.hpp>

#include <limits>

#include <doctest/doctest.h>

namespace heapwright::study {
namespace {

TEST_CASE("bytes have one decimal from a KiB on and never four digits before the point") {
    CHECK(bytes_text(0) == "0 B");
    CHECK(bytes_text(1023) == "1023 B");
    CHECK(bytes_text(1024) == "1.0 KiB");
    CHECK(bytes_text(1536) == "1.5 KiB");
    CHECK(bytes_text(1024 * 1024 - 1) == "1.0 MiB");
    CHECK(bytes_text(642'154'496) == "612.4 MiB");
    CHECK(bytes_text(std::numeric_limits<std::uint64_t>::max()) == "16.0 EiB");
}

TEST_CASE("exact bytes stand beside the rounded ones") {
    CHECK(exact_bytes_text(1) == "1 byte");
    CHECK(exact_bytes_text(312) == "312 bytes");
    CHECK(exact_bytes_text(642'154'496) == "612.4 MiB (642,154,496 bytes)");
}

TEST_CASE("signed figures bear their sign, the most negative one included") {
    CHECK(signed_bytes_text(4096) == "+4.0 KiB");
    CHECK(signed_bytes_text(-312) == "-312 B");
    CHECK(signed_bytes_text(0) == "0 B");
    CHECK(signed_bytes_text(std::numeric_limits<std::int64_t>::min()) == "-8.0 EiB");
    CHECK(signed_count_text(-1204) == "-1,204");
}

TEST_CASE("counts are grouped by thousands") {
    CHECK(count_text(0) == "0");
    CHECK(count_text(999) == "999");
    CHECK(count_text(1'204'332) == "1,204,332");
    CHECK(counted(1, "block") == "1 block");
    CHECK(counted(2000, "block") == "2,000 blocks");
}

TEST_CASE("shares say when there is something that rounds to nothing") {
    CHECK(share_text(0.0) == "0.0 %");
    CHECK(share_text(0.00001) == "<0.1 %");
    CHECK(share_text(0.045) == "4.5 %");
    CHECK(share_text(std::uint64_t{0}, 0) == "0.0 %");
    CHECK(share_text(std::uint64_t{1}, 4) == "25.0 %");
}

TEST_CASE("durations pick their unit") {
    CHECK(duration_text(812) == "812 ns");
    CHECK(duration_text(1200) == "1.2 us");
    CHECK(duration_text(1'200'000) == "1.2 ms");
    CHECK(duration_text(12'400'000'000) == "12.40 s");
    CHECK(duration_text(123'000'000'000) == "2 min 3 s");
}

}  // namespace
}  // namespace heapwright::study
