#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_arena;

/// `batches` of `blocks` blocks each that live together and die together.
Site& batches(Program& program, const std::string& function, std::uint64_t count, std::uint64_t blocks, std::uint64_t size) {
    Site& site = program.site(function, count * blocks, size);
    site.drains = count;
    site.peak_bytes = blocks * size;
    return site;
}

TEST_CASE("batches that die together belong into an arena") {
    Program program;
    batches(program, "parse(Request&)", 10'000, 1000, 48);
    const auto found = program.ask(suggest_arena);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.kind == Experiment::Kind::arena_at_site);
    CHECK(found[0].expected_seconds == doctest::Approx(10'000'000 * 13e-9));
    CHECK(found[0].title.find("parse") != std::string::npos);
    CHECK(found[0].how.find("heapwright::Arena") != std::string::npos);
}

TEST_CASE("sites that begin and end together share one arena of their common caller") {
    Program program;
    const study::FrameId handler = program.frame("handle(Request&)", false);
    for (const char* function : {"make_node", "make_name", "make_list"}) {
        Site& site = batches(program, function, 10'000, 400, 32);
        site.frames.insert(site.frames.end() - 1, handler);
    }
    const auto found = program.ask(suggest_arena);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.sites.size() == 3);
    CHECK(found[0].where.find("handle") == 0);
}

TEST_CASE("the function from which all are reached gets the arena, whichever of its lines they are called from") {
    Program program;
    const study::FrameId caller = program.frame("serve(Socket&)", false);
    for (const char* function : {"make_node", "make_name"}) {
        Site& site = batches(program, function, 10'000, 400, 32);
        site.frames.insert(site.frames.end() - 1, program.frame("handle(Request&)", false));  // another line each time
        site.frames.insert(site.frames.end() - 1, caller);
    }
    const auto found = program.ask(suggest_arena);
    REQUIRE(found.size() == 1);
    CHECK(found[0].where.find("handle (source.cpp:") == 0);
    CHECK(found[0].title == "Give handle an arena: its blocks die together");
}

TEST_CASE("sites with other batches do not share it") {
    Program program;
    batches(program, "per_request", 10'000, 1000, 48);
    batches(program, "per_line", 1'000'000, 100, 48);
    const auto found = program.ask(suggest_arena);
    REQUIRE(found.size() == 2);
    CHECK(found[0].experiment.sites.size() == 1);
}

TEST_CASE("a queue, a churn, a leak and a growing block are no batches") {
    Program program;
    program.site("queue", 10'000'000, 48);  // never empty: no drain
    Site& churn = batches(program, "churn", 100'000, 100, 48);
    churn.peak_bytes = 48 * 3;  // of the hundred only three live at once: an arena would hold the dead ones
    Site& pairs = program.site("pairs", 10'000'000, 48);
    pairs.drains = 10'000'000;
    Site& leak = batches(program, "leak", 10, 1'000'000, 48);
    leak.frees /= 2;
    Site& grows = batches(program, "grows", 10'000, 1000, 48);
    grows.reallocs = grows.allocations;
    CHECK(program.ask(suggest_arena).empty());
}

TEST_CASE("a small program is left alone") {
    Program program;
    batches(program, "parse", 100, 1000, 48);
    CHECK(program.ask(suggest_arena).empty());
}

}  // namespace heapwright::test
