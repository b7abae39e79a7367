#include <heapwright/alloc/heap/settings.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::test {

namespace {

struct Reading {
    HeapSettings settings;
    std::string complaints;
};

/// What this process was started with; a test changes the variable.
const std::string given_at_start = [] {
    const char* given = std::getenv(kHeapSettingsVariable);
    return std::string(given == nullptr ? "" : given);
}();

Reading read(std::string_view text) {
    Reading reading;
    Text<2048> complaints;
    read_heap_settings(text, reading.settings, complaints);
    reading.complaints = complaints.view();
    return reading;
}

}  // namespace

TEST_CASE("an empty text leaves the defaults") {
    const auto [settings, complaints] = read("");
    CHECK(settings.purge_delay_ms == 500);
    CHECK(settings.background);
    CHECK(settings.give_back);
    CHECK(settings.huge_pages == HugePages::by_default);
    CHECK(settings.limit_bytes == 0);
    CHECK(!settings.statistics_at_exit);
    CHECK(settings.statistics_format == StatisticsFormat::text);
    CHECK(settings.reserve_gib == 0);
    CHECK(settings.mixed_spans);
    CHECK(complaints.empty());
}

TEST_CASE("every key is taken, in any order, the last value of a key counts") {
    const auto [settings, complaints] =
        read("reserve:64GiB,limit:1GiB,statistics_at_exit:yes,huge_pages:never,give_back:off,background:no,purge_delay:1s,limit:3GiB");
    CHECK(settings.purge_delay_ms == 1000);
    CHECK(!settings.background);
    CHECK(!settings.give_back);
    CHECK(settings.huge_pages == HugePages::never);
    CHECK(settings.limit_bytes == std::uint64_t{3} << 30);
    CHECK(settings.statistics_at_exit);
    CHECK(settings.reserve_gib == 64);
    CHECK(complaints.empty());
}

TEST_CASE("sizes take units, or none for bytes") {
    CHECK(read("limit:4096").settings.limit_bytes == 4096);
    CHECK(read("limit:4096B").settings.limit_bytes == 4096);
    CHECK(read("limit:64KiB").settings.limit_bytes == 65536);
    CHECK(read("limit:64K").settings.limit_bytes == 65536);
    CHECK(read("limit:2MiB").settings.limit_bytes == std::uint64_t{2} << 20);
    CHECK(read("limit:5G").settings.limit_bytes == std::uint64_t{5} << 30);
    CHECK(read("limit:1TiB").settings.limit_bytes == std::uint64_t{1} << 40);
    for (const char* bad : {"limit:", "limit:KiB", "limit:-1", "limit:1.5GiB", "limit:64kib", "limit:64 KiB", "limit:99999999999999999999",
                            "limit:18446744073709551615KiB", "limit:0x10"}) {
        CAPTURE(bad);
        const auto [settings, complaints] = read(bad);
        CHECK(settings.limit_bytes == 0);
        CHECK(complaints.find("heapwright: HEAPWRIGHT_CONF: limit cannot be '") == 0);
        CHECK(complaints.find("; write a size, as in 512MiB") != std::string::npos);
    }
}

TEST_CASE("times take units, or none for milliseconds") {
    CHECK(read("purge_delay:0").settings.purge_delay_ms == 0);
    CHECK(read("purge_delay:250").settings.purge_delay_ms == 250);
    CHECK(read("purge_delay:250ms").settings.purge_delay_ms == 250);
    CHECK(read("purge_delay:2s").settings.purge_delay_ms == 2000);
    CHECK(read("purge_delay:1min").settings.purge_delay_ms == 60000);
    for (const char* bad : {"purge_delay:", "purge_delay:soon", "purge_delay:1h", "purge_delay:5000000000", "purge_delay:64KiB"}) {
        CAPTURE(bad);
        CHECK(read(bad).settings.purge_delay_ms == 500);
        CHECK(read(bad).complaints.find("write a time, as in 250ms, 1s or 0") != std::string::npos);
    }
}

TEST_CASE("flags are yes or no in four spellings each") {
    for (const char* yes : {"yes", "true", "on", "1"}) {
        CHECK(read("statistics_at_exit:" + std::string(yes)).settings.statistics_at_exit);
    }
    for (const char* no : {"no", "false", "off", "0"}) {
        CHECK(!read("background:" + std::string(no)).settings.background);
    }
    const auto [settings, complaints] = read("background:nope");
    CHECK(settings.background);
    CHECK(complaints == "heapwright: HEAPWRIGHT_CONF: background cannot be 'nope'; write yes or no");
}

TEST_CASE("huge pages have three words, addresses come in whole GiB") {
    CHECK(read("huge_pages:always").settings.huge_pages == HugePages::always);
    CHECK(read("huge_pages:always,huge_pages:default").settings.huge_pages == HugePages::by_default);
    CHECK(read("statistics_format:json").settings.statistics_format == StatisticsFormat::json);
    CHECK(read("statistics_format:openmetrics").settings.statistics_format == StatisticsFormat::openmetrics);
    CHECK(read("statistics_format:json,statistics_format:text").settings.statistics_format == StatisticsFormat::text);
    CHECK(read("statistics_format:xml").complaints ==
          "heapwright: HEAPWRIGHT_CONF: statistics_format cannot be 'xml'; write text, json or openmetrics");
    CHECK(read("huge_pages:sometimes").complaints ==
          "heapwright: HEAPWRIGHT_CONF: huge_pages cannot be 'sometimes'; write default, always or never");
    CHECK(read("compaction:mesh").settings.is_meshing);
    CHECK(!read("compaction:mesh,compaction:off").settings.is_meshing);
    CHECK(read("compaction:yes").complaints.find("write off or mesh") != std::string::npos);
    CHECK(!read("mixed_spans:no").settings.mixed_spans);
    CHECK(read("mixed_spans:no,mixed_spans:yes").settings.mixed_spans);
    CHECK(read("mixedspans:no").complaints.find("did you mean 'mixed_spans'?") != std::string::npos);
    CHECK(read("reserve:2TiB").settings.reserve_gib == 2048);
    CHECK(read("reserve:100MiB").complaints.find("write whole GiB") != std::string::npos);
    CHECK(read("reserve:65537GiB").settings.reserve_gib == 0);
}

TEST_CASE("an unknown key is one line with the nearest known one, and the rest is taken") {
    const auto [settings, complaints] = read("purgedelay:1s,limit:1MiB");
    CHECK(complaints == "heapwright: HEAPWRIGHT_CONF: no setting is called 'purgedelay'; did you mean 'purge_delay'?");
    CHECK(settings.limit_bytes == 1 << 20);
    CHECK(settings.purge_delay_ms == 500);
    CHECK(read("hugepages:always").complaints.find("did you mean 'huge_pages'?") != std::string::npos);
    CHECK(read("Limit:1").complaints.find("did you mean 'limit'?") != std::string::npos);
    CHECK(read("statistics:yes").complaints.find("did you mean 'statistics_at_exit'?") != std::string::npos);
    CHECK(read("trace_all:yes").complaints.find("the nearest is ") != std::string::npos);
    CHECK(read(std::string(500, 'x') + ":1").complaints.find("the nearest is ") != std::string::npos);
}

TEST_CASE("each fault has a line of its own") {
    const auto complaints = read("limit,colour:blue,background:maybe").complaints;
    CHECK(std::count(complaints.begin(), complaints.end(), '\n') == 2);
    CHECK(complaints.find("limit cannot be ''") != std::string::npos);
}

TEST_CASE("stray commas and blanks say nothing") {
    for (const char* text : {",,limit:1MiB,,", " limit: 1MiB , ,\t", "limit :1MiB"}) {
        CAPTURE(text);
        const auto [settings, complaints] = read(text);
        CHECK(settings.limit_bytes == 1 << 20);
        CHECK(complaints.empty());
    }
}

TEST_CASE("a pair with an equals sign is told how pairs are written") {
    const auto [settings, complaints] = read("limit=4GiB");
    CHECK(settings.limit_bytes == 0);
    CHECK(complaints == "heapwright: HEAPWRIGHT_CONF: 'limit=4GiB' is no pair of key and value; write it with a colon, as in limit:4GiB");
}

TEST_CASE("what was written is shown in part where it is long, and without what a terminal acts on") {
    CHECK(read(std::string(500, 'x') + ":1").complaints.find("called '" + std::string(64, 'x') + "...';") != std::string::npos);
    CHECK(read("limit:" + std::string(64, '9')).complaints.find("cannot be '" + std::string(64, '9') + "';") != std::string::npos);
    CHECK(read("limit:\x1b[31m4\n").complaints.find("cannot be '?[31m4?';") != std::string::npos);
    CHECK(read("a\nb:1").complaints.find("called 'a?b';") != std::string::npos);
}

TEST_CASE("complaints that do not fit are cut, not written beyond") {
    HeapSettings settings;
    Text<40> complaints;
    read_heap_settings("aaaaaaaaaaaaaaaaaaaaaaaaa:1,bbbbbbbbbbbbbbbbbbbbbbb:2,limit:7", settings, complaints);
    CHECK(complaints.truncated());
    CHECK(complaints.view().size() == 39);
    CHECK(settings.limit_bytes == 7);
}

TEST_CASE("the process's settings come from its environment") {
    REQUIRE(setenv(kHeapSettingsVariable, "limit:77KiB,purge_delay:9ms", 1) == 0);
    const HeapSettings settings = heap_settings_of_process();
    CHECK(settings.limit_bytes == 77 * 1024);
    CHECK(settings.purge_delay_ms == 9);
    REQUIRE(unsetenv(kHeapSettingsVariable) == 0);
    CHECK(heap_settings_of_process().limit_bytes == 0);
}

TEST_CASE("before libc knows the environment, the kernel's is read, entries of any length") {
    // The kernel's copy is that of the start of this process: our variable is not in it, or is what the tests were given.
    char** const kept = environ;
    const HeapSettings expected = read(given_at_start).settings;
    environ = nullptr;
    const HeapSettings settings = heap_settings_of_process();
    environ = kept;
    CHECK(settings.limit_bytes == expected.limit_bytes);
    CHECK(settings.purge_delay_ms == expected.purge_delay_ms);
}

}  // namespace heapwright::test
