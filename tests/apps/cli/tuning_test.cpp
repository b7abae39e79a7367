// Which change of the surroundings `tune` takes to the last comparison, and what it says of it, from figures of the program itself.
#include <apps/cli/tuning.hpp>

#include <initializer_list>
#include <string>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using cli::Outcome;
using cli::Tuning;
using cli::Variant;

constexpr int kSegmentationFault = 0x0b;

struct Figures {
    std::uint64_t cpu_ms;
    std::uint64_t peak_mib;
    std::uint64_t idle_mib = 0;
    std::uint64_t output = 1;
};

Variant variant(const char* label, std::initializer_list<Figures> runs) {
    Variant made{.label = label, .request = {}, .runs = {}};
    for (const Figures& figures : runs) {
        cli::RunResult run;
        run.cpu_ns = run.wall_ns = figures.cpu_ms * 1'000'000;
        run.peak_resident_bytes = figures.peak_mib << 20U;
        run.idle_resident_bytes = figures.idle_mib << 20U;
        made.runs.push_back(run);
        made.outputs.push_back({.bytes = 10, .exact = figures.output, .rough = figures.output});
    }
    return made;
}

Variant plain() { return variant("plain", {{100, 200}, {101, 200}, {102, 201}}); }

std::optional<std::size_t> promising(std::initializer_list<Variant> others) {
    std::vector<Variant> variants{plain()};
    variants.insert(variants.end(), others.begin(), others.end());
    return cli::most_promising(variants);
}

Tuning finished(Variant before, Variant after) {
    Tuning tuning;
    tuning.command = "program";
    tuning.candidates.push_back({.label = "plain", .file = {}});
    tuning.candidates.front().file.memory.allocator.enable_custom_allocator = false;
    tuning.candidates.push_back(*cli::candidate_of_trial("heapwright"));
    tuning.chosen = 1;
    tuning.finals = {std::move(before), std::move(after)};
    return tuning;
}

Outcome outcome(Variant after) { return cli::outcome_of(finished(plain(), std::move(after))); }

}  // namespace

TEST_CASE("the variant with the best medians is promising, real or not") {
    CHECK(promising({variant("a", {{99, 200}, {103, 200}, {98, 200}}), variant("b", {{90, 200}, {104, 200}, {89, 200}})}) == 2);
    CHECK_FALSE(promising({}).has_value());
}

TEST_CASE("what costs a lot is promising only when everything does") {
    const Variant fast_and_large = variant("large", {{50, 300}, {50, 300}, {50, 300}});
    const Variant equal = variant("equal", {{101, 200}, {101, 200}, {101, 200}});
    CHECK(promising({fast_and_large, equal}) == 2);
    CHECK(promising({fast_and_large}) == 1);
}

TEST_CASE("what is no better than a simpler change is passed over") {
    CHECK(promising({variant("simple", {{90, 200}, {90, 200}, {90, 200}}), variant("clever", {{90, 199}, {90, 199}, {90, 199}})}) == 1);
}

TEST_CASE("a variant that fails, or says something else than a steady program, is not promising") {
    Variant broken = variant("tcmalloc", {{70, 150}, {71, 150}, {69, 150}});
    broken.runs.back().wait_status = kSegmentationFault;
    CHECK_FALSE(promising({broken}).has_value());
    CHECK_FALSE(promising({variant("other", {{70, 150, 0, 2}, {70, 150, 0, 2}, {70, 150, 0, 2}})}).has_value());
}

TEST_CASE("less memory for the same time is worth it, and so is less time for the same memory") {
    CHECK(outcome(variant("tuned", {{100, 150}, {101, 150}, {103, 151}})) == Outcome::worth_it);
    CHECK(outcome(variant("tuned", {{70, 200}, {71, 201}, {69, 200}})) == Outcome::worth_it);
}

TEST_CASE("less memory after idling is worth it") {
    Tuning tuning = finished(variant("plain", {{100, 200, 100}, {101, 200, 101}, {102, 201, 100}}),
                             variant("tuned", {{100, 200, 60}, {101, 201, 61}, {102, 200, 60}}));
    CHECK(cli::outcome_of(tuning) == Outcome::worth_it);
    CHECK(cli::sentence_of(Outcome::worth_it, tuning).find("RSS after idling -40 %") != std::string::npos);
}

TEST_CASE("what cannot be told from noise is no change to make, and the file then leaves the program as it is") {
    const Tuning tuning = finished(plain(), variant("tuned", {{101, 200}, {100, 201}, {102, 200}}));
    CHECK(cli::outcome_of(tuning) == Outcome::too_little);
    CHECK(cli::sentence_of(Outcome::too_little, tuning).find("by no more than noise") != std::string::npos);
    CHECK(cli::recommended(tuning).changes_nothing());
}

TEST_CASE("a real loss of more than a fiftieth is too dear, whatever is saved") {
    CHECK(outcome(variant("tuned", {{105, 20}, {106, 20}, {107, 20}})) == Outcome::too_dear);
    CHECK(outcome(variant("tuned", {{50, 220}, {51, 221}, {50, 222}})) == Outcome::too_dear);
}

TEST_CASE("another output than a steady program's is no change to make") {
    CHECK(outcome(variant("tuned", {{70, 150}, {71, 150}, {69, 150, 0, 2}})) == Outcome::other_output);
}

TEST_CASE("outputs that differ by themselves say nothing") {
    const Tuning tuning = finished(variant("plain", {{100, 200, 0, 1}, {101, 200, 0, 2}, {102, 201, 0, 3}}),
                                   variant("tuned", {{70, 150, 0, 4}, {71, 150, 0, 5}, {69, 150, 0, 6}}));
    CHECK(cli::outcome_of(tuning) == Outcome::worth_it);
}

TEST_CASE("a failure under the change, or of the program itself, is told") {
    Variant broken = variant("tuned", {{70, 150}, {71, 150}});
    broken.runs.back().wait_status = kSegmentationFault;
    CHECK(outcome(broken) == Outcome::failed);
    const Tuning unsteady = finished(broken, plain());
    CHECK(cli::outcome_of(unsteady) == Outcome::unsteady);
    CHECK(cli::sentence_of(Outcome::unsteady, unsteady).find("in run 2") != std::string::npos);
}

TEST_CASE("without a last comparison nothing is worth it") {
    Tuning tuning = finished(plain(), plain());
    tuning.finals.clear();
    CHECK(cli::outcome_of(tuning) == Outcome::nothing_tried);
    CHECK(cli::recommended(tuning).changes_nothing());
}

}  // namespace heapwright::test
