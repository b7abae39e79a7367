// The account of an allocator.
#include <heapwright/alloc/adapt/tracked.hpp>

#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

constexpr Layout bytes(std::size_t size) { return {.size = size, .alignment = 8}; }

TEST_CASE("bytes, blocks, peak, refusals and sizes are counted") {
    FailingSource source;
    Tlsf heap{source};
    Tracked tracked{heap};
    void* const first = tracked.try_allocate(bytes(100));
    void* const second = tracked.try_allocate(bytes(28));
    tracked.deallocate(first, bytes(100));
    void* const third = tracked.try_allocate(bytes(0));
    CHECK(tracked.try_allocate(bytes(Layout::kLargestSize - 7)) == nullptr);
    const TrackedStats stats = tracked.stats();
    CHECK(stats.allocations == 3);
    CHECK(stats.releases == 1);
    CHECK(stats.live_blocks() == 2);
    CHECK(stats.refusals == 1);
    CHECK(stats.live_bytes == 28);
    CHECK(stats.peak_bytes == 128);
    CHECK(stats.total_bytes == 128);
    CHECK(stats.sizes[0] == 1);
    CHECK(stats.sizes[5] == 1);  // 16 to 31
    CHECK(stats.sizes[7] == 1);  // 64 to 127
    CHECK(tracked.owns(second));
    CHECK(tracked.broken_invariant() == nullptr);
    tracked.deallocate(second, bytes(28));
    tracked.deallocate(third, bytes(0));
    CHECK(tracked.stats().live_bytes == 0);
}

struct Diary {
    std::vector<std::pair<void*, std::size_t>> given;
    std::vector<void*> taken;
    void allocated(void* block, Layout layout) noexcept { given.emplace_back(block, layout.size); }
    void released(void* block, Layout /*layout*/) noexcept { taken.push_back(block); }
};

TEST_CASE("a sink hears of every block, and of no refusal") {
    FailingSource source;
    Tlsf heap{source};
    Diary diary;
    Tracked tracked{heap, diary};
    void* const block = tracked.try_allocate(bytes(10));
    CHECK(tracked.try_allocate(bytes(Layout::kLargestSize - 7)) == nullptr);
    tracked.deallocate(block, bytes(10));
    REQUIRE(diary.given.size() == 1);
    CHECK(diary.given[0] == std::pair{block, std::size_t{10}});
    CHECK(diary.taken == std::vector{block});
}

}  // namespace
}  // namespace heapwright
