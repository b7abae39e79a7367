#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_reserve;

TEST_CASE("realloc chains that copy much are worth a reserve") {
    Program program;
    Site& site = program.site("append(char)", 1'000'000, 64);
    site.max_size = 64 << 10;
    site.reallocs = 900'000;
    site.realloc_chains = 50'000;
    site.realloc_chain_max = 18;
    site.realloc_copied_bytes = 2'000'000'000;
    const auto found = program.ask(suggest_reserve);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.kind == Experiment::Kind::reserve_at_site);
    CHECK(found[0].experiment.gain == study::Gain::time);
    CHECK(found[0].expected_seconds == doctest::Approx(0.9e6 * 15e-9 + 0.2));
}

TEST_CASE("a vector that grows in the library is known by the library's function") {
    Program program;
    Site& site = program.site("collect()", 4'000'000, 512);
    site.max_size = 4096;
    site.frames.insert(site.frames.begin() + 1, program.frame("std::vector<int>::_M_realloc_insert<int>", true));
    const auto found = program.ask(suggest_reserve);
    REQUIRE(found.size() == 1);
    CHECK(found[0].how.find("container.reserve(") == 0);
    CHECK(found[0].where.find("collect") == 0);
}

TEST_CASE("one huge growing block costs memory at the peak") {
    Program program;
    Site& site = program.site("load()", 2000, 1024);
    site.max_size = 60 << 20;
    site.frames.insert(site.frames.begin() + 1, program.frame("std::vector<char>::_M_realloc_append<char>", true));
    const auto found = program.ask(suggest_reserve);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.gain == study::Gain::peak);
    CHECK(found[0].expected_bytes == doctest::Approx(20.0 * (1 << 20)));
}

TEST_CASE("a few resizes, or cheap ones, are nothing") {
    Program program;
    Site& few = program.site("few", 1'000'000, 64);
    few.reallocs = 50;
    few.realloc_chains = 20;
    Site& cheap = program.site("cheap", 1000, 64);
    cheap.reallocs = 2000;
    cheap.realloc_chains = 500;
    program.site("plain", 4'000'000, 512);
    CHECK(program.ask(suggest_reserve).empty());
}

}  // namespace heapwright::test
