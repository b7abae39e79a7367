#include <heapwright/config/quantity.hpp>

#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {

namespace {

std::string size_text(std::uint64_t bytes) {
    Text<64> text;
    config::append_size(text, bytes);
    return std::string(text.view());
}

std::string time_text(std::uint64_t ns) {
    Text<64> text;
    config::append_duration(text, ns);
    return std::string(text.view());
}

std::string share_text(std::uint32_t millionths) {
    Text<64> text;
    config::append_share(text, {millionths});
    return std::string(text.view());
}

}  // namespace

TEST_CASE("sizes are read with every unit, and without") {
    const struct {
        const char* text;
        std::uint64_t bytes;
    } cases[] = {{"0", 0},
                 {"17", 17},
                 {"17B", 17},
                 {"64KiB", 65536},
                 {"64K", 65536},
                 {"3MiB", 3 << 20},
                 {"2G", std::uint64_t{2} << 30},
                 {"1TiB", std::uint64_t{1} << 40}};
    for (const auto& [text, bytes] : cases) {
        std::uint64_t read = 1;
        CHECK(config::read_size(text, read));
        CHECK(read == bytes);
    }
}

TEST_CASE("what is no size changes nothing") {
    for (const char* text : {"", "KiB", "64KB", "64 KiB", "-1", "1.5MiB", "64kib", "18446744073709551616", "99999999TiB", "1KiB "}) {
        std::uint64_t read = 7;
        CHECK_FALSE(config::read_size(text, read));
        CHECK(read == 7);
    }
}

TEST_CASE("times need a unit, but for none at all") {
    std::uint64_t ns = 0;
    CHECK(config::read_duration("250ms", ns));
    CHECK(ns == 250'000'000);
    CHECK(config::read_duration("2h", ns));
    CHECK(ns == 7'200'000'000'000);
    CHECK(config::read_duration("0", ns));
    CHECK(ns == 0);
    CHECK_FALSE(config::read_duration("250", ns));
    CHECK_FALSE(config::read_duration("250 ms", ns));
    CHECK_FALSE(config::read_duration("99999999999h", ns));
}

TEST_CASE("shares are percentages, exact to a millionth") {
    Share share;
    CHECK(config::read_share("30%", share));
    CHECK(share.millionths == 300'000);
    CHECK(config::read_share("12.3456%", share));
    CHECK(share.millionths == 123'456);
    CHECK(config::read_share("100%", share));
    for (const char* text : {"30", "101%", "100.5%", "1.23456%", "-1%", "%", "1.%", ".5%", "0.3"}) {
        CHECK_FALSE(config::read_share(text, share));
    }
    CHECK(share.millionths == 1'000'000);
    CHECK(config::share_of(0.3, share));
    CHECK(share.millionths == 300'000);
    CHECK_FALSE(config::share_of(1.01, share));
    CHECK_FALSE(config::share_of(-0.1, share));
    CHECK_FALSE(config::share_of(__builtin_nan(""), share));
}

TEST_CASE("a share tells what exceeds it, also where a product has more than 64 bits") {
    const Share half{500'000};
    CHECK_FALSE(half.is_exceeded_by(5, 10));
    CHECK(half.is_exceeded_by(6, 10));
    CHECK(half.is_exceeded_by((std::uint64_t{1} << 62) + 1, std::uint64_t{1} << 63));
    CHECK_FALSE(half.is_exceeded_by(0, 0));
}

TEST_CASE("what is printed is read back") {
    CHECK(size_text(0) == "0");
    CHECK(size_text(65536) == "64KiB");
    CHECK(size_text(65537) == "65537B");
    CHECK(time_text(10'000'000'000) == "10s");
    CHECK(time_text(1'500'000) == "1500us");
    CHECK(share_text(300'000) == "30%");
    CHECK(share_text(123'450) == "12.345%");
    CHECK(share_text(1) == "0.0001%");
    Random random;
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t number = random.next() >> random.below(64);
        std::uint64_t bytes = 0;
        std::uint64_t ns = 0;
        Share share;
        REQUIRE(config::read_size(size_text(number), bytes));
        CHECK(bytes == number);
        REQUIRE(config::read_duration(time_text(number), ns));
        CHECK(ns == number);
        const auto millionths = static_cast<std::uint32_t>(random.below(Share::kWhole + 1));
        REQUIRE(config::read_share(share_text(millionths), share));
        CHECK(share.millionths == millionths);
    }
}

TEST_CASE("build ids are hexadecimal and at most 20 bytes") {
    BuildId id;
    CHECK(config::read_build_id("00ffA5", id));
    CHECK(id.size == 3);
    CHECK(id.bytes[2] == 0xA5);
    Text<64> text;
    config::append_build_id(text, id);
    CHECK(text.view() == "00ffa5");
    for (const char* bad : {"", "0", "0g", "000000000000000000000000000000000000000000"}) {
        CHECK_FALSE(config::read_build_id(bad, id));
    }
}

TEST_CASE("the distance between names is the letters that differ") {
    CHECK(config::edit_distance("arena_sise", "arena_size") == 1);
    CHECK(config::edit_distance("", "abc") == 3);
    CHECK(config::edit_distance("same", "same") == 0);
    CHECK(config::edit_distance(std::string(100, 'a'), "a") == 40);
}

TEST_CASE("a caller is a build id, an offset and perhaps a file name, and nothing else") {
    for (const char* const text : {"83af+0x1a2b server", "00+0x0", "0011223344556677889900112233445566778899+0x7fffffffffffffff a b.so"}) {
        CallerCode caller;
        REQUIRE(config::read_caller(text, caller));
        Text<128> again;
        config::append_caller_code(again, caller);
        CHECK(again.view() == text);
    }
    for (const char* const bad : {"", "83af", "83af+", "83af+12", "83af+0x", "83af+0xg", "83af+0x1,", "83af+0x1 ", "83af+0x1 a/b", "8+0x1",
                                  "+0x1", "83af +0x1", "83af+0x8000000000000000", "83af+0x10000000000000000"}) {
        CallerCode before;
        before.offset = 7;
        CallerCode caller = before;
        INFO(bad);
        CHECK_FALSE(config::read_caller(bad, caller));
        CHECK(caller == before);
    }
}

}  // namespace heapwright::test
