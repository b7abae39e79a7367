#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_allocator;
using study::advice::suggest_cross_thread;

TEST_CASE("a heap that holds nothing in a large part is a reason to try another allocator") {
    Program program;
    program.findings.at_peak.external_bytes = 40 << 20;
    const auto found = program.ask(suggest_allocator);
    REQUIRE(found.size() == 2);
    CHECK(found[0].experiment.target == "jemalloc");
    CHECK(found[1].experiment.target == "mimalloc:purge_delay=0");
    CHECK(found[1].how == "MIMALLOC_PURGE_DELAY=0 LD_PRELOAD=libmimalloc.so.2 ./program");
    program.findings.provenance["allocator"] = "libjemalloc.so.2";
    CHECK(program.ask(suggest_allocator).size() == 1);
}

TEST_CASE("allocation that is a part of the program's time is one, too") {
    Program program;
    program.site("busy", 20'000'000, 64);
    const auto found = program.ask(suggest_allocator);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.target == "mimalloc");
    CHECK(found[0].experiment.gain == study::Gain::time);
    CHECK(found[0].expected_seconds == doctest::Approx(0.14));
}

TEST_CASE("a tidy, quiet program keeps its allocator") {
    Program program;
    program.site("quiet", 100'000, 64);
    CHECK(program.ask(suggest_allocator).empty());
}

TEST_CASE("blocks freed by other threads in numbers are brought up once") {
    Program program;
    for (int i = 0; i < 3; ++i) {
        Site& site = program.site("produce", 3'000'000, 64);
        site.cross_thread_frees = 2'900'000;
    }
    const auto found = program.ask(suggest_cross_thread);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.kind == Experiment::Kind::allocator);
    CHECK(found[0].expected_seconds == doctest::Approx(0.087));
    program.findings.provenance["allocator"] = "libmimalloc.so.2";
    CHECK(program.ask(suggest_cross_thread).empty());
}

TEST_CASE("a few blocks that change threads are nothing") {
    Program program;
    program.site("some", 3'000'000, 64).cross_thread_frees = 100'000;
    program.site("rare", 9'000, 64).cross_thread_frees = 9'000;
    CHECK(program.ask(suggest_cross_thread).empty());
}

}  // namespace heapwright::test
