// Bounded writing and reading of numbers.
#include <heapwright/trace/bytes.hpp>

#include <array>
#include <limits>

#include <doctest/doctest.h>

using namespace heapwright::trace;

TEST_CASE("what was written is read back, in order") {
    std::array<std::uint8_t, 64> room{};
    ByteWriter out(room);
    out.varint(300);
    out.signed_varint(std::numeric_limits<std::int64_t>::min());
    out.byte(7);
    out.text("a path");
    REQUIRE(!out.overflowed());

    ByteReader in(out.written());
    CHECK(in.varint() == 300);
    CHECK(in.signed_varint() == std::numeric_limits<std::int64_t>::min());
    CHECK(in.byte() == 7);
    CHECK(in.text() == "a path");
    CHECK(in.at_end());
    CHECK(in.ok());
}

TEST_CASE("a record that does not fit is reported and can be taken back") {
    std::array<std::uint8_t, 12> room{};
    ByteWriter out(room);
    out.varint(1);
    const std::size_t kept = out.size();
    out.bytes("0123456789ab", 12);
    CHECK(out.overflowed());
    out.rewind(kept);
    CHECK(!out.overflowed());
    CHECK(out.size() == 1);
}

TEST_CASE("reading past the end gives zeros and says so") {
    const std::array<std::uint8_t, 2> bytes = {0x80, 0x80};
    ByteReader in(bytes);
    CHECK(in.varint() == 0);
    CHECK(!in.ok());
    CHECK(in.byte() == 0);
    CHECK(in.at_end());
}

TEST_CASE("a text longer than the payload is refused") {
    const std::array<std::uint8_t, 3> bytes = {200, 1, 'a'};
    ByteReader in(bytes);
    CHECK(in.text().empty());
    CHECK(!in.ok());
}
