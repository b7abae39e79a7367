#include <heapwright/study/report/budget.hpp>

#include <doctest/doctest.h>

#include <heapwright/study/report/nearest_name.hpp>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

std::string complaint(std::string_view text) {
    const auto limits = parse_limits(text);
    return limits ? std::string{} : limits.error();
}

TEST_CASE("limits have a name, a comparison and a number with a unit") {
    const auto limits = parse_limits(
        "peak>200MiB, leak > 0,allocations>=1.5M,fragmentation>30%,temporary_share<=0.5,duration>1.5s,rss!=4k,cpu<2ms,leaked_blocks==3");
    REQUIRE(limits.has_value());
    REQUIRE(limits->size() == 9);
    CHECK((*limits)[0].quantity == Quantity::peak);
    CHECK((*limits)[0].relation == Relation::greater);
    CHECK((*limits)[0].value == 200.0 * 1024 * 1024);
    CHECK((*limits)[0].text == "peak>200MiB");
    CHECK((*limits)[1].quantity == Quantity::leak);
    CHECK((*limits)[1].value == 0);
    CHECK((*limits)[2].relation == Relation::greater_equal);
    CHECK((*limits)[2].value == 1.5e6);
    CHECK((*limits)[3].value == doctest::Approx(0.3));
    CHECK((*limits)[4].relation == Relation::less_equal);
    CHECK((*limits)[5].value == 1.5e9);
    CHECK((*limits)[6].relation == Relation::not_equal);
    CHECK((*limits)[6].value == 4096);
    CHECK((*limits)[7].relation == Relation::less);
    CHECK((*limits)[8].relation == Relation::equal);
}

TEST_CASE("every name that exists is known, in any case") {
    for (std::size_t i = 0; i < kQuantityCount; ++i) {
        const auto quantity = static_cast<Quantity>(i);
        const std::string unit = unit_of(quantity) == Unit::ns ? "0s" : "0";
        const auto limits = parse_limits(std::string(name_of(quantity)) + ">" + unit);
        REQUIRE(limits.has_value());
        CHECK((*limits)[0].quantity == quantity);
    }
    CHECK(parse_limits("PEAK>1GB").has_value());
}

TEST_CASE("an unknown name is answered with the nearest known one") {
    CHECK(complaint("peek>1M").find("the nearest known is 'peak'") != std::string::npos);
    CHECK(complaint("leaks>0").find("'leak'") != std::string::npos);
    CHECK(complaint("frag>10%").find("'fragmentation'") != std::string::npos);
    CHECK(complaint("xyzzyplugh>1").find("nearest") == std::string::npos);
    CHECK(complaint("xyzzyplugh>1").find("known are peak, usable, rss") != std::string::npos);
}

TEST_CASE("each mistake is told with what to write") {
    CHECK(complaint("peak>1M,").find("beside a comma") != std::string::npos);
    CHECK(complaint(",peak>1M").find("beside a comma") != std::string::npos);
    CHECK(complaint("peak").find("it has no comparison; write peak>200MiB") != std::string::npos);
    CHECK(complaint("peak>").find("is no number; write a number such as 200MiB") != std::string::npos);
    CHECK(complaint("peak>-1").find("is no number") != std::string::npos);
    CHECK(complaint("peak>nan").find("is no number") != std::string::npos);
    CHECK(complaint("peak>1s").find("'s' is no unit of this quantity") != std::string::npos);
    CHECK(complaint("duration>1").find("a unit is missing; write a number such as 1.5s") != std::string::npos);
    CHECK(complaint("fragmentation>30").find("a share is at most 100%") != std::string::npos);
    CHECK(complaint("peak!1").find("'!' alone compares nothing") != std::string::npos);
}

TEST_CASE("the nearest name is the one with the fewest changes, or none when all are far") {
    constexpr std::string_view kNames[] = {"peak", "leak", "allocations", "fragmentation"};
    CHECK(nearest_name("peka", kNames) == "peak");  // two letters swapped are one change
    CHECK(nearest_name("laek", kNames) == "leak");
    CHECK(nearest_name("alloc", kNames) == "allocations");
    CHECK(nearest_name("fragmentatoin", kNames) == "fragmentation");
    CHECK(nearest_name("wholly_different", kNames).empty());
    CHECK(nearest_name("", kNames).empty());
    CHECK(nearest_name("peak", {}).empty());
}

TEST_CASE("no text is no limit") {
    REQUIRE(parse_limits(" ").has_value());
    CHECK(parse_limits("")->empty());
}

TEST_CASE("a limit that the findings run into is told with figure and limit") {
    const Findings findings = test::sample_findings();
    const auto limits = parse_limits("peak>1KiB,peak>1TiB,leak>0,allocations>100G,fragmentation>1%,duration>9s");
    REQUIRE(limits.has_value());
    const auto excesses = exceeded(findings, *limits);
    REQUIRE(excesses.size() == 4);
    CHECK(excesses[0].sentence == "peak is 1.3 MiB (1,398,288 bytes), which 'peak>1KiB' does not allow");
    CHECK(excesses[0].measured == 1'398'288);
    CHECK(excesses[1].limit.quantity == Quantity::leak);
    CHECK(excesses[2].sentence.find("fragmentation is 33.") == 0);
    CHECK(excesses[3].sentence == "duration is 10.00 s, which 'duration>9s' does not allow");
}

TEST_CASE("a quantity exactly at its limit is within it") {
    const Findings findings = test::sample_findings();
    CHECK(exceeded(findings, *parse_limits("peak>1398288")).empty());
    CHECK(exceeded(findings, *parse_limits("peak>=1398288")).size() == 1);
}

}  // namespace
}  // namespace heapwright::study
