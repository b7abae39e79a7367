// Sizes recorded where a program runs become the classes of its MultiPool.
#include <heapwright/alloc/adapt/size_histogram.hpp>

#include <array>

#include <doctest/doctest.h>

#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

constexpr Layout bytes(std::size_t size) { return {.size = size, .alignment = 8}; }

TEST_CASE("each size is counted in the row that holds it, from the smallest to the largest") {
    SizeHistogram sizes;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16}, std::size_t{17}, std::size_t{2048}, std::size_t{2049},
                                   std::size_t{4096}, std::size_t{4097}, Layout::kLargestSize}) {
        sizes.allocated(nullptr, bytes(size));
    }
    std::array<SizeCount, SizeHistogram::kRows> rows{};
    const std::span<const SizeCount> counts = sizes.counts(rows);
    REQUIRE(counts.size() == 6);
    constexpr std::array<SizeCount, 6> kWanted{{{16, 3}, {32, 1}, {2048, 1}, {4096, 2}, {8192, 1}, {std::size_t{1} << 63, 1}}};
    for (std::size_t row = 0; row < counts.size(); ++row) {
        CAPTURE(row);
        CHECK(counts[row].size_bytes == kWanted[row].size_bytes);
        CHECK(counts[row].count == kWanted[row].count);
    }
    CHECK(sizes.counts(std::span{rows}.first(2)).size() == 2);
}

TEST_CASE("what was recorded gives a MultiPool classes that waste little") {
    FailingSource source;
    SizeHistogram sizes;
    constexpr std::array<std::size_t, 5> kAsked{24, 40, 112, 300, 1000};
    {
        Tlsf heap{source};
        Tracked tracked{heap, sizes};
        for (const std::size_t size : kAsked) {
            for (int times = 0; times < 50; ++times) {
                void* const block = tracked.try_allocate(bytes(size));
                REQUIRE(block != nullptr);
                tracked.deallocate(block, bytes(size));
            }
        }
    }
    std::array<SizeCount, SizeHistogram::kRows> rows{};
    std::array<std::size_t, 5> chosen{};
    const std::size_t count = choose_classes(sizes.counts(rows), chosen);
    REQUIRE(count == 5);
    std::array<SizeClassOptions, 5> classes{};
    for (std::size_t index = 0; index < count; ++index) {
        classes[index] = {.block_bytes = chosen[index]};
        CHECK(chosen[index] >= kAsked[index]);
        CHECK(chosen[index] < kAsked[index] + 16);
    }
    MultiPool pool{classes, source, {.leaks = Leaks::forget}};
    for (const std::size_t size : kAsked) {
        CHECK(pool.try_allocate(bytes(size)) != nullptr);
    }
    CHECK(pool.stats().fallback_total == 0);
    CHECK(pool.stats().all.usable_bytes - pool.stats().all.requested_bytes < 5 * 16);
}

}  // namespace
}  // namespace heapwright
