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

TEST_CASE("without a plan there are no metrics, and an empty array") {
    Text<64> text;
    append_places_openmetrics(text);
    CHECK(text.view().empty());
    append_places_json(text);
    CHECK(text.view() == "[]");
}

}  // namespace
}  // namespace heapwright::placement
