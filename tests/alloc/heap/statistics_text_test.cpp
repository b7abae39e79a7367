#include <heapwright/alloc/heap/statistics_text.hpp>

#include <algorithm>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

namespace heapwright::test {

namespace {

HeapStatistics sample() {
    return {.allocated_bytes = 1000,
            .active_bytes = 65536,
            .absent_bytes = 8192,
            .dirty_bytes = 4096,
            .retained_bytes = 1 << 20,
            .metadata_bytes = 512,
            .committed_bytes = 1118208,
            .reserved_bytes = std::uint64_t{1} << 36,
            .large_blocks = 2,
            .large_bytes = 300,
            .small_blocks = 17,
            .spans = 5,
            .threads = 3,
            .peak_active_bytes = 70000,
            .given_back_bytes = 81920,
            .meshed_spans = 4,
            .shared_bytes = 2048};
}

HeapStatistics greatest() {
    HeapStatistics most;
    std::memset(static_cast<void*>(&most), 0xFF, sizeof(most));
    return most;
}

using Append = void(TextBuffer&, const HeapStatistics&);

std::string written(Append* append, const HeapStatistics& statistics) {
    Text<kStatisticsTextBytes> text;
    append(text, statistics);
    CHECK(!text.truncated());
    return std::string(text.view());
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("resident is what is active and not absent, dirty or of the heap itself") {
    CHECK(resident_bytes(sample()) == 65536 - 8192 - 2048 + 4096 + 512);
}

TEST_CASE("the text has a line a figure, with the names that people alert on") {
    const std::string text = written(append_statistics_text, sample());
    CHECK(std::count(text.begin(), text.end(), '\n') == 20);
    for (const char* name : {"allocated ", "active ", "absent ", "resident ", "retained ", "metadata "}) {
        CHECK(contains("\n" + text, "\n" + std::string(name)));
    }
    CHECK(contains(text, "given_back    81920 bytes (80 KiB)            to the operating system so far\n"));
    CHECK(contains(text, "small_blocks  17 "));
}

TEST_CASE("what mappings are wanting for is told with the limit that would do") {
    HeapStatistics statistics = sample();
    CHECK(!contains(written(append_statistics_text, statistics), "recoverable"));
    statistics.unmet_bytes = (std::uint64_t{12} << 20) - 5;
    statistics.wanted_map_count = 131072;
    CHECK(written(append_statistics_text, statistics).ends_with("\n12 MiB more recoverable with vm.max_map_count = 131072\n"));
    CHECK(contains(written(append_statistics_json, statistics), "\"wanted_map_count\":131072}"));
    CHECK(contains(written(append_statistics_openmetrics, statistics), "\nheapwright_wanted_map_count 131072\n"));
}

TEST_CASE("the JSON is one object of all figures") {
    const std::string json = written(append_statistics_json, sample());
    CHECK(json.starts_with("{\"allocated_bytes\":1000,\"active_bytes\":65536,\"absent_bytes\":8192,\"resident_bytes\":59904,"));
    CHECK(contains(json,
                   "\"large_blocks\":2,\"small_blocks\":17,\"spans\":5,\"threads\":3,\"given_back_bytes\":81920,\"meshed\":4,\"shared_"
                   "bytes\":2048,\"unmet_bytes\":0,\"wanted_map_count\":0}"));
    CHECK(json.ends_with("}\n"));
    CHECK(std::count(json.begin(), json.end(), ':') == 20);
}

TEST_CASE("OpenMetrics: a type, a help and a sample for each, units for sizes, _total for what only grows") {
    const std::string text = written(append_statistics_openmetrics, sample());
    CHECK(
        text.starts_with("# TYPE heapwright_allocated_bytes gauge\n# UNIT heapwright_allocated_bytes bytes\n"
                         "# HELP heapwright_allocated_bytes Bytes in blocks that the program holds.\nheapwright_allocated_bytes 1000\n"));
    CHECK(contains(text, "# TYPE heapwright_given_back_bytes counter\n"));
    CHECK(contains(text, "\nheapwright_given_back_bytes_total 81920\n"));
    CHECK(contains(text, "\nheapwright_threads 3\n"));
    CHECK(!contains(text, "UNIT heapwright_threads"));
    CHECK(text.ends_with("# EOF\n"));
    CHECK(!contains(text, "\n\n"));
}

TEST_CASE("the XML is one that readers of malloc_info know") {
    const std::string xml = written(append_statistics_xml, sample());
    CHECK(xml.starts_with("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n<total type=\"fast\" count=\"0\" size=\"0\"/>\n"));
    CHECK(contains(xml, "<total type=\"mmap\" count=\"2\" size=\"300\"/>\n"));
    CHECK(contains(xml, "<system type=\"current\" size=\"69632\"/>\n"));
    CHECK(contains(xml, "<heapwright allocated_bytes=\"1000\" "));
    CHECK(xml.ends_with("/>\n</malloc>\n"));
}

TEST_CASE("the greatest figures fit in the room that is promised") {
    for (Append* append : {append_statistics_text, append_statistics_json, append_statistics_openmetrics, append_statistics_xml}) {
        CHECK(written(append, greatest()).size() < kStatisticsTextBytes);
    }
}

TEST_CASE("a small buffer cuts the text and is not overrun") {
    for (Append* append : {append_statistics_text, append_statistics_json, append_statistics_openmetrics, append_statistics_xml}) {
        Text<50> text;
        append(text, sample());
        CHECK(text.truncated());
        CHECK(text.view().size() == 49);
    }
}

}  // namespace heapwright::test
