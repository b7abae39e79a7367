#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_stack;

TEST_CASE("small temporaries of one frame belong on the stack") {
    Program program;
    Site& site = program.site("format(int)", 10'000'000, 100);
    site.same_frame = 10'000'000;
    const auto found = program.ask(suggest_stack);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.kind == Experiment::Kind::stack_at_site);
    CHECK(found[0].experiment.gain == study::Gain::time);
    CHECK(found[0].expected_seconds == doctest::Approx(0.15));
    CHECK(found[0].how.find("std::array<std::byte, 100>") != std::string::npos);
}

TEST_CASE("what escapes, is large, moves to another thread or grows stays on the heap") {
    Program program;
    program.site("escapes", 10'000'000, 100).same_frame = 9'000'000;
    Site& large = program.site("large", 10'000'000, 100'000);
    large.same_frame = large.allocations;
    Site& moves = program.site("moves", 10'000'000, 100);
    moves.same_frame = moves.allocations;
    moves.cross_thread_frees = 1;
    Site& grows = program.site("grows", 10'000'000, 100);
    grows.same_frame = grows.allocations;
    grows.reallocs = 1;
    Site& rare = program.site("rare", 9'000, 100);
    rare.same_frame = rare.allocations;
    CHECK(program.ask(suggest_stack).empty());
}

}  // namespace heapwright::test
