// What `tune` tries: something of everything that can be changed from outside, and nothing twice.
#include <apps/cli/candidate_choice.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using cli::BeforeChoice;
using study::Experiment;
using study::Suggestion;
using study::Verdict;

Suggestion suggested(Experiment::Kind kind, Verdict verdict, const char* target) {
    Suggestion suggestion;
    suggestion.verdict = verdict;
    suggestion.experiment.kind = kind;
    suggestion.experiment.target = target;
    if (kind == Experiment::Kind::plan) {
        suggestion.experiment.entries.emplace_back();
    }
    return suggestion;
}

study::TrialSummary trial(const char* label, std::uint64_t cpu_ns, std::uint64_t peak_bytes) {
    study::TrialSummary summary;
    summary.spec.label = label;
    for (std::uint64_t i = 0; i < 3; ++i) {
        study::TrialRun run;
        run.cpu_ns = cpu_ns + i;
        run.peak_rss_bytes = peak_bytes;
        summary.runs.push_back(run);
    }
    return summary;
}

std::vector<std::string> labels(const BeforeChoice& known) {
    std::vector<std::string> names;
    for (const cli::Candidate& candidate : cli::possible_candidates(known)) {
        names.push_back(candidate.label);
    }
    return names;
}

std::ptrdiff_t place(const std::vector<std::string>& names, const char* label) { return std::ranges::find(names, label) - names.begin(); }

}  // namespace

TEST_CASE("our heap comes first, its plan next, and huge pages where the kernel gives them on wish") {
    const std::vector<Suggestion> suggestions{suggested(Experiment::Kind::plan, Verdict::refuted, "heapwright")};
    using Names = std::vector<std::string>;
    CHECK(labels({.suggestions = suggestions}) == Names{"heapwright", "heapwright with a plan of 1 site"});
    CHECK(labels({.suggestions = suggestions, .huge_pages_on_wish = true}) ==
          Names{"heapwright", "heapwright with a plan of 1 site", "heapwright:huge_pages=always", "glibc:hugetlb=1"});
    CHECK(labels({.suggestions = {}, .uses_glibc = false, .huge_pages_on_wish = true}) ==
          Names{"heapwright", "heapwright:huge_pages=always"});
}

TEST_CASE("what a replay proved is tried, once, and what it refuted is not") {
    const std::vector<Suggestion> suggestions{suggested(Experiment::Kind::setting, Verdict::proved, "glibc:arena_max=2"),
                                              suggested(Experiment::Kind::allocator, Verdict::proved, "glibc:arena_max=2"),
                                              suggested(Experiment::Kind::allocator, Verdict::refuted, "jemalloc")};
    CHECK(labels({.suggestions = suggestions}) == std::vector<std::string>{"heapwright", "glibc:arena_max=2"});
}

TEST_CASE("of the other allocators the fastest two are tried, and whoever leads in memory") {
    study::Comparison comparison;
    comparison.trials = {trial("glibc", 100, 1000), trial("mimalloc", 90, 1200), trial("jemalloc", 95, 400), trial("tcmalloc", 80, 1300),
                         trial("tbbmalloc", 99, 1100)};
    const std::vector<std::string> names = labels({.suggestions = {}, .comparison = &comparison});
    CHECK(place(names, "tcmalloc") < place(names, "mimalloc"));
    CHECK(std::ranges::count(names, "jemalloc") == 1);
    CHECK(std::ranges::count(names, "tbbmalloc") == 0);
    CHECK(names.size() == 4);
}

TEST_CASE("the kernel's word on huge pages is read") {
    const std::string file = "candidate_choice_test.thp";
    for (const auto& [text, wanted] : {std::pair{"always [madvise] never\n", true}, {"[always] madvise never\n", false}, {"", false}}) {
        std::ofstream{file} << text;
        CHECK(cli::huge_pages_on_wish(file) == wanted);
    }
    std::remove(file.c_str());
    CHECK_FALSE(cli::huge_pages_on_wish(file));
}

}  // namespace heapwright::test
