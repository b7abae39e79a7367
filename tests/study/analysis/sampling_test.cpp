// What a sampling recorder kept is scaled back without bias.
#include <cmath>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/analyse.hpp>
#include <heapwright/study/analysis/lifetimes.hpp>
#include <heapwright/study/analysis/scale.hpp>

#include <tests/support/random.hpp>
#include <tests/trace/read/trace_builder.hpp>

namespace heapwright::test {
namespace {

using namespace study;

double chance(std::uint64_t size, double interval) { return 1 - std::exp(-static_cast<double>(size) / interval); }

double uniform(Random& random) { return static_cast<double>(random.next() >> 11) * 0x1p-53; }

}  // namespace

TEST_CASE("without sampling every block counts once") {
    const Scale scale;
    CHECK_FALSE(scale.is_sampled());
    for (const std::uint64_t size : {0ULL, 1ULL, 5000ULL, 1ULL << 47}) {
        CHECK(scale.weight(size) == 1);
        CHECK(scale.whole_weight(size, 99) == 1);
    }
    CHECK(scale.to_count(12345) == 12345);
}

TEST_CASE("weights are the inverse of the chance to be kept") {
    const Scale scale(4096);
    for (const std::uint64_t size : {1ULL, 16ULL, 100ULL, 4096ULL, 5000ULL, 100'000ULL}) {
        const double weight = static_cast<double>(scale.weight(size)) / static_cast<double>(scale.one());
        CHECK(weight == doctest::Approx(1 / chance(size, 4096)).epsilon(0.0003));
    }
    CHECK(scale.weight(0) == scale.weight(1));
    CHECK(scale.weight(1ULL << 47) == scale.one());
    CHECK(Scale(~0ULL).weight(1) <= 1'000'000'001ULL * scale.one());  // an absurd interval keeps sums finite
}

TEST_CASE("whole weights average to the weight") {
    const Scale scale(1000);
    for (const std::uint64_t size : {64ULL, 700ULL, 3000ULL}) {
        std::uint64_t sum = 0;
        for (std::uint64_t stamp = 1; stamp <= 100'000; ++stamp) {
            sum += scale.whole_weight(size, stamp * 37);
        }
        CHECK(static_cast<double>(sum) / 100'000 == doctest::Approx(1 / chance(size, 1000)).epsilon(0.01));
    }
}

TEST_CASE("a sampled trace gives back the program's totals") {
    constexpr std::uint64_t kInterval = 2000;
    constexpr std::size_t kBlocks = 200'000;
    Random random(11);
    TraceBuilder builder;
    builder.info({{"sample_interval_bytes", std::to_string(kInterval)}});
    const auto small = builder.stack({1});
    const auto large = builder.stack({2});
    double small_blocks = 0;
    double small_bytes = 0;
    double large_bytes = 0;
    double freed = 0;
    double variance_blocks = 0;  // of the estimate of small_blocks
    double variance_bytes = 0;
    for (std::size_t i = 1; i <= kBlocks; ++i) {
        const bool is_large = random.one_in(20);
        const std::uint64_t size = is_large ? random.between(1000, 9000) : random.between(8, 200);
        const bool is_freed = random.one_in(3);
        (is_large ? large_bytes : small_bytes) += static_cast<double>(size);
        freed += is_freed;
        const double kept = chance(size, kInterval);
        const double spread = (1 - kept) / kept;
        if (!is_large) {
            ++small_blocks;
            variance_blocks += spread;
            variance_bytes += spread * static_cast<double>(size * size);
        }
        if (uniform(random) >= kept) {
            continue;
        }
        builder.allocate(1, i * 10, 0x100000 + i * 16384, size, is_large ? large : small);
        if (is_freed) {
            builder.release(1, i * 10 + 5, 0x100000 + i * 16384);
        }
    }
    builder.end();
    const auto findings = analyse(builder.write("sampled"), {.symbolize = false});
    REQUIRE(findings.has_value());
    CHECK(findings->health.sample_interval_bytes == kInterval);
    CHECK(findings->health.note.find("samples every 2000 bytes") != std::string::npos);
    CHECK(findings->health.complete);
    // Five standard deviations: one false alarm in two million runs.
    const auto near = [](std::uint64_t estimate, double truth, double variance) {
        return std::abs(static_cast<double>(estimate) - truth) <= 5 * std::sqrt(variance) + truth * 0.0005;
    };
    const Site& one = findings->sites[0].max_size < 1000 ? findings->sites[0] : findings->sites[1];
    const Site& other = findings->sites[0].max_size < 1000 ? findings->sites[1] : findings->sites[0];
    CHECK(near(one.allocations, small_blocks, variance_blocks));
    CHECK(near(one.allocated_bytes, small_bytes, variance_bytes));
    CHECK(static_cast<double>(other.allocated_bytes) == doctest::Approx(large_bytes).epsilon(0.05));
    CHECK(static_cast<double>(findings->totals.frees) == doctest::Approx(freed).epsilon(0.05));
    // Each figure is scaled back and rounded by itself.
    const std::uint64_t sum = one.allocations + other.allocations;
    CHECK(findings->totals.allocations + 1 >= sum);
    CHECK(findings->totals.allocations <= sum + 1);
    CHECK(findings->totals.peak_requested == findings->at_peak.live_requested);
    std::uint64_t in_sizes = 0;
    for (const std::uint32_t blocks : one.sizes) {
        in_sizes += blocks;
    }
    CHECK(static_cast<double>(in_sizes) == doctest::Approx(static_cast<double>(one.allocations)).epsilon(0.01));
    // Ratios of OS pages speak of the sampled blocks, and stay ratios.
    CHECK(findings->at_peak.external_ratio <= 1);
    CHECK(findings->at_peak.external_bytes <= findings->at_peak.occupied_pages * 4096);
}

TEST_CASE("lifetimes are counted in scaled blocks and bytes") {
    const Scale scale(100);
    Lifetimes lifetimes(scale);
    lifetimes.released(10, 1000);
    Findings findings;
    lifetimes.finish(findings);
    CHECK(findings.lifetimes[9] == 11);  // 1 / (1 - exp(-0.1)) = 10.5
    CHECK(findings.lifetime_bytes[9] == 105);
    CHECK(findings.lifetime_by_size[9][3] == 11);
}

}  // namespace heapwright::test
