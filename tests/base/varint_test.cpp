// Numbers in few bytes: every number comes back, and no bytes whatsoever are read beyond their end.
#include <heapwright/base/varint.hpp>

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright {

TEST_CASE("every number comes back in as many bytes as its bits need") {
    test::Random random;
    for (int round = 0; round < 50'000; ++round) {
        const std::uint64_t number = random.next() >> random.below(64);
        std::uint8_t room[kVarintBytesMax];
        const std::uint8_t* end = put_varint(room, number);
        CHECK(static_cast<std::size_t>(end - room) == varint_bytes(number));
        const std::uint8_t* in = room;
        std::uint64_t back = 0;
        REQUIRE(get_varint(in, end, back));
        CHECK(back == number);
        CHECK(in == end);
    }
}

TEST_CASE("the edges of each length take the length they should") {
    CHECK(varint_bytes(0) == 1);
    for (unsigned length = 1; length < 10; ++length) {
        const std::uint64_t first = std::uint64_t{1} << (7 * length);
        CHECK(varint_bytes(first - 1) == length);
        CHECK(varint_bytes(first) == length + 1);
    }
    CHECK(varint_bytes(UINT64_MAX) == kVarintBytesMax);
}

TEST_CASE("a number that is cut short is refused and nothing moves") {
    std::uint8_t room[kVarintBytesMax];
    const std::uint8_t* end = put_varint(room, UINT64_MAX);
    for (const std::uint8_t* cut = room; cut != end; ++cut) {
        // A vector of the exact length, so that ASan sees a read beyond it.
        const std::vector<std::uint8_t> bytes(static_cast<const std::uint8_t*>(room), cut);
        const std::uint8_t* in = bytes.data();
        std::uint64_t out = 42;
        CHECK_FALSE(get_varint(in, bytes.data() + bytes.size(), out));
        CHECK(in == bytes.data());
        CHECK(out == 42);
    }
}

TEST_CASE("a number of more than 64 bits is refused") {
    std::vector<std::uint8_t> bytes(9, 0xFF);
    bytes.push_back(0x02);
    const std::uint8_t* in = bytes.data();
    std::uint64_t out = 0;
    CHECK_FALSE(get_varint(in, bytes.data() + bytes.size(), out));
    bytes.back() = 0x81;  // and one that goes on for ever
    bytes.push_back(0x00);
    in = bytes.data();
    CHECK_FALSE(get_varint(in, bytes.data() + bytes.size(), out));
}

TEST_CASE("random bytes are read to a number or refused, never beyond their end") {
    test::Random random;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::uint8_t> bytes(random.below(14));
        for (std::uint8_t& byte : bytes) {
            byte = static_cast<std::uint8_t>(random.next() | (random.one_in(3) ? 0 : 0x80));
        }
        const std::uint8_t* in = bytes.data();
        const std::uint8_t* end = in + bytes.size();
        std::uint64_t out = 0;
        while (in != end && get_varint(in, end, out)) {}
        CHECK(in <= end);
    }
}

TEST_CASE("small magnitudes of either sign become small numbers") {
    CHECK(zigzag(0) == 0);
    CHECK(zigzag(-1) == 1);
    CHECK(zigzag(1) == 2);
    CHECK(zigzag(-2) == 3);
    CHECK(zigzag(std::numeric_limits<std::int64_t>::max()) == UINT64_MAX - 1);
    CHECK(zigzag(std::numeric_limits<std::int64_t>::min()) == UINT64_MAX);
    test::Random random;
    for (int round = 0; round < 10'000; ++round) {
        const auto number = static_cast<std::int64_t>(random.next()) >> random.below(63);
        CHECK(unzigzag(zigzag(number)) == number);
    }
}

}  // namespace heapwright
