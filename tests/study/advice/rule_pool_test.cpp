#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_pool;

TEST_CASE("many live blocks of one size that rounding makes larger: a pool saves memory") {
    Program program;
    program.live_at_peak(program.site("Tree::insert(int)", 2'000'000, 40), 1'000'000);
    const auto found = program.ask(suggest_pool);
    REQUIRE(found.size() == 1);
    // glibc takes 48 bytes for 40; the pool 40 and one byte of its own.
    CHECK(found[0].expected_bytes == doctest::Approx(7'000'000));
    CHECK(found[0].expected_seconds == doctest::Approx(0.02));
    CHECK(found[0].experiment.kind == Experiment::Kind::pool_at_site);
    CHECK(found[0].experiment.gain == study::Gain::peak);
    CHECK(found[0].experiment.pool_block_bytes == 40);
    CHECK(found[0].experiment.pool_alignment == 8);  // with 16 a slot would take 48 bytes, too
    CHECK(found[0].how.find("{.size = 40, .alignment = 8}") != std::string::npos);
    CHECK(found[0].experiment.stacks == std::vector<trace::StackId>{program.findings.sites[0].stack});
    CHECK(found[0].where == "Tree::insert (source.cpp:20)");
    CHECK(found[0].how.find("heapwright::Pool") != std::string::npos);
}

TEST_CASE("a pool for time alone needs allocations that are a part of the program's time") {
    Program program;
    program.site("push", 20'000'000, 64);
    const auto found = program.ask(suggest_pool);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.gain == study::Gain::time);
    CHECK(found[0].expected_bytes == 0);
    Program idle;
    idle.site("push", 100'000, 64);
    CHECK(idle.ask(suggest_pool).empty());
}

TEST_CASE("no pool for many sizes, large blocks, aligned blocks, or blocks that grow") {
    Program program;
    program.site("sizes", 20'000'000, 64).max_size = 200;
    program.site("large", 20'000'000, 8000);
    program.site("aligned", 20'000'000, 64).over_aligned = 20'000'000;
    program.site("grows", 20'000'000, 64).reallocs = 5;
    CHECK(program.ask(suggest_pool).empty());
}

TEST_CASE("the same line reached through several callers is one place") {
    Program program;
    for (int i = 0; i < 3; ++i) {
        Site& site = program.site("make", 700'000, 40);
        program.live_at_peak(site, 400'000);
        site.frames[1] = program.findings.sites[0].frames[1];
    }
    const auto found = program.ask(suggest_pool);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.sites.size() == 3);
    CHECK(found[0].expected_bytes == doctest::Approx(8'400'000));
}

}  // namespace heapwright::test
