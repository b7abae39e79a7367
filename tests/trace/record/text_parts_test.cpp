// Cutting texts.
#include <heapwright/trace/record/text_parts.hpp>

#include <doctest/doctest.h>

using heapwright::trace::record::file_name_of;
using heapwright::trace::record::without_first;

TEST_CASE("more letters than there are leave nothing") {
    CHECK(without_first("abc", 1) == "bc");
    CHECK(without_first("abc", 3).empty());
    CHECK(without_first("abc", 9).empty());
}

TEST_CASE("the last part of a path") {
    CHECK(file_name_of("/usr/lib/libc.so.6") == "libc.so.6");
    CHECK(file_name_of("libc.so.6") == "libc.so.6");
    CHECK(file_name_of("/usr/lib/").empty());
}
