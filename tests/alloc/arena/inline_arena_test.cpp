// An arena that carries its first chunk.
#include <heapwright/alloc/arena/inline_arena.hpp>

#include <cstddef>

#include <doctest/doctest.h>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

TEST_CASE("what fits inside asks no source, and what does not, does") {
    test::FailingSource source;
    InlineArena<512> arena{source};
    auto* const inside = static_cast<std::byte*>(arena.try_allocate({.size = 400, .alignment = 8}));
    CHECK(source.requests() == 0);
    CHECK(inside >= reinterpret_cast<std::byte*>(&arena));
    CHECK(inside + 400 <= reinterpret_cast<std::byte*>(&arena + 1));
    CHECK(arena.try_allocate({.size = 400, .alignment = 8}) != nullptr);
    CHECK(source.requests() == 1);
    CHECK(arena.broken_invariant() == nullptr);
    arena.reset();
    CHECK(arena.try_allocate({.size = 400, .alignment = 8}) == inside);
}

TEST_CASE("without a source it is as large as it says, and no larger") {
    InlineArena<256> arena;
    CHECK(arena.try_allocate({.size = kPoisoning ? 240 : 256, .alignment = 16}) != nullptr);
    CHECK(arena.try_allocate({.size = 16, .alignment = 1}) == nullptr);
}

}  // namespace
}  // namespace heapwright
