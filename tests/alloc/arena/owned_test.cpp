// One owner for one object in an arena.
#include <heapwright/alloc/arena/owned.hpp>

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

TEST_CASE("an owned object dies when its owner says, and its bytes return if they are the newest") {
    FailingSource source;
    Arena arena{source};
    auto text = try_make_owned<std::string>(arena, "long enough to need the heap");
    REQUIRE(text);
    CHECK(*text == "long enough to need the heap");
    CHECK(arena.stats().destructors == 0);
    const std::size_t used = arena.stats().used_bytes;
    text.reset();
    CHECK_FALSE(text);
    CHECK(arena.stats().used_bytes < used);
}

TEST_CASE("an owner is handed from scope to scope") {
    FailingSource source;
    Arena arena{source};
    Owned<std::string> kept;
    {
        auto made = try_make_owned<std::string>(arena, "long enough to need the heap");
        kept = std::move(made);
    }
    CHECK(kept->size() == 28);
}

TEST_CASE("a value may be moved out of the region it was made in") {
    FailingSource source;
    Arena arena{source};
    std::string survivor;
    {
        Region region{arena};
        auto made = try_make_owned<std::string>(arena, "long enough to need the heap");
        survivor = made.take();
        CHECK_FALSE(made);
    }
    CHECK(survivor == "long enough to need the heap");
}

TEST_CASE("a refused owner is empty") {
    Arena arena{SourceRef{}};
    CHECK_FALSE(try_make_owned<int>(arena, 1));
}

}  // namespace
}  // namespace heapwright
