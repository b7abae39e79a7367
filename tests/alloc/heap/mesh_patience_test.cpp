// A pass that finds little makes the next one wait, until enough changed.
#include <heapwright/alloc/heap/detail/mesh_patience.hpp>

#include <cstdint>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using heap::MeshPatience;

constexpr std::uint64_t kMs = 1'000'000;

/// How many spans have to be stirred before the next pass.
std::uint32_t wait_of(const MeshPatience& patience, std::uint32_t stirred) {
    std::uint32_t more = 0;
    while (!patience.is_due(stirred + more)) {
        ++more;
    }
    return more;
}

TEST_CASE("the first pass waits for nothing") {
    const MeshPatience patience;
    CHECK(patience.is_due(0));
}

TEST_CASE("what was worth its time makes nobody wait") {
    MeshPatience patience;
    patience.begin(7);
    patience.end(10 * kMs, 500, 1000);
    CHECK(patience.is_due(7));
}

TEST_CASE("each vain pass waits longer, until as much was stirred as was looked at") {
    MeshPatience patience;
    std::uint32_t stirred = 0xFFFF'FF00;  // soon it begins anew
    for (const std::uint32_t wanted : {100U, 200U, 400U, 800U, 1600U, 1600U}) {
        patience.begin(stirred);
        patience.end(10 * kMs, 499, 1600);
        CHECK(wait_of(patience, stirred) == wanted);
        CHECK(patience.broken_invariant() == nullptr);
        stirred += wanted;
    }
    patience.begin(stirred);
    patience.end(10 * kMs, 501, 1600);
    CHECK(patience.is_due(stirred));
    patience.begin(stirred);
    patience.end(10 * kMs, 0, 1600);
    CHECK(wait_of(patience, stirred) == 100);
}

TEST_CASE("where nothing is sparse, nothing is waited for") {
    MeshPatience patience;
    patience.begin(5);
    patience.end(kMs, 0, 0);
    CHECK(patience.is_due(5));
}

}  // namespace
}  // namespace heapwright::test
