#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/replay/comparison.hpp>
#include <heapwright/study/report/document.hpp>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

using Json = nlohmann::json;

std::vector<Suggestion> sample_suggestions() {
    Suggestion pool;
    pool.rule = "pool";
    pool.title = "Serve the 48-byte blocks of Session::open from a pool";
    pool.site = static_cast<SiteId>(0);
    pool.where = "Session::open (session.cpp:42)";
    pool.evidence = {{"allocations", 10'000, "blocks"}, {"size", 48, "B"}};
    pool.expected_bytes = 120'000;
    pool.arithmetic = "pinned free bytes";
    pool.experiment = {.id = "A1-pool-site-0",
                       .kind = Experiment::Kind::pool_at_site,
                       .target = "site:0",
                       .sites = {static_cast<SiteId>(0)},
                       .stacks = {},
                       .entries = {}};
    pool.verdict = Verdict::proved;
    pool.proof = "peak RSS 4.3 MiB became 4.1 MiB";
    pool.measured_bytes = 200'000;
    Suggestion setting;
    setting.rule = "settings_glibc";
    setting.title = "Use two arenas";
    setting.experiment = {
        .id = "A2-arena-max", .kind = Experiment::Kind::setting, .target = "glibc:arena_max=2", .sites = {}, .stacks = {}, .entries = {}};
    return {pool, setting};
}

TrialRun run_of(std::uint64_t peak, std::uint64_t cpu) {
    TrialRun run;
    run.peak_rss_bytes = peak;
    run.cpu_ns = cpu;
    run.curve = {{0.5, 10, peak / 2}, {1.0, 20, peak}};
    return run;
}

Comparison sample_comparison() {
    Comparison comparison;
    comparison.trials.resize(4);
    comparison.trials[0].spec.label = "glibc";
    comparison.trials[0].runs = {run_of(1000, 50), run_of(1010, 52), run_of(990, 51)};
    comparison.trials[1].spec.label = "glibc:arena_max=2";
    comparison.trials[1].spec.environment = {{"MALLOC_ARENA_MAX", "2"}};
    comparison.trials[1].runs = {run_of(500, 51), run_of(505, 53), run_of(495, 50)};
    comparison.trials[2].spec.label = "A1-pool-site-0";
    comparison.trials[2].runs = {run_of(900, 40), run_of(910, 41), run_of(890, 42)};
    comparison.trials[3].spec.label = "/nowhere.so";
    comparison.trials[3].spec.preload = "/nowhere.so";
    comparison.trials[3].runs.resize(1);
    comparison.trials[3].runs[0].failure = "the library is not there";
    comparison.note = "two blocks could not be followed";
    return comparison;
}

Json document_with(const DocumentExtras& extras, const DocumentLimits& limits = {}) {
    std::string text;
    write_document(test::sample_findings(), extras, limits, [&](std::string_view piece) { text += piece; });
    return Json::parse(text);
}

TEST_CASE("suggestions carry their evidence, experiment and verdict") {
    const std::vector<Suggestion> suggestions = sample_suggestions();
    const Json json = document_with({.suggestions = &suggestions})["suggestions"];
    REQUIRE(json.size() == 2);
    CHECK(json[0]["rule"] == "pool");
    CHECK(json[0]["site"] == 0);
    CHECK(json[0]["evidence"][1] == Json{{"name", "size"}, {"value", 48.0}, {"unit", "B"}});
    CHECK(json[0]["experiment"]["kind"] == "pool_at_site");
    CHECK(json[0]["experiment"]["sites"] == Json::array({0}));
    CHECK(json[0]["verdict"] == "proved");
    CHECK(json[0]["measured_bytes"] == 200'000);
    CHECK_FALSE(json[1].contains("site"));
    CHECK_FALSE(json[1].contains("measured_bytes"));
    CHECK(json[1]["verdict"] == "not_tried");
}

TEST_CASE("no suggestion is an empty list, advice not asked for is no list") {
    const std::vector<Suggestion> none;
    CHECK(document_with({.suggestions = &none})["suggestions"].empty());
    CHECK_FALSE(document_with({}).contains("suggestions"));
}

TEST_CASE("sites that suggestions speak of are always among the rows") {
    std::vector<Suggestion> suggestions = sample_suggestions();
    suggestions[0].site = static_cast<SiteId>(3);
    suggestions[0].experiment.sites.clear();
    DocumentLimits limits;
    limits.sites = 1;
    const Json json = document_with({.suggestions = &suggestions}, limits);
    REQUIRE(json["sites"].size() == 1);
    CHECK(json["sites"][0]["id"] == 3);
}

TEST_CASE("trials carry medians, spread, and whether a difference is real") {
    const std::vector<Suggestion> suggestions = sample_suggestions();
    const Comparison comparison = sample_comparison();
    const Json json = document_with({.suggestions = &suggestions, .comparison = &comparison})["comparison"];
    CHECK(json["baseline"] == 0);
    CHECK(json["note"] == "two blocks could not be followed");
    REQUIRE(json["trials"].size() == 4);
    const Json& base = json["trials"][0];
    CHECK(base["runs"] == 3);
    CHECK(base["metrics"]["peak_rss_bytes"] ==
          Json{{"median", 1000.0}, {"min", 990.0}, {"max", 1010.0}, {"difference", 0.0}, {"real", false}});
    CHECK_FALSE(base["metrics"].contains("syscalls"));
    CHECK(base["curve"]["progress"] == Json::array({0.5, 1.0}));
    CHECK(base["curve"]["rss_bytes"].size() == 2);
    const Json& arenas = json["trials"][1];
    CHECK(arenas["environment"]["MALLOC_ARENA_MAX"] == "2");
    CHECK(arenas["experiment"] == "A2-arena-max");
    CHECK(arenas["metrics"]["peak_rss_bytes"]["difference"] == -500);
    CHECK(arenas["metrics"]["peak_rss_bytes"]["real"] == true);
    CHECK(arenas["metrics"]["cpu_ns"]["real"] == false);
    CHECK(json["trials"][2]["experiment"] == "A1-pool-site-0");
    const Json& failed = json["trials"][3];
    CHECK(failed["runs"] == 0);
    CHECK(failed["metrics"].empty());
    CHECK(failed["preload"] == "/nowhere.so");
    CHECK(failed["failure"].get<std::string>().find("the library is not there") != std::string::npos);
    CHECK_FALSE(failed.contains("curve"));
}

}  // namespace
}  // namespace heapwright::study
