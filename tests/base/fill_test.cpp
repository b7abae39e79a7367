// Bytes that are recognisable in a debugger.
#include <heapwright/base/fill.hpp>

#include <initializer_list>

#include <doctest/doctest.h>

namespace heapwright {

TEST_CASE("filled bytes are recognised and one wrong byte is noticed") {
    unsigned char room[64] = {};
    for (const FillByte value : {FillByte::fresh, FillByte::freed, FillByte::fence}) {
        fill(room, sizeof room, value);
        CHECK(is_filled(room, sizeof room, value));
        for (unsigned char& byte : room) {
            const unsigned char before = byte;
            byte = static_cast<unsigned char>(before ^ 1U);
            CHECK_FALSE(is_filled(room, sizeof room, value));
            byte = before;
        }
    }
}

TEST_CASE("no bytes at all are filled with anything") { CHECK(is_filled(nullptr, 0, FillByte::fence)); }

}  // namespace heapwright
