#include <heapwright/own/image/schema.hpp>

#include <array>
#include <cstdint>

#include <doctest/doctest.h>

#include <tests/own/image/world.hpp>

namespace {

using namespace heapwright;

struct Plain {
    std::uint32_t first;
    std::uint32_t second;
    static constexpr ImageMembers<&Plain::first, &Plain::second> kImageMembers{};
};
struct Same {
    std::uint32_t first;
    std::uint32_t second;
    static constexpr ImageMembers<&Same::first, &Same::second> kImageMembers{};
};
struct OtherNames {
    std::uint32_t second;
    std::uint32_t first;
    static constexpr ImageMembers<&OtherNames::second, &OtherNames::first> kImageMembers{};
};
struct OtherSign {
    std::int32_t first;
    std::uint32_t second;
    static constexpr ImageMembers<&OtherSign::first, &OtherSign::second> kImageMembers{};
};
struct Tree {
    ImageRef<Tree> left;
    ImageRef<Tree> right;
    static constexpr ImageMembers<&Tree::left, &Tree::right> kImageMembers{};
};
struct Row {
    ImageVector<Row> left;
    ImageRef<Row> right;
    static constexpr ImageMembers<&Row::left, &Row::right> kImageMembers{};
};

static_assert(heapwright::detail::member_name<&Plain::second>() == "second");
static_assert(kImageSchema<Plain> == kImageSchema<Same>, "a type's own name is not its shape");
static_assert(kImageSchema<Plain> != kImageSchema<OtherNames>);
static_assert(kImageSchema<Plain> != kImageSchema<OtherSign>);
static_assert(kImageSchema<float> != kImageSchema<std::uint32_t>);
static_assert(kImageSchema<Tree> != kImageSchema<Row>);
static_assert(kImageSchema<ImageRef<Plain>> != kImageSchema<ImageVector<Plain>>);
static_assert(kImageSchema<ImageRef<Plain>> != kImageSchema<ImageRef<OtherSign>>, "what is referred to is part of the shape");
static_assert(kImageSchema<std::array<int, 3>> != kImageSchema<std::array<int, 4>>);

TEST_CASE("the shape of a type has the same number for every compiler") {
    // Written down once: an image that g++ wrote is read by a program that clang made.
    CHECK(kImageSchema<test::World> == 0x1F1BAA60C6816769U);
    CHECK(kImageSchema<Plain> == 0xC79F6FCF8480FF63U);
}

}  // namespace
