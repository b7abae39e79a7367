// A view of any source of blocks.
#include <heapwright/base/block_source.hpp>

#include <cstdlib>

#include <doctest/doctest.h>

namespace heapwright {
namespace {

struct Counting {
    int given = 0;
    int taken = 0;
    void* try_allocate(Layout layout) noexcept {
        ++given;
        return std::malloc(layout.size);
    }
    void deallocate(void* block, Layout /*layout*/) noexcept {
        ++taken;
        std::free(block);
    }
};

TEST_CASE("a view asks the source it was made from") {
    Counting source;
    const SourceRef view{source};
    void* const block = view.try_allocate({.size = 10, .alignment = 1});
    CHECK(block != nullptr);
    CHECK(source.given == 1);
    view.deallocate(block, {.size = 10, .alignment = 1});
    CHECK(source.taken == 1);
    CHECK(view);
}

TEST_CASE("a view of nothing gives nothing") {
    const SourceRef nothing;
    CHECK_FALSE(nothing);
    CHECK(nothing.try_allocate({.size = 1, .alignment = 1}) == nullptr);
}

TEST_CASE("views are equal if their source is the same") {
    Counting one;
    Counting other;
    CHECK(SourceRef{one} == SourceRef{one});
    CHECK_FALSE(SourceRef{one} == SourceRef{other});
    CHECK_FALSE(SourceRef{one} == SourceRef{});
}

}  // namespace
}  // namespace heapwright
