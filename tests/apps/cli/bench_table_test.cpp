// Figures of allocators side by side: what is a change, what is chance, who is the best.
#include <apps/cli/bench_table.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace heapwright::test {

using cli::BenchFigure;
using cli::BenchRow;
using cli::BenchTable;

namespace {

/// Around `middle`, their median, in the same pattern each time.
std::vector<double> runs_of(double middle, std::size_t rounds, double spread = 0.01) {
    std::vector<double> runs;
    for (std::size_t i = 0; i < rounds; ++i) {
        runs.push_back(middle * (1 + spread * (static_cast<double>(i * 5 % rounds) / static_cast<double>(rounds - 1) - 0.5)));
    }
    return runs;
}

BenchTable table_of(std::size_t rounds) {
    BenchTable table{.title = "a program",
                     .figures = {{"CPU", "cpu_ns", BenchFigure::Unit::ns}, {"peak RSS", "peak_rss_bytes", BenchFigure::Unit::bytes}},
                     .rows = {},
                     .rounds = static_cast<unsigned>(rounds)};
    table.rows.push_back({"glibc", "", {runs_of(1e9, rounds), runs_of(64 << 20, rounds)}, ""});
    table.rows.push_back({"quick", "LD_PRELOAD=quick.so", {runs_of(8e8, rounds), runs_of(64 << 20, rounds)}, ""});
    table.rows.push_back({"small", "LD_PRELOAD=small.so", {runs_of(1.1e9, rounds), runs_of(32 << 20, rounds)}, ""});
    table.rows.push_back({"broken", "LD_PRELOAD=broken.so", {{}, {}}, "it ended with exit status 1"});
    return table;
}

const study::Terminal kPaper{.width = 120, .colour = false, .unicode = false};

}  // namespace

TEST_CASE("changes are shown, equals are marked, failures have their sentence") {
    const std::string text = cli::bench_text(table_of(9), kPaper);
    INFO(text);
    CHECK(text.contains("800.0 ms -20 %"));
    CHECK(text.contains("64.0 MiB ="));
    CHECK(text.contains("32.0 MiB -50 %"));
    CHECK(text.contains("broken has no figures: it ended with exit status 1"));
    CHECK(text.contains("least CPU: quick (-20 %), by LD_PRELOAD=quick.so"));
    CHECK(text.contains("least peak RSS: small (-50 %), by LD_PRELOAD=small.so"));
}

TEST_CASE("few rounds show nothing, however large the differences") {
    const std::string text = cli::bench_text(table_of(7), kPaper);
    INFO(text);
    CHECK(text.contains("800.0 ms ="));
    CHECK(text.contains("with 7 rounds nothing can be shown: it takes 8"));
    CHECK_FALSE(text.contains("least CPU"));
}

TEST_CASE("the first that ran is what the others are compared with") {
    BenchTable table = table_of(9);
    table.rows.front().failure = "it is not installed";
    const std::string text = cli::bench_text(table, kPaper);
    INFO(text);
    CHECK(text.contains("change from quick"));
    CHECK(text.contains("1.10 s +37 %"));
}

TEST_CASE("the JSON holds every run") {
    const auto json = nlohmann::json::parse(cli::bench_json(table_of(9)));
    CHECK(json["rounds"] == 9);
    REQUIRE(json["allocators"].size() == 4);
    CHECK(json["allocators"][0]["baseline"] == true);
    CHECK(json["allocators"][1]["figures"]["cpu_ns"]["runs"].size() == 9);
    CHECK(json["allocators"][1]["figures"]["cpu_ns"]["shown"] == true);
    CHECK(json["allocators"][1]["figures"]["peak_rss_bytes"]["shown"] == false);
    CHECK(json["allocators"][3]["failure"] == "it ended with exit status 1");
    CHECK_FALSE(json["allocators"][3].contains("figures"));
}

}  // namespace heapwright::test
