#include <heapwright/study/advice/advise.hpp>

#include <set>

#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

TEST_CASE("a program in which nothing is worth a change gets no advice") {
    Program program;
    program.site("a", 50'000, 40);
    program.site("b", 20'000, 100);
    CHECK(study::advise(program.findings).empty());
    CHECK(study::advise(Findings{}).empty());
}

TEST_CASE("the most promising comes first, and every suggestion is complete") {
    Program program;
    program.live_at_peak(program.site("small", 2'000'000, 40), 400'000);
    Site& leak = program.site("leak", 200'000, 200);
    leak.leaked = {.blocks = 150'000, .requested_bytes = 30'000'000, .usable_bytes = 31'000'000};
    leak.frees = 50'000;
    Site& temporary = program.site("temporary", 30'000'000, 64);
    temporary.same_frame = temporary.allocations;
    program.findings.at_end.retained_bytes = 30 << 20;
    const auto all = study::advise(program.findings);
    REQUIRE(all.size() >= 4);
    std::set<std::string> ids;
    for (const Suggestion& one : all) {
        CHECK(!one.rule.empty());
        CHECK(!one.title.empty());
        CHECK(!one.what.empty());
        CHECK(!one.how.empty());
        CHECK(!one.arithmetic.empty());
        CHECK(one.evidence.size() >= 1);
        CHECK(one.expected_bytes + one.expected_seconds > 0);
        CHECK(one.experiment.kind != study::Experiment::Kind::none);
        CHECK(one.verdict == study::Verdict::not_tried);
        CHECK(ids.insert(one.experiment.id).second);
        CHECK(one.site.has_value() == !one.where.empty());
    }
    CHECK(all[0].experiment.id.starts_with("A1-"));
}

TEST_CASE("one site is placed in one way only") {
    Program program;
    Site& site = program.site("both", 30'000'000, 64);
    site.same_frame = site.allocations;
    std::size_t placed = 0;
    for (const Suggestion& one : study::advise(program.findings)) {
        placed +=
            one.experiment.kind == study::Experiment::Kind::stack_at_site || one.experiment.kind == study::Experiment::Kind::pool_at_site
                ? 1U
                : 0U;
    }
    CHECK(placed == 1);
}

TEST_CASE("a recording without stacks gets advice about the whole program only") {
    Program program;
    program.site("x", 50'000'000, 40).frames.clear();
    program.findings.at_end.retained_bytes = 60 << 20;
    const auto all = study::advise(program.findings);
    CHECK(!all.empty());
    for (const Suggestion& one : all) {
        CHECK(!one.site.has_value());
    }
}

}  // namespace heapwright::test
