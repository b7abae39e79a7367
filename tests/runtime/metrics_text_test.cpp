#include <heapwright/runtime/metrics_text.hpp>

#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

namespace heapwright::test {

namespace {

MonitorFigures some_figures() {
    MonitorFigures figures;
    figures.latest.resident_bytes = 5000;
    figures.latest.heap.allocated_bytes = 750;
    figures.latest.heap.active_bytes = 900;
    figures.latest.heap.dirty_bytes = 100;
    figures.measurements = 3;
    figures.given_back_bytes = 12;
    return figures;
}

}  // namespace

TEST_CASE("fragmentation is the vacant part of the heap's memory") {
    Measurement look;
    CHECK(look.fragmentation().millionths == 0);
    look.heap.active_bytes = 300;
    look.heap.dirty_bytes = 100;
    look.heap.allocated_bytes = 300;
    CHECK(look.vacant_bytes() == 100);
    CHECK(look.fragmentation().millionths == 250'000);
    look.heap.allocated_bytes = 500;  // it lags behind the others
    CHECK(look.vacant_bytes() == 0);
    look.heap.allocated_bytes = 0;
    CHECK(look.fragmentation().millionths == Share::kWhole);
    look.heap.active_bytes = std::uint64_t{1} << 62;
    look.heap.dirty_bytes = 0;
    look.heap.allocated_bytes = std::uint64_t{1} << 61;
    CHECK(look.fragmentation().millionths / 10 == 50'000);
}

TEST_CASE("the metrics are whole families, each named once, with units at the end of their names") {
    Text<kMetricsTextBytes> text;
    append_openmetrics(text, some_figures());
    REQUIRE(!text.truncated());
    CHECK(text.view().find("# EOF") == std::string_view::npos);
    CHECK(text.view().find("heapwright_fragmentation_ratio 0.250000\n") != std::string_view::npos);
    CHECK(text.view().find("heapwright_measurements_total 3\n") != std::string_view::npos);
    CHECK(text.view().find("heapwright_defragmented_bytes_total 12\n") != std::string_view::npos);
    std::istringstream lines{std::string(text.view())};
    std::set<std::string> families;
    std::string family;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            CHECK(families.insert(family).second);
        } else {
            CHECK((line.starts_with("# ") ? line.find(" " + family + " ") != std::string::npos : line.starts_with(family)));
        }
    }
    CHECK(families.size() > 20);
}

TEST_CASE("the JSON has the process, the heap and the monitor") {
    Text<kMetricsTextBytes> text;
    append_json(text, some_figures());
    REQUIRE(!text.truncated());
    for (const char* piece : {"\"process\":{\"resident_bytes\":5000,", "\"heap\":{\"allocated_bytes\":750,", "\"vacant_bytes\":250",
                              "\"fragmentation\":0.250000", "\"measurements\":3"}) {
        CHECK(text.view().find(piece) != std::string_view::npos);
    }
}

}  // namespace heapwright::test
