// Other allocators of the system under the library's.
#include <heapwright/alloc/adapt/foreign_sources.hpp>

#include <cstring>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>

namespace heapwright {
namespace {

template <class Source>
void stand_on(Source& source) {
    for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        for (const std::size_t size :
             {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{512}, std::size_t{70'000}, alignment}) {
            const Layout layout{.size = size, .alignment = alignment};
            void* const block = source.try_allocate(layout);
            REQUIRE(block != nullptr);
            CHECK(is_aligned(block, alignment));
            std::memset(block, 1, size);
            source.deallocate(block, layout);
        }
    }
    Arena arena{source};
    CHECK(arena.try_allocate({.size = 100'000, .alignment = 4096}) != nullptr);
    Tlsf heap{source};
    CHECK(heap.try_allocate({.size = 100'000, .alignment = 64}) != nullptr);
}

TEST_CASE("libc's malloc is a source") { stand_on(kMalloc); }

TEST_CASE("mimalloc is a source where the system has it") {
    Result<ForeignSource> source = ForeignSource::mimalloc();
    if (!source) {
        MESSAGE("not tested: this system has no libmimalloc.so.2");
        CHECK(source.error().kind == Errc::not_found);
        return;
    }
    stand_on(*source);
}

TEST_CASE("jemalloc is a source where the system has it") {
    Result<ForeignSource> source = ForeignSource::jemalloc();
    if (!source) {
        MESSAGE("not tested: this system has no libjemalloc.so.2, or it cannot be loaded late");
        CHECK(source.error().kind == Errc::not_found);
        return;
    }
    stand_on(*source);
}

}  // namespace
}  // namespace heapwright
