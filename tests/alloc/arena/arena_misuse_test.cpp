// What an arena refuses, and what it says then.
#include <array>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>

namespace heapwright {
namespace {

TEST_CASE("misuse is refused with the sentence that says what to do") {
    os::report_failures_to_stderr();
    const auto foreign = test::death_of([] {
        Arena one{os::kPages};
        Arena other{os::kPages};
        other.rewind(one.mark());
    });
    CHECK(foreign.died);
    CHECK(test::said(foreign, "heapwright: foreign mark: it was made by another arena; rewind that one"));

    const auto stale = test::death_of([] {
        Arena arena{os::kPages};
        arena.create<long>(1L);
        const auto mark = arena.mark();
        arena.reset();
        arena.create<std::array<long, 4>>();
        arena.rewind(mark);
    });
    CHECK(test::said(stale, "heapwright: stale mark"));

    const auto reset_inside = test::death_of([] {
        Arena arena{os::kPages};
        Region region{arena};
        arena.reset();
    });
    CHECK(test::said(reset_inside, "heapwright: arena reset while a region is open"));

    const auto past_region = test::death_of([] {
        Arena arena{os::kPages};
        const auto mark = arena.mark();
        Region region{arena};
        arena.rewind(mark);
    });
    CHECK(test::said(past_region, "heapwright: stale mark"));

    const auto exhausted = test::death_of([] {
        Arena arena{os::kPages, {.limit_bytes = 4096}};
        static_cast<void>(arena.allocate({.size = 10'000, .alignment = 8}));
    });
    CHECK(test::said(exhausted, "heapwright: out of memory: the arena's limit or source refused"));
}

}  // namespace
}  // namespace heapwright
