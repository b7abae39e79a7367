#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_leak;

Site& leaking(Program& program, const std::string& function, std::uint64_t blocks, std::uint64_t size, std::uint64_t all) {
    Site& site = program.site(function, all, size);
    site.leaked = {.blocks = blocks, .requested_bytes = blocks * size, .usable_bytes = blocks * (size + 8)};
    site.frees = all - blocks;
    return site;
}

TEST_CASE("blocks made all through the run and never freed are a leak") {
    Program program;
    leaking(program, "Session::open()", 100'000, 120, 120'000);
    const auto found = program.ask(suggest_leak);
    REQUIRE(found.size() == 1);
    CHECK(found[0].expected_bytes == doctest::Approx(12'800'000));
    CHECK(found[0].experiment.kind == Experiment::Kind::remove_at_site);
    CHECK(found[0].title.find("leaks") != std::string::npos);
    CHECK(found[0].evidence.back().name == "growth");
}

TEST_CASE("a table built at the start, a few blocks, and a small share are no leak") {
    Program program;
    leaking(program, "table", 100'000, 120, 100'000).last_ns = 100'000'000;
    leaking(program, "few", 50, 1 << 20, 100);
    leaking(program, "share", 100'000, 120, 10'000'000);
    leaking(program, "small", 1'000, 100, 1'000);
    CHECK(program.ask(suggest_leak).empty());
}

TEST_CASE("of a program that was cut off only what is hardly ever freed counts") {
    Program program;
    program.findings.health.complete = false;
    leaking(program, "busy", 100'000, 120, 900'000);
    CHECK(program.ask(suggest_leak).empty());
    leaking(program, "hoard", 100'000, 120, 110'000);
    const auto found = program.ask(suggest_leak);
    REQUIRE(found.size() == 1);
    CHECK(found[0].title.find("keeps growing") != std::string::npos);
}

}  // namespace heapwright::test
