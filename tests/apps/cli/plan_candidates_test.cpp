// Which suggestions go into a memory.toml, and in which order.
#include <apps/cli/plan_candidates.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using study::Experiment;
using study::Suggestion;
using study::Verdict;

PlannedSite entry(std::uint64_t offset, std::uint32_t frames) {
    PlannedSite site;
    site.module.size = 4;
    site.module.bytes = {1, 2, 3, 4};
    site.returns.count = frames;
    for (std::uint32_t i = 0; i < frames; ++i) {
        site.returns.values[i] = offset + 16 * i;
    }
    site.place = SitePlace::bump;
    return site;
}

Suggestion plan(Verdict verdict, const PlannedSite& site) {
    Suggestion suggestion;
    suggestion.title = "Make brief blocks one behind the other";
    suggestion.proof = "proved: less";
    suggestion.verdict = verdict;
    suggestion.experiment.kind = Experiment::Kind::plan;
    suggestion.experiment.entries = {site};
    return suggestion;
}

Suggestion allocator(Verdict verdict, const char* target) {
    Suggestion suggestion;
    suggestion.verdict = verdict;
    suggestion.experiment.kind = Experiment::Kind::allocator;
    suggestion.experiment.target = target;
    return suggestion;
}

}  // namespace

TEST_CASE("only plans of the wanted verdict are taken, and entries of more frames come first") {
    const std::vector<Suggestion> suggestions{plan(Verdict::proved, entry(0x100, 1)), plan(Verdict::refuted, entry(0x200, 1)),
                                              plan(Verdict::proved, entry(0x300, 2))};
    const auto candidate = cli::plan_candidate(suggestions, Verdict::proved);
    REQUIRE(candidate.has_value());
    REQUIRE(candidate->file.plan.size() == 2);
    CHECK(candidate->file.plan[0].returns.values[0] == 0x300);
    CHECK(candidate->label == "heapwright with a plan of 2 sites");
    CHECK_FALSE(cli::plan_candidate(suggestions, Verdict::not_tried).has_value());
}

TEST_CASE("a file with a plan reads back equal") {
    const auto candidate = cli::plan_candidate({plan(Verdict::proved, entry(0x100, 1))}, Verdict::proved);
    REQUIRE(candidate.has_value());
    const config::ConfigReading reading = config::check_config(cli::candidate_text(*candidate, {}));
    CHECK(reading.mistakes.empty());
    CHECK(reading.file == candidate->file);
}

TEST_CASE("a proved plan goes before a proved allocator, and that before nothing") {
    const Suggestion proved_plan = plan(Verdict::proved, entry(0x100, 1));
    const Suggestion proved = allocator(Verdict::proved, "jemalloc");
    CHECK_FALSE(cli::proved_candidate({proved, proved_plan}).file.plan.empty());
    CHECK(cli::proved_candidate({allocator(Verdict::refuted, "mimalloc"), proved}).label == "jemalloc");
    CHECK(cli::proved_candidate({allocator(Verdict::refuted, "mimalloc")}).changes_nothing());
    CHECK(cli::proved_candidate({}).changes_nothing());
}

TEST_CASE("a file says what it rests on") {
    const std::vector<Suggestion> suggestions{plan(Verdict::proved, entry(0x100, 1)), allocator(Verdict::proved, "jemalloc")};
    const auto proofs = cli::proofs_of(cli::proved_candidate(suggestions), suggestions);
    REQUIRE(proofs.size() == 1);
    CHECK(proofs.front() == "Make brief blocks one behind the other; proved: less");
}

}  // namespace heapwright::test
