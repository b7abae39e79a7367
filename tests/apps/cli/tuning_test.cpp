// Which change of the surroundings `tune` takes to the last comparison, and what it says of it, from figures of the program itself.
#include <apps/cli/tuning.hpp>

#include <cmath>
#include <initializer_list>
#include <random>
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

/// `count` runs around these figures, each a little different from the next.
Variant runs_around(const char* label, Figures middle, std::size_t count = 10) {
    Variant made = variant(label, {});
    for (std::size_t i = 0; i < count; ++i) {
        const Variant one = variant(label, {middle});
        made.runs.push_back(one.runs.front());
        made.outputs.push_back(one.outputs.front());
        made.runs.back().cpu_ns += i % 4 * 300'000;
        made.runs.back().wall_ns = made.runs.back().cpu_ns;
        made.runs.back().peak_resident_bytes += i % 3 << 12U;
    }
    return made;
}

std::optional<std::size_t> promising(std::initializer_list<Variant> others) {
    std::vector<Variant> variants{plain()};
    variants.insert(variants.end(), others.begin(), others.end());
    const std::vector<std::size_t> order = cli::promising(variants);
    return order.empty() ? std::nullopt : std::optional{order.front()};
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

Outcome outcome(Variant after) { return cli::outcome_of(finished(runs_around("plain", {100, 200}), std::move(after))); }

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

TEST_CASE("where everything costs something, the least dear goes on") {
    CHECK(promising({variant("small", {{50, 220}, {50, 220}, {50, 220}}), variant("slow", {{103, 206}, {103, 206}, {103, 206}})}) == 2);
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

TEST_CASE("all that are promising are ranked, those that cost something last") {
    const std::vector<Variant> variants{plain(), variant("large", {{50, 300}, {50, 300}, {50, 300}}),
                                        variant("good", {{80, 200}, {80, 200}, {80, 200}}),
                                        variant("best", {{70, 200}, {70, 200}, {70, 200}})};
    CHECK(cli::promising(variants) == std::vector<std::size_t>{3, 2, 1});
}

TEST_CASE("less memory for the same time is worth it, and so is less time for the same memory") {
    CHECK(outcome(runs_around("tuned", {100, 150})) == Outcome::worth_it);
    CHECK(outcome(runs_around("tuned", {70, 200})) == Outcome::worth_it);
}

TEST_CASE("less memory after idling is worth it, and the sentence has the interval and the pairs") {
    const Tuning tuning = finished(runs_around("plain", {100, 200, 100}), runs_around("tuned", {100, 200, 60}));
    CHECK(cli::outcome_of(tuning) == Outcome::worth_it);
    CHECK(cli::sentence_of(Outcome::worth_it, tuning) ==
          "heapwright is worth it: RSS after idling -40 % (-40 % to -40 %), in 10 pairs of runs made after the choice");
}

TEST_CASE("what chance explains is no change to make, and the file then leaves the program as it is") {
    const Tuning tuning = finished(runs_around("plain", {100, 200}), runs_around("tuned", {100, 200}));
    CHECK(cli::outcome_of(tuning) == Outcome::too_little);
    CHECK(cli::sentence_of(Outcome::too_little, tuning).find("no more than chance explains") != std::string::npos);
    CHECK(cli::recommended(tuning).changes_nothing());
}

TEST_CASE("a steady gain that is too small is no change to make") {
    CHECK(outcome(runs_around("tuned", {99, 200})) == Outcome::too_little);
}

TEST_CASE("few pairs show nothing, however large the gain is") {
    const Tuning tuning = finished(plain(), variant("tuned", {{10, 20}, {10, 20}, {10, 20}}));
    CHECK(cli::outcome_of(tuning) == Outcome::too_few_runs);
    CHECK(cli::sentence_of(Outcome::too_few_runs, tuning).find("--runs 8") != std::string::npos);
    CHECK(cli::recommended(tuning).changes_nothing());
}

TEST_CASE("a loss of more than a fiftieth is too dear, whatever is saved") {
    CHECK(outcome(runs_around("tuned", {105, 20})) == Outcome::too_dear);
    CHECK(outcome(runs_around("tuned", {50, 220})) == Outcome::too_dear);
    CHECK(outcome(runs_around("tuned", {50, 202})) == Outcome::worth_it);
}

TEST_CASE("a loss is believed on weaker grounds than a gain") {
    Variant dearer = runs_around("tuned", {100, 200});
    for (std::size_t i = 0; i < dearer.runs.size(); ++i) {
        dearer.runs[i].cpu_ns = i == 0 ? 95'000'000 : 108'000'000 + i * 100'000;  // one of ten the other way: p = 0.01 of one side
    }
    CHECK(outcome(dearer) == Outcome::too_dear);
}

TEST_CASE("another output than a steady program's is no change to make") {
    Variant tuned = runs_around("tuned", {70, 150});
    tuned.outputs.back().exact = tuned.outputs.back().rough = 2;
    CHECK(outcome(tuned) == Outcome::other_output);
}

TEST_CASE("outputs that differ by themselves say nothing") {
    Variant before = runs_around("plain", {100, 200});
    Variant after = runs_around("tuned", {70, 150});
    std::uint64_t words = 1;
    for (Variant* const side : {&before, &after}) {
        for (cli::OutputFacts& output : side->outputs) {
            output.exact = output.rough = words++;
        }
    }
    CHECK(cli::outcome_of(finished(before, after)) == Outcome::worth_it);
}

// Both sides are the same program: whatever is called worth it is a mistake. CPU, peak and RSS after idling can each make one, at 1 in 200.
TEST_CASE("noise is not taken for a gain more often than stated") {
    std::mt19937_64 random{20261122};
    std::normal_distribution<double> normal;
    const auto noisy = [&](double value, double spread) { return static_cast<std::uint64_t>(value * std::exp(spread * normal(random))); };
    constexpr int kTunes = 4000;
    int mistakes = 0;
    for (int tune = 0; tune < kTunes; ++tune) {
        Variant sides[2] = {runs_around("plain", {100, 200, 100}, 12), runs_around("tuned", {100, 200, 100}, 12)};
        for (Variant& side : sides) {
            for (cli::RunResult& run : side.runs) {
                run.cpu_ns = run.wall_ns = noisy(1e8, 0.12);
                run.peak_resident_bytes = noisy(2e8, 0.05);
                run.idle_resident_bytes = noisy(1e8, 0.2);
            }
        }
        mistakes += cli::outcome_of(finished(sides[0], sides[1])) == Outcome::worth_it ? 1 : 0;
    }
    CHECK(mistakes <= kTunes * 3 / 200);
    CHECK(mistakes > 0);
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
