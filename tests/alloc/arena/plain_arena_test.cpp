// An arena for plain data.
#include <heapwright/alloc/arena/plain_arena.hpp>

#include <string>
#include <string_view>
#include <type_traits>

#include <doctest/doctest.h>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

struct Point {
    int x;
    int y;
};

TEST_CASE("plain data may be made, marked and reset") {
    test::FailingSource source;
    PlainArena arena{source};
    CHECK(arena.create<Point>(1, 2).y == 2);
    CHECK(arena.create_array<int>(10).size() == 10);
    {
        const auto region = arena.open_region();
        CHECK(arena.copy("text") == "text");
    }
    const auto mark = arena.mark();
    CHECK(arena.try_create<Point>(3, 4)->x == 3);
    arena.rewind(mark);
    arena.reset();
    CHECK(arena.stats().used_bytes == 0);
    CHECK(arena.stats().destructors == 0);
}

TEST_CASE("a plain arena does not become an arena that would run destructors") { CHECK_FALSE(std::is_convertible_v<PlainArena&, Arena&>); }

}  // namespace
}  // namespace heapwright
