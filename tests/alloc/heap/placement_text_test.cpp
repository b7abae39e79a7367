// The figures of places as text: every figure is there, names cannot break out, and all fits where it is said to.
#include <heapwright/alloc/heap/placement_text.hpp>

#include <array>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace heapwright::placement {
namespace {

PlaceStatistics sample(std::string_view name) {
    return {.name = name,
            .kind = SitePlace::bump,
            .sites = 2,
            .sites_found = 1,
            .blocks = 1000,
            .bytes = 64'000,
            .live_blocks = 10,
            .live_bytes = 640,
            .chunk_bytes = 131'072,
            .chunks = 2,
            .chunks_held_back = 1,
            .bets_won = 7,
            .bets_lost = 0};
}

/// As large as figures get.
PlaceStatistics largest() {
    PlaceStatistics place = sample("a name of far more letters than any of the texts below would show");
    for (std::uint64_t PlaceStatistics::* figure :
         {&PlaceStatistics::sites, &PlaceStatistics::sites_found, &PlaceStatistics::blocks, &PlaceStatistics::bytes,
          &PlaceStatistics::live_blocks, &PlaceStatistics::live_bytes, &PlaceStatistics::chunk_bytes, &PlaceStatistics::chunks,
          &PlaceStatistics::chunks_held_back, &PlaceStatistics::bets_won, &PlaceStatistics::bets_lost}) {
        place.*figure = UINT64_MAX >> 20;
    }
    return place;
}

TEST_CASE("the table has a head and a line a place, in the same columns") {
    Text<kPlaceLineBytes> head;
    Text<kPlaceLineBytes> line;
    append_places_head(head);
    append_place_line(line, sample("parse_json"));
    CHECK(line.view() ==
          "parse_json                               bump         1/2         1000           10           640        131072"
          "       1       7       0\n");
    CHECK(line.view().find(" bump ") == head.view().find(" kind "));
    CHECK(line.view().size() == head.view().size());
    Text<kPlaceLineBytes> longest;
    append_place_line(longest, largest());
    CHECK_FALSE(longest.truncated());
}

TEST_CASE("the JSON is an array of objects, the metrics are families with a sample a place") {
    Text<kPlacesTextBytes> json;
    append_places_json(json, std::array{sample("a\"b\\c\n"), sample("d")});
    CHECK(json.view().starts_with(
        "[{\"name\":\"a\\\"b\\\\c?\",\"kind\":\"bump\",\"sites\":2,\"sites_found\":1,\"blocks\":1000,\"bytes\":64000,"));
    CHECK(json.view().ends_with("\"bets_won\":7,\"bets_lost\":0}]"));
    Text<kPlacesTextBytes> metrics;
    append_places_openmetrics(metrics, std::array{sample("a\"b\\c\n"), sample("d")});
    CHECK(metrics.view().find("# TYPE heapwright_place_live_bytes gauge\n# UNIT heapwright_place_live_bytes bytes\n"
                              "# HELP heapwright_place_live_bytes Bytes in blocks that the program holds.\n"
                              "heapwright_place_live_bytes{place=\"a\\\"b\\\\c?\",kind=\"bump\"} 640\n"
                              "heapwright_place_live_bytes{place=\"d\",kind=\"bump\"} 640\n") != std::string_view::npos);
    CHECK(metrics.view().find("heapwright_place_bets_won_total{place=\"d\",kind=\"bump\"} 7\n") != std::string_view::npos);
}

TEST_CASE("as many places as are shown fit, whatever their names and figures") {
    std::array<PlaceStatistics, kShownPlaces> places;
    places.fill(largest());
    Text<kPlacesTextBytes> text;
    append_places_json(text, places);
    CHECK_FALSE(text.truncated());
    text.clear();
    append_places_openmetrics(text, places);
    CHECK_FALSE(text.truncated());
}

SiteStatistics sample_site(std::string_view file) {
    return {.file = file,
            .offset = 0x1a2b,
            .caller_file = "server",
            .caller_offset = 0x77,
            .place = "brief",
            .kind = SitePlace::bump,
            .is_found = true,
            .knows_blocks = true,
            .blocks = 1000,
            .bytes = 64'000,
            .live_blocks = 10,
            .live_bytes = 640,
            .chunks_held_back = 2,
            .bets_won = 990,
            .bets_lost = 1};
}

TEST_CASE("an entry is called by its code, and what is not known of it is no figure") {
    Text<kSiteLineBytes> head;
    Text<kSiteLineBytes> line;
    append_sites_head(head);
    append_site_line(line, sample_site("libc.so.6"));
    CHECK(line.view() ==
          "libc.so.6+0x1a2b<server+0x77                             brief                bump            1000          64000"
          "           10           640       2          990       1\n");
    CHECK(line.view().find(" bump ") == head.view().find(" kind "));
    CHECK(line.view().size() == head.view().size());
    SiteStatistics shared = sample_site("libc.so.6");
    shared.knows_blocks = false;
    shared.is_found = false;
    shared.caller_offset = 0;
    line.clear();
    append_site_line(line, shared);
    CHECK(line.view().starts_with("libc.so.6+0x1a2b  "));
    CHECK(line.view().ends_with("64000            -             -       -            -       -  not loaded\n"));
    Text<kSitesTextBytes> text;
    append_sites_json(text, std::array{sample_site("a\"b"), shared});
    CHECK(
        text.view() ==
        "[{\"site\":\"a\\\"b+0x1a2b<server+0x77\",\"place\":\"brief\",\"kind\":\"bump\",\"is_found\":true,\"blocks\":1000,\"bytes\":64000,"
        "\"live_blocks\":10,\"live_bytes\":640,\"chunks_held_back\":2,\"bets_won\":990,\"bets_lost\":1},\n"
        "{\"site\":\"libc.so.6+0x1a2b\",\"place\":\"brief\",\"kind\":\"bump\",\"is_found\":false,\"blocks\":1000,\"bytes\":64000}]");
    text.clear();
    append_sites_openmetrics(text, std::array{sample_site("a"), shared});
    CHECK(text.view().find("# TYPE heapwright_site_blocks counter\n# HELP heapwright_site_blocks Blocks given so far.\n"
                           "heapwright_site_blocks_total{site=\"a+0x1a2b<server+0x77\",place=\"brief\",kind=\"bump\"} 1000\n"
                           "heapwright_site_blocks_total{site=\"libc.so.6+0x1a2b\",place=\"brief\",kind=\"bump\"} 1000\n") !=
          std::string_view::npos);
    CHECK(text.view().find("heapwright_site_live_blocks{site=\"libc") == std::string_view::npos);
}

TEST_CASE("as many entries as are shown fit, whatever their names and figures") {
    constexpr std::string_view kLong = "a name of far more letters than any of the texts below would show, of a library";
    SiteStatistics most = sample_site(kLong);
    most.caller_file = kLong;
    most.place = kLong;
    most.offset = most.caller_offset = UINT64_MAX;
    for (std::uint64_t SiteStatistics::* figure :
         {&SiteStatistics::blocks, &SiteStatistics::bytes, &SiteStatistics::live_blocks, &SiteStatistics::live_bytes,
          &SiteStatistics::chunks_held_back, &SiteStatistics::bets_won, &SiteStatistics::bets_lost}) {
        most.*figure = UINT64_MAX >> 20;
    }
    std::array<SiteStatistics, kShownSites> sites;
    sites.fill(most);
    Text<kSitesTextBytes> text;
    append_sites_json(text, sites);
    CHECK_FALSE(text.truncated());
    text.clear();
    append_sites_openmetrics(text, sites);
    CHECK_FALSE(text.truncated());
    Text<kSiteLineBytes> line;
    append_site_line(line, most);
    CHECK_FALSE(line.truncated());
}

TEST_CASE("without a plan there are no metrics, and empty arrays") {
    Text<64> text;
    append_places_openmetrics(text);
    append_sites_openmetrics(text);
    CHECK(text.view().empty());
    append_places_json(text);
    append_sites_json(text);
    CHECK(text.view() == "[][]");
}

}  // namespace
}  // namespace heapwright::placement
