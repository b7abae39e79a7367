#include <heapwright/study/replay/comparison.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using study::compare;
using study::Comparison;
using study::mann_whitney_p;
using study::Metric;
using study::TrialRun;
using study::TrialSummary;

TrialSummary trial(const std::string& label, const std::vector<std::uint64_t>& peaks) {
    TrialSummary summary;
    summary.spec.label = label;
    for (const std::uint64_t peak : peaks) {
        TrialRun run;
        run.peak_rss_bytes = peak;
        summary.runs.push_back(run);
    }
    return summary;
}

TEST_CASE("the rank test is exact for small samples") {
    CHECK(mann_whitney_p({1, 2, 3}, {4, 5, 6}) == doctest::Approx(0.1));
    CHECK(mann_whitney_p({4, 5, 6}, {1, 2, 3}) == doctest::Approx(0.1));
    CHECK(mann_whitney_p({1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}) == doctest::Approx(2.0 / 252));
    CHECK(mann_whitney_p({1, 4, 5}, {2, 3, 6}) == doctest::Approx(1.0));
    CHECK(mann_whitney_p({1, 1, 1}, {1, 1, 1}) == doctest::Approx(1.0));
    CHECK(mann_whitney_p({}, {1}) == doctest::Approx(1.0));
}

TEST_CASE("a difference is real only when all runs of one beat all runs of the other") {
    CHECK(compare({100, 101, 102}, {80, 81, 82}).real);
    CHECK(!compare({100, 101, 102}, {80, 81, 101}).real);
    CHECK(!compare({100, 100, 100}, {99.9, 99.9, 99.9}).real);  // steady, but nobody cares
    CHECK(!compare({100, 101}, {80, 81}).real);                 // two runs could be chance
    CHECK(compare({100, 101, 102}, {80, 81, 82}).by == doctest::Approx(-20));
    CHECK(compare({100, 101, 102}, {80, 81, 82}).ratio == doctest::Approx(81.0 / 101));
    CHECK(!compare({}, {1, 2, 3}).real);
    CHECK(compare({0, 0, 0}, {5, 5, 5}).real);
}

TEST_CASE("medians and spread leave failed runs out") {
    TrialSummary summary = trial("a", {30, 10, 20, 99});
    summary.runs.back().failure = "crashed";
    CHECK(summary.good_runs() == 3);
    CHECK(summary.spread(Metric::peak_rss).median == 20);
    CHECK(summary.spread(Metric::peak_rss).least == 10);
    CHECK(summary.spread(Metric::peak_rss).most == 30);
    CHECK(summary.failure().empty());
    CHECK(summary.typical()->peak_rss_bytes == 20);
    for (TrialRun& run : summary.runs) {
        run.failure = "crashed";
    }
    CHECK(summary.failure() == "crashed");
    CHECK(summary.typical() == nullptr);
}

TEST_CASE("the best trial is the lowest that is really lower") {
    Comparison comparison;
    comparison.trials = {trial("glibc", {100, 101, 102}), trial("noise", {70, 103, 104}), trial("b", {90, 91, 92}),
                         trial("c", {80, 81, 82})};
    CHECK(comparison.best(Metric::peak_rss) == 3);
    comparison.baseline = 3;
    CHECK(!comparison.best(Metric::peak_rss).has_value());
    CHECK(comparison.difference(0, Metric::peak_rss).by == doctest::Approx(20));
}

TEST_CASE("every metric has a name and a unit") {
    for (std::size_t i = 0; i < study::kMetricCount; ++i) {
        const auto metric = static_cast<Metric>(i);
        CHECK(std::string(study::name_of(metric)).size() > 2);
        CHECK(!(study::is_time(metric) && study::is_bytes(metric)));
    }
}

}  // namespace heapwright::test
