// Whole OS pages as a source of blocks.
#include <heapwright/os/page_source.hpp>

#include <cstring>

#include <doctest/doctest.h>

#include <heapwright/base/bits.hpp>

namespace heapwright::os {
namespace {

TEST_CASE("blocks are whole zero pages, aligned as asked") {
    for (const std::size_t alignment : {std::size_t{1}, std::size_t{64}, kPageBytes, std::size_t{65536}, kHugePageBytes}) {
        const Layout layout{.size = 100'000, .alignment = alignment};
        auto* const block = static_cast<char*>(kPages.try_allocate(layout));
        REQUIRE(block != nullptr);
        CHECK(is_aligned(block, alignment < kPageBytes ? kPageBytes : alignment));
        CHECK(block[99'999] == 0);
        std::memset(block, 1, 100'000);
        kPages.deallocate(block, layout);
    }
}

TEST_CASE("what cannot be mapped is refused") {
    CHECK(kPages.try_allocate({.size = 0, .alignment = 1}) == nullptr);
    CHECK(kPages.try_allocate({.size = SIZE_MAX, .alignment = 1}) == nullptr);
    CHECK(kPages.try_allocate({.size = std::size_t{1} << 60, .alignment = 1}) == nullptr);
}

}  // namespace
}  // namespace heapwright::os
