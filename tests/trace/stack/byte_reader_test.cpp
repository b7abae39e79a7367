// Reading numbers from bytes: values, ends, encodings.
#include <heapwright/trace/stack/detail/byte_reader.hpp>

#include <array>

#include <doctest/doctest.h>

using heapwright::trace::stack::detail::ByteReader;

TEST_CASE("numbers of all sizes are read in order") {
    constexpr std::array<std::uint8_t, 16> bytes{1, 2, 0, 3, 0, 0, 0, 0xe5, 0x8e, 0x26, 0x7f, 0x80, 0x7f, 0, 0, 0};
    ByteReader reader{bytes.data(), bytes.data() + bytes.size()};
    CHECK(reader.take<std::uint8_t>() == 1);
    CHECK(reader.take<std::uint16_t>() == 2);
    CHECK(reader.take<std::uint32_t>() == 3);
    CHECK(reader.uleb() == 624485);
    CHECK(reader.sleb() == -1);
    CHECK(reader.sleb() == -128);
    reader.skip(3);
    CHECK(reader.at_end());
    CHECK_FALSE(reader.failed());
}

TEST_CASE("a read over the end gives zero and fails for good") {
    constexpr std::array<std::uint8_t, 3> bytes{1, 2, 0x80};
    ByteReader reader{bytes.data(), bytes.data() + bytes.size()};
    CHECK(reader.take<std::uint32_t>() == 0);
    CHECK(reader.failed());
    CHECK(reader.take<std::uint8_t>() == 0);
    ByteReader endless{bytes.data() + 2, bytes.data() + 3};
    CHECK(endless.uleb() == 0);
    CHECK(endless.failed());
}

TEST_CASE("a part ends where it was told to") {
    constexpr std::array<std::uint8_t, 4> bytes{1, 2, 3, 4};
    ByteReader reader{bytes.data(), bytes.data() + bytes.size()};
    ByteReader part = reader.part(3);
    CHECK(part.take<std::uint16_t>() == 0x0201);
    CHECK(part.take<std::uint16_t>() == 0);
    CHECK(part.failed());
    CHECK(reader.take<std::uint8_t>() == 4);
    CHECK(reader.part(1).at_end());
    CHECK(reader.failed());
}

TEST_CASE("pointers are relative to their place or to the data") {
    constexpr std::array<std::uint8_t, 8> bytes{0xfc, 0xff, 0xff, 0xff, 4, 0, 0, 0};
    const auto place = reinterpret_cast<std::uint64_t>(bytes.data());
    ByteReader reader{bytes.data(), bytes.data() + bytes.size()};
    CHECK(reader.encoded(0x1b, 0) == place - 4);
    CHECK(reader.encoded(0x3b, 1000) == 1004);
    CHECK(reader.encoded(0xff, 0) == 0);
    CHECK_FALSE(reader.failed());
    CHECK(reader.encoded(0x20, 0) == 0);
    CHECK(reader.failed());
}
