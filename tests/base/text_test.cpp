// Text in a fixed buffer: right numbers, safe truncation.
#include <heapwright/base/text.hpp>

#include <cstdint>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

std::string human(std::uint64_t bytes) {
    Text<64> text;
    return std::string(text.append_bytes_human(bytes).view());
}

std::string exact(std::uint64_t bytes) {
    Text<64> text;
    return std::string(text.append_bytes_exact(bytes).view());
}

}  // namespace

TEST_CASE("decimal numbers are what the standard library writes") {
    test::Random random;
    for (int round = 0; round < 5'000; ++round) {
        const std::uint64_t number = random.next() >> random.below(64);
        const auto negative = -static_cast<std::int64_t>(number >> 1);
        Text<64> text;
        text.append_decimal(number).append(" ").append_decimal(negative);
        CHECK(text.view() == std::to_string(number) + " " + std::to_string(negative));
    }
    Text<64> text;
    text.append_decimal(std::numeric_limits<std::int64_t>::min()).append_char(',').append_decimal(std::uint64_t{0});
    CHECK(text.view() == "-9223372036854775808,0");
}

TEST_CASE("hexadecimal numbers have a prefix and no leading zeros") {
    Text<64> text;
    text.append_hex(0).append(" ").append_hex(0x7f20c0).append(" ").append_hex(UINT64_MAX).append(" ").append_pointer(nullptr);
    CHECK(text.view() == "0x0 0x7f20c0 0xffffffffffffffff 0x0");
}

TEST_CASE("sizes are rounded to one decimal, with their unit") {
    CHECK(human(0) == "0 bytes");
    CHECK(human(1) == "1 byte");
    CHECK(human(1023) == "1023 bytes");
    CHECK(human(1024) == "1 KiB");
    CHECK(human(1536) == "1.5 KiB");
    CHECK(human(81920) == "80 KiB");
    CHECK(human((std::uint64_t{1} << 20) - 1) == "1024 KiB");
    CHECK(human(std::uint64_t{3} << 40) == "3 TiB");
    CHECK(human(UINT64_MAX) == "16 EiB");
    CHECK(exact(48) == "48 bytes");
    CHECK(exact(81920) == "81920 bytes (80 KiB)");
}

TEST_CASE("what does not fit is cut off and admitted, and the closing zero stays") {
    Text<8> text;
    text.append("1234").append("56789");
    CHECK(text.view() == "1234567");
    CHECK(text.truncated());
    CHECK(text.c_str()[7] == '\0');
    text.append("more");
    CHECK(text.view() == "1234567");
    CHECK(text.broken_invariant() == nullptr);
    text.clear();
    CHECK(text.view().empty());
    CHECK_FALSE(text.truncated());
}

TEST_CASE("a buffer of no bytes or of one takes nothing and is never written beyond") {
    char guard[2] = {'a', 'b'};
    TextBuffer none(guard, 0);
    none.append("x").append_decimal(std::uint64_t{7});
    CHECK(none.view().empty());
    CHECK(none.c_str()[0] == '\0');
    CHECK(guard[0] == 'a');
    TextBuffer one(guard, 1);
    one.append("x");
    CHECK(one.view().empty());
    CHECK(guard[0] == '\0');
    CHECK(guard[1] == 'b');
}

TEST_CASE("random appends never leave the buffer") {
    test::Random random;
    for (int round = 0; round < 500; ++round) {
        Text<40> text;
        for (int step = 0; step < 12; ++step) {
            switch (random.below(4)) {
                case 0: text.append(std::string(random.below(20), 'x')); break;
                case 1: text.append_decimal(random.next()); break;
                case 2: text.append_hex(random.next()); break;
                default: text.append_bytes_exact(random.next() >> random.below(64)); break;
            }
            CHECK(text.broken_invariant() == nullptr);
            CHECK(text.view().size() <= 39);
        }
    }
}

TEST_CASE("letters up to a zero byte are appended, and none for nullptr") {
    Text<16> text;
    const char* none = nullptr;
    text.append(static_cast<const char*>("abc")).append(none).append("");
    CHECK(text.view() == "abc");
}

TEST_CASE("head and tail of a text end where the text does") {
    static_assert(tail_of("abc", 1) == "bc");
    static_assert(tail_of("abc", 3).empty());
    static_assert(tail_of("abc", SIZE_MAX).empty());
    static_assert(head_of("abc", 2) == "ab");
    static_assert(head_of("abc", SIZE_MAX) == "abc");
}

TEST_CASE("numbers are taken from the front of a text, or nothing is") {
    std::string_view text = "4096 kB";
    std::uint64_t number = 0;
    CHECK(take_decimal(text, number));
    CHECK(number == 4096);
    CHECK(text == " kB");
    CHECK_FALSE(take_decimal(text, number));
    CHECK(text == " kB");

    std::string_view hex = "7fFe-";
    CHECK(take_hex(hex, number));
    CHECK(number == 0x7ffe);
    CHECK(hex == "-");

    std::string_view huge = "18446744073709551616";
    CHECK_FALSE(take_decimal(huge, number));
    CHECK(huge.size() == 20);
    std::string_view largest = "18446744073709551615";
    CHECK(take_decimal(largest, number));
    CHECK(number == UINT64_MAX);
    std::string_view empty;
    CHECK_FALSE(take_decimal(empty, number));
}

}  // namespace heapwright
