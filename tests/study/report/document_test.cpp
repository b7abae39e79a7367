#include <heapwright/study/report/document.hpp>

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <heapwright/study/report/detail/document_parts.hpp>
#include <heapwright/study/report/heap_cells.hpp>
#include <heapwright/study/report/weight.hpp>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

using Json = nlohmann::json;

template <class Model>
Json document_of(const Model& model, const DocumentLimits& limits = {}, const DocumentExtras& extras = {}) {
    std::string text;
    write_document(model, extras, limits, [&](std::string_view piece) { text += piece; });
    return Json::parse(text);
}

TEST_CASE("the document holds the findings field by field") {
    const Findings findings = test::sample_findings();
    const Json json = document_of(findings);
    CHECK(json["schema"] == 1);
    CHECK(json["kind"] == "report");
    CHECK(json["title"] == "server");
    CHECK(json["provenance"]["allocator"] == "glibc 2.36");
    CHECK(json["health"]["complete"] == true);
    CHECK(json["totals"]["allocations"] == findings.totals.allocations);
    CHECK(json["totals"]["leaked"]["requested_bytes"] == findings.totals.leaked.requested_bytes);
    CHECK(json["at_peak"]["occupied_pages"] == findings.at_peak.occupied_pages);
    CHECK(json["at_peak"]["occupancy"].size() == 11);
    CHECK(json["at_end"]["external_bytes"] == findings.at_end.external_bytes);
    CHECK(json["lifetimes"].size() == kLifetimeBuckets);
    CHECK(json["lifetime_by_size"].size() == kLifetimeBuckets);
    CHECK(json["lifetime_by_size"][10].size() == kSizeBuckets);
    CHECK(json["threads"][0]["name"] == "server");
    CHECK(json["sizes"].size() == findings.sizes.size());
    CHECK(json["sizes_omitted"] == 0);
    CHECK_FALSE(json.contains("before"));
    CHECK_FALSE(json.contains("suggestions"));
    CHECK_FALSE(json.contains("comparison"));
    for (const auto& [name, column] : json["timeline"].items()) {
        INFO(name);
        CHECK(column.size() == findings.timeline.size());
    }
}

TEST_CASE("a site's frames lead to functions, files, lines and modules") {
    const Findings findings = test::sample_findings();
    const Json json = document_of(findings);
    CHECK(json["sites_omitted"] == 0);
    REQUIRE(json["sites"].size() == 4);
    const Json& site = json["sites"][2];
    CHECK(site["id"] == 2);
    REQUIRE(site["frames"].size() == 6);
    const Json& inlined = json["frames"][site["frames"][1].get<std::size_t>()];
    CHECK(inlined["function"] == "void std::vector<char>::_M_realloc_insert<char>(char&&)");
    CHECK(inlined["inlined"] == true);
    CHECK(inlined["runtime"] == true);
    const Json& append = json["frames"][site["frames"][2].get<std::size_t>()];
    CHECK(append["line"] == 33);
    CHECK(append["file"] == "/src/buffer.cpp");
    CHECK(json["modules"][append["module"].get<std::size_t>()] == "server");
    CHECK_FALSE(append.contains("inlined"));
    CHECK(site["calls"] == Json{{"malloc", 20}});
    CHECK(site["reallocs"] == 200);
    CHECK(site["lifetimes"] == Json::array({10, 20}));
    CHECK(site["min_size"] == 1'000'000);
}

TEST_CASE("the tree's columns are as long as the tree and end in the totals") {
    const Findings findings = test::sample_findings();
    const Json tree = document_of(findings)["tree"];
    const std::size_t nodes = tree["parent"].size();
    CHECK(tree["frame"].size() == nodes);
    CHECK(tree["parent"][0] == -1);
    CHECK(tree["frame"][0] == -1);
    CHECK(tree["nodes_omitted"] == 0);
    CHECK_FALSE(tree.contains("values_before"));
    for (const Weight weight : kWeights) {
        CHECK(tree["values"][name_of(weight)].size() == nodes);
    }
    CHECK(tree["values"]["peak"][0] == findings.totals.peak_requested);
    CHECK(tree["values"]["temporary"][0] == findings.totals.temporary);
    for (std::size_t i = 1; i < nodes; ++i) {
        CHECK(tree["parent"][i] < i);
    }
}

TEST_CASE("heap maps travel as base64 cells") {
    const Json maps = document_of(test::sample_findings())["maps"];
    REQUIRE(maps.size() == 2);
    CHECK(maps[0]["label"] == "peak");
    CHECK(maps[0]["runs"][0]["begin"] == 0x5555'5555'0000);
    CHECK(maps[0]["runs"][0]["cells"] == 4);
    CHECK(maps[0]["runs"][0]["occupancy"] == "/4AAAQ==");
}

TEST_CASE("a page's document keeps the sites that lead in some respect") {
    test::FindingsBuilder builder;
    const FrameId main = builder.frame("main", "", 0);
    for (int i = 0; i < 500; ++i) {
        builder.site({builder.frame("f" + std::to_string(i), "", 0), main}, 16, 10'000, 500);
    }
    builder.site({builder.frame("leaky", "", 0), main}, 1, 1, 0, 1);
    builder.site({builder.frame("pinning", "", 0), main}, 1, 1).pinned_free_bytes_at_end = 1;
    builder.site({builder.frame("copying", "", 0), main}, 1, 1).realloc_copied_bytes = 1;
    const Findings findings = builder.build();
    DocumentLimits limits;
    limits.sites = 20;
    limits.sizes = 1;
    limits.tree_nodes = 50;
    const Json json = document_of(findings, limits);
    CHECK(json["sites"].size() == 20);
    CHECK(json["sites_omitted"] == 483);
    CHECK(json["sizes"].size() == 1);
    CHECK(json["sizes_omitted"] == 1);
    CHECK(json["tree"]["parent"].size() <= 50);
    CHECK(json["tree"]["nodes_omitted"] > 400);
    CHECK(json["frames"].size() < 80);
    std::vector<std::uint64_t> ids;
    for (const Json& site : json["sites"]) {
        ids.push_back(site["id"]);
    }
    for (const std::uint64_t id : {500U, 501U, 502U}) {
        CHECK(std::find(ids.begin(), ids.end(), id) != ids.end());
    }
    CHECK(std::is_sorted(ids.begin(), ids.end()));
}

TEST_CASE("rows that must be there are there, the leaders fill up, and the order stays") {
    std::vector<Site> sites(6);
    for (std::size_t i = 0; i < sites.size(); ++i) {
        sites[i].allocations = 10 + i;
    }
    std::vector<detail::SiteRow> rows;
    for (const Site& site : sites) {
        rows.push_back({static_cast<std::uint32_t>(rows.size()), &site.frames, &site, nullptr});
    }
    const std::vector<SiteId> always = {static_cast<SiteId>(1), static_cast<SiteId>(99)};
    CHECK(detail::chosen_rows(rows, 3, always) == std::vector<std::size_t>{1, 4, 5});
    CHECK(detail::chosen_rows(rows, 6, always).size() == 6);
    CHECK(detail::chosen_rows(rows, 0, always).empty());
    CHECK(detail::chosen_rows({}, 3, {}).empty());
}

TEST_CASE("fewer sites than the limit with nothing to say are left out only when there is no room") {
    test::FindingsBuilder builder;
    for (int i = 0; i < 30; ++i) {
        builder.site({}, 0, 0);
    }
    builder.site({}, 8, 1);
    DocumentLimits limits;
    limits.sites = 5;
    const Json json = document_of(builder.build(), limits);
    REQUIRE(json["sites"].size() == 1);
    CHECK(json["sites"][0]["id"] == 30);
}

TEST_CASE("a comparison's document holds the second trace outside and the first in before") {
    test::FindingsBuilder a;
    a.site({a.frame("gone()", "", 0)}, 100, 5, 5);
    a.site({a.frame("stays()", "", 0)}, 100, 7, 7);
    test::FindingsBuilder b;
    b.site({b.frame("stays()", "", 0)}, 100, 9, 9);
    const Findings before = a.build();
    const Findings after = b.build();
    const Json json = document_of(TraceDifference(before, after));
    CHECK(json["kind"] == "diff");
    CHECK(json["title"] == "server: before and after");
    CHECK(json["totals"]["peak_requested"] == 900);
    CHECK(json["before"]["totals"]["peak_requested"] == 1200);
    CHECK(json["before"]["timeline"]["time_ns"].size() == before.timeline.size());
    CHECK(json["before"]["lifetimes"].size() == kLifetimeBuckets);
    REQUIRE(json["sites"].size() == 2);
    CHECK(json["sites"][0]["allocations"] == 9);
    CHECK(json["sites"][0]["before"]["allocations"] == 7);
    CHECK(json["sites"][1]["allocations"] == 0);
    CHECK(json["sites"][1]["min_size"] == 0);
    CHECK(json["sites"][1]["before"]["allocations"] == 5);
    CHECK(json["frames"][json["sites"][1]["frames"][0].get<std::size_t>()]["function"] == "gone()");
    CHECK(json["tree"]["values"]["peak"][0] == 900);
    CHECK(json["tree"]["values_before"]["peak"][0] == 1200);
    CHECK(json["sizes"][0]["before"]["allocations"] == 12);
}

TEST_CASE("an empty trace has a document too") {
    const Json json = document_of(Findings{});
    CHECK(json["title"] == "a recorded program");
    CHECK(json["sites"].empty());
    CHECK(json["tree"]["parent"] == Json::array({-1}));
}

TEST_CASE("the title is what the user typed, else the executable's name") {
    Findings findings;
    findings.provenance = {{"program", "/usr/bin/redis-check-rdb"}, {"arguments", "redis-server --port 7777"}};
    CHECK(title_of(findings) == "redis-server");
    findings.provenance["arguments"] = "-bash";
    CHECK(title_of(findings) == "redis-check-rdb");
    findings.provenance["arguments"] = "worker: idle";
    CHECK(title_of(findings) == "redis-check-rdb");
    findings.provenance.clear();
    CHECK(title_of(findings) == "a recorded program");
}

TEST_CASE("hostile names cannot break the document") {
    Findings findings = test::sample_findings();
    findings.frames[1].function = "</script><script>alert(1)</script>\xff\"\\\n";
    findings.provenance["program"] = "/bin/\xc3\x28\x01";
    const Json json = document_of(findings);
    CHECK(json["frames"].size() == findings.frames.size());
}

TEST_CASE("a heap map is made coarser until it fits, and nothing live becomes empty") {
    HeapMap map;
    map.runs.push_back({0x1000, 4096, std::vector<std::uint8_t>(1001, 0)});
    map.runs.push_back({0x900000, 4096, {9}});
    map.runs[0].occupancy[500] = 1;
    map.runs[0].occupancy[0] = 255;
    map.runs[0].occupancy[1] = 255;
    const HeapMap small = with_cells_at_most(map, 100);
    CHECK(small.runs[0].occupancy.size() == 63);
    CHECK(small.runs[0].cell_bytes == 65536);
    CHECK(small.runs[0].begin == 0x1000);
    CHECK(small.runs[0].occupancy[500 / 16] == 1);
    CHECK(small.runs[0].occupancy[0] == 32);
    CHECK(small.runs[1].occupancy == std::vector<std::uint8_t>{9});
    CHECK(small.runs[1].cell_bytes == 4096);
    CHECK(with_cells_at_most(map, 2000).runs[0].occupancy.size() == 1001);
    CHECK(with_cells_at_most(map, 0).runs[0].occupancy.size() == 1);
}

}  // namespace
}  // namespace heapwright::study
