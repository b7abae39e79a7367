#include <heapwright/study/advice/rule.hpp>

#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using namespace study::advice;

TEST_CASE("a gain is worth a change only when it is large and a part of the whole") {
    Program program;
    const Case small(program.findings);
    CHECK(!small.worth_bytes(400 << 10));
    CHECK(!small.worth_bytes(1 << 20));  // of 100 MiB
    CHECK(small.worth_bytes(3 << 20));
    CHECK(!small.worth_seconds(0.001));
    CHECK(!small.worth_seconds(0.03));  // of 5 s
    CHECK(small.worth_seconds(0.06));
}

TEST_CASE("glibc takes a header and rounds to 16 bytes") {
    Program program;
    const Case glibc(program.findings);
    CHECK(glibc.taken_for(1) == 32);
    CHECK(glibc.taken_for(24) == 32);
    CHECK(glibc.taken_for(25) == 48);
    CHECK(glibc.taken_for(1000) == 1008);
}

TEST_CASE("of other allocators the recording says what they took") {
    Program program;
    program.findings.provenance["allocator"] = "libjemalloc.so.2";
    study::SizeRow row;
    row.size = 33;
    row.usable = 48;
    program.findings.sizes.push_back(row);
    const Case jemalloc(program.findings);
    CHECK(jemalloc.taken_for(33) == 48);
    CHECK(jemalloc.taken_for(20) == 32);
}

TEST_CASE("numbers are written with units") {
    CHECK(bytes_text(100) == "100 bytes");
    CHECK(bytes_text(1536) == "1.5 KiB");
    CHECK(bytes_text(3.0 * (1 << 20)) == "3.0 MiB");
    CHECK(bytes_text(5.0 * (1 << 30)) == "5.00 GiB");
    CHECK(count_text(7) == "7");
    CHECK(count_text(1204332) == "1,204,332");
    CHECK(seconds_text(0.0000123) == "12 us");
    CHECK(seconds_text(0.0123) == "12.3 ms");
    CHECK(seconds_text(12.3) == "12.30 s");
}

TEST_CASE("of one rule only the most promising are kept") {
    std::vector<Suggestion> many(10);
    for (std::size_t i = 0; i < many.size(); ++i) {
        many[i].expected_bytes = static_cast<double>(i << 20);
    }
    keep_best(many);
    REQUIRE(many.size() == kMostOfOneRule);
    CHECK(many[0].expected_bytes == static_cast<double>(9 << 20));
}

}  // namespace heapwright::test
