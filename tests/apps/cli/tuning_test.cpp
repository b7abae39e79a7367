// Which change of the surroundings `tune` recommends, from the figures of the program itself.
#include <apps/cli/tuning.hpp>

#include <initializer_list>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using cli::Tuning;
using cli::Variant;

struct Figures {
    std::uint64_t cpu_ms;
    std::uint64_t peak_mib;
};

Variant variant(const char* label, std::initializer_list<Figures> runs) {
    Variant made{.label = label, .request = {}, .runs = {}};
    for (const Figures& figures : runs) {
        cli::RunResult run;
        run.cpu_ns = run.wall_ns = figures.cpu_ms * 1'000'000;
        run.peak_resident_bytes = figures.peak_mib << 20U;
        made.runs.push_back(run);
    }
    return made;
}

Tuning with(Variant other) {
    Tuning tuning;
    tuning.variants.push_back(variant("plain", {{100, 200}, {101, 200}, {102, 201}}));
    tuning.variants.push_back(std::move(other));
    return tuning;
}

}  // namespace

TEST_CASE("less memory for the same time is recommended") {
    CHECK(best_variant(with(variant("mimalloc", {{100, 150}, {101, 150}, {103, 151}}))) == 1);
}

TEST_CASE("less time for the same memory is recommended") {
    CHECK(best_variant(with(variant("mimalloc", {{70, 200}, {71, 201}, {69, 200}}))) == 1);
}

TEST_CASE("what cannot be told from noise is not") {
    CHECK_FALSE(best_variant(with(variant("glibc", {{101, 200}, {100, 201}, {102, 200}}))).has_value());
}

TEST_CASE("nothing is recommended that costs more than a twentieth, whatever it saves") {
    CHECK_FALSE(best_variant(with(variant("jemalloc", {{110, 20}, {111, 20}, {112, 20}}))).has_value());
    CHECK_FALSE(best_variant(with(variant("jemalloc", {{50, 220}, {51, 221}, {50, 222}}))).has_value());
}

TEST_CASE("a variant under which the program failed is out") {
    Variant broken = variant("tcmalloc", {{70, 150}, {71, 150}, {69, 150}});
    broken.runs.back().wait_status = 0x0b;  // SIGSEGV
    CHECK_FALSE(best_variant(with(std::move(broken))).has_value());
}

TEST_CASE("of several helpful changes the most helpful wins") {
    Tuning tuning = with(variant("mimalloc", {{100, 180}, {101, 180}, {100, 180}}));
    tuning.variants.push_back(variant("jemalloc", {{100, 100}, {101, 100}, {100, 100}}));
    CHECK(best_variant(tuning) == 2);
}

}  // namespace heapwright::test
