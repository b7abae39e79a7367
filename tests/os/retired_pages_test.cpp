// Pages that fault for a while after they were given back.
#include <heapwright/os/retired_pages.hpp>

#include <doctest/doctest.h>

#include <tests/support/death.hpp>

namespace heapwright::os {
namespace {

constexpr Layout kBlock{.size = 8192, .alignment = 16};

TEST_CASE("a block that came back faults") {
    static constexpr RetiredPages kRetired;
    const auto death = test::death_of([] {
        auto* const block = static_cast<volatile char*>(kRetired.try_allocate(kBlock));
        *block = 1;
        kRetired.deallocate(const_cast<char*>(block), kBlock);
        *block = 2;
    });
    CHECK(death.died);
}

TEST_CASE("addresses are held for the newest blocks only") {
    static constexpr RetiredPages kRetired;
    void* const oldest = kRetired.try_allocate(kBlock);
    REQUIRE(oldest != nullptr);
    kRetired.deallocate(oldest, kBlock);
    CHECK(RetiredPages::is_retired(oldest));
    void* newest = nullptr;
    for (std::size_t count = 0; count < RetiredPages::kRetiredBlocks; ++count) {
        newest = kRetired.try_allocate(kBlock);
        kRetired.deallocate(newest, kBlock);
    }
    CHECK_FALSE(RetiredPages::is_retired(oldest));
    CHECK(RetiredPages::is_retired(newest));
}

}  // namespace
}  // namespace heapwright::os
