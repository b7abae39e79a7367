#include <heapwright/study/advice/place.hpp>

#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::advice::places_of;
using study::advice::short_function;

TEST_CASE("functions are named without return types, parameters and long template arguments") {
    CHECK(short_function("main") == "main");
    CHECK(short_function("void Parser::parse(std::string const&)") == "Parser::parse");
    CHECK(short_function("Table<int, Row>::insert(int) const") == "Table<int, Row>::insert");
    CHECK(short_function("(anonymous namespace)::load(char const*)") == "load");
    CHECK(short_function("std::map<std::string, std::vector<std::pair<int, double>>, std::less<std::string>>::at(int)") == "std::map::at");
    CHECK(short_function("Node::operator new(unsigned long)") == "Node::operator new(unsigned long)");
    CHECK(short_function("0x1f20") == "0x1f20");
}

TEST_CASE("a place is named by its line, or by its file where no line is known") {
    study::Frame frame;
    frame.function = "load(int)";
    frame.module = "libdata.so";
    CHECK(study::advice::where_of(frame) == "load (libdata.so)");
    frame.file = "/src/data/load.cpp";
    frame.line = 12;
    CHECK(study::advice::where_of(frame) == "load (load.cpp:12)");
}

TEST_CASE("an address is never named without its module") {
    study::Frame frame;
    frame.function = "0xa74a0";
    frame.module = "libsqlite3.so.0";
    CHECK(study::advice::called(frame) == "0xa74a0 in libsqlite3.so.0");
    CHECK(study::advice::where_of(frame) == "0xa74a0 in libsqlite3.so.0");
    Program program;
    program.live_at_peak(program.site("0xa74a0", 2'000'000, 40), 1'000'000);
    program.findings.frames.back().file.clear();
    const auto found = program.ask(study::advice::suggest_pool);
    REQUIRE(found.size() == 1);
    CHECK(found[0].title == "Serve the 40-byte blocks of 0xa74a0 in program from a pool");
    CHECK(found[0].where == "0xa74a0 in program");
}

TEST_CASE("sites with one user frame are one place, their sums added and extremes kept") {
    Program program;
    Site& first = program.site("make", 100, 16);
    first.drains = 3;
    first.first_ns = 500;
    Site second = program.site("other", 300, 64);
    second.frames[1] = program.findings.sites[0].frames[1];
    second.drains = 7;
    second.first_ns = 900;
    program.findings.sites[1] = second;
    const auto places = places_of(program.findings);
    REQUIRE(places.size() == 1);
    CHECK(places[0].sum.allocations == 400);
    CHECK(places[0].sum.min_size == 16);
    CHECK(places[0].sum.max_size == 64);
    CHECK(places[0].sum.drains == 7);
    CHECK(places[0].sum.first_ns == 500);
    CHECK(places[0].main_site() == static_cast<study::SiteId>(1));
    CHECK(places[0].mean_size() == 52);
}

TEST_CASE("sites without a stack are no place, and runtime functions alone are better than none") {
    Program program;
    program.site("x", 100, 16).frames.clear();
    Site& bare = program.site("y", 100, 16);
    bare.frames = {bare.frames[0]};
    const auto places = places_of(program.findings);
    REQUIRE(places.size() == 1);
    CHECK(places[0].function.find("operator new") != std::string::npos);
}

}  // namespace heapwright::test
