#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_sizes;

TEST_CASE("a size just above a class of glibc is worth the few bytes") {
    Program program;
    program.live_at_peak(program.site("Record::Record()", 1'000'000, 60), 500'000);
    const auto found = program.ask(suggest_sizes);
    REQUIRE(found.size() == 1);
    // 60 + 8 is 80 to glibc; up to 56 it is 64.
    CHECK(found[0].expected_bytes == doctest::Approx(8'000'000));
    CHECK(found[0].experiment.kind == Experiment::Kind::resize_at_site);
    CHECK(found[0].experiment.from_size == 60);
    CHECK(found[0].experiment.to_size == 56);
    CHECK(found[0].title.find("4 bytes smaller") != std::string::npos);
}

TEST_CASE("a size that fits its class, or lies far above the one before, is left alone") {
    Program program;
    program.live_at_peak(program.site("fits", 1'000'000, 72), 500'000);  // 80 exactly, 16 more than the class below
    program.live_at_peak(program.site("tiny", 1'000'000, 8), 500'000);   // nothing is below
    Site& mixed = program.site("mixed", 1'000'000, 60);
    program.live_at_peak(mixed, 500'000);
    mixed.min_size = 50;
    program.live_at_peak(program.site("few", 1'000'000, 60), 5'000);
    CHECK(program.ask(suggest_sizes).empty());
}

TEST_CASE("classes of jemalloc and mimalloc are a quarter of a doubling apart") {
    Program program;
    program.findings.provenance["allocator"] = "libjemalloc.so.2";
    study::SizeRow row;
    row.size = 1040;
    row.usable = 1280;
    program.findings.sizes.push_back(row);
    row.size = 1024;
    row.usable = 1024;
    program.findings.sizes.push_back(row);
    program.live_at_peak(program.site("page", 100'000, 1040), 50'000);
    const auto found = program.ask(suggest_sizes);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.to_size == 1024);
    CHECK(found[0].expected_bytes == doctest::Approx(50'000 * 256));
}

TEST_CASE("alignment that every small block asks for is questioned") {
    Program program;
    Site& site = program.site("Node::operator new(unsigned long)", 2'000'000, 48);
    site.over_aligned = 2'000'000;
    program.live_at_peak(site, 1'000'000);
    const auto found = program.ask(suggest_sizes);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.usual_alignment);
    CHECK(found[0].experiment.to_size == 0);
    site.max_size = 1 << 20;
    CHECK(program.ask(suggest_sizes).empty());
}

}  // namespace heapwright::test
