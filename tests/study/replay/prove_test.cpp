#include <heapwright/study/replay/prove.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using study::Comparison;
using study::Experiment;
using study::Gain;
using study::Suggestion;
using study::TrialRun;
using study::TrialSummary;
using study::Verdict;

TrialSummary trial_with(const std::string& label, std::uint64_t peak, std::uint64_t cpu) {
    TrialSummary summary;
    summary.spec.label = label;
    for (std::uint64_t i = 0; i < 3; ++i) {
        TrialRun run;
        run.peak_rss_bytes = peak + i;
        run.cpu_ns = cpu + i;
        run.trim_works = true;
        summary.runs.push_back(run);
    }
    return summary;
}

Suggestion wanting(Gain gain) {
    Suggestion suggestion;
    suggestion.experiment.kind = Experiment::Kind::pool_at_site;
    suggestion.experiment.gain = gain;
    suggestion.expected_bytes = 20 << 20;
    suggestion.expected_seconds = 0.1;
    return suggestion;
}

Suggestion judged(Gain gain, std::uint64_t peak, std::uint64_t cpu) {
    Comparison comparison;
    comparison.trials = {trial_with("glibc", 100 << 20, 1'000'000'000), trial_with("changed", peak, cpu)};
    Suggestion suggestion = wanting(gain);
    study::judge(suggestion, comparison, 1);
    return suggestion;
}

TEST_CASE("a real gain proves, with the figures measured and expected") {
    const Suggestion memory = judged(Gain::peak, 80 << 20, 1'010'000'000);
    CHECK(memory.verdict == Verdict::proved);
    CHECK(memory.measured_bytes == doctest::Approx(20 << 20));
    CHECK(memory.proof.find("peak RSS 100.0 MiB to 80.0 MiB (-20.0 %)") != std::string::npos);
    CHECK(memory.proof.find("20.0 MiB less was expected") != std::string::npos);
    const Suggestion time = judged(Gain::time, 100 << 20, 800'000'000);
    CHECK(time.verdict == Verdict::proved);
    CHECK(time.measured_seconds == doctest::Approx(0.2));
}

TEST_CASE("no difference refutes, and so does a worse result") {
    const Suggestion none = judged(Gain::peak, 100 << 20, 1'000'000'000);
    CHECK(none.verdict == Verdict::refuted);
    CHECK(none.proof.find("no difference beyond noise") != std::string::npos);
    const Suggestion worse = judged(Gain::peak, 130 << 20, 1'000'000'000);
    CHECK(worse.verdict == Verdict::refuted);
    CHECK(worse.proof.find("gets worse") != std::string::npos);
}

TEST_CASE("a gain that is paid for dearly is refuted") {
    const Suggestion dear = judged(Gain::peak, 80 << 20, 1'600'000'000);
    CHECK(dear.verdict == Verdict::refuted);
    CHECK(dear.proof.find("costs more than it is worth") != std::string::npos);
    CHECK(judged(Gain::time, 150 << 20, 800'000'000).verdict == Verdict::refuted);
}

/// Judged for a program that took `program_ns` in all, of which the replay of its allocations is a part.
Suggestion judged_for(std::uint64_t program_ns, std::uint64_t program_bytes, Gain gain, std::uint64_t peak, std::uint64_t cpu) {
    Comparison comparison;
    comparison.recorded_cpu_ns = program_ns;
    comparison.recorded_peak_rss_bytes = program_bytes + (8 << 20);
    comparison.recorder_rss_bytes = 8 << 20;
    comparison.trials = {trial_with("glibc", 100 << 20, 1'000'000'000), trial_with("changed", peak, cpu)};
    Suggestion suggestion = wanting(gain);
    study::judge(suggestion, comparison, 1);
    return suggestion;
}

TEST_CASE("a cost is weighed against the whole program, not against its allocations alone") {
    // 45 % more of the time in the replay, 4.5 % of what the program took.
    const Suggestion memory = judged_for(10'000'000'000, 200 << 20, Gain::peak, 80 << 20, 1'450'000'000);
    CHECK(memory.verdict == Verdict::proved);
    CHECK(memory.proof.find("it costs 450.0 ms more, 4.5 % of the program's 10.00 s") != std::string::npos);
    // A quarter more heap, 5 % of the process; 30 % less time in the replay, 15 % of the program's.
    const Suggestion time = judged_for(2'000'000'000, 500 << 20, Gain::time, 125 << 20, 700'000'000);
    CHECK(time.verdict == Verdict::proved);
    CHECK(time.proof.find("it costs 25.0 MiB more, 5.0 % of the program's 500.0 MiB") != std::string::npos);
}

TEST_CASE("a larger share paid than won refutes, however small both are") {
    const Suggestion dear = judged_for(10'000'000'000, 1000 << 20, Gain::peak, 90 << 20, 1'400'000'000);  // 1 % won, 4 % paid
    CHECK(dear.verdict == Verdict::refuted);
    CHECK(dear.proof.find("it costs more than it is worth") != std::string::npos);
    const Suggestion above = judged_for(2'000'000'000, 110 << 20, Gain::peak, 10 << 20, 1'300'000'000);  // 82 % won, 15 % paid
    CHECK(above.verdict == Verdict::refuted);
}

TEST_CASE("a gain that the program would not feel is refuted as too little") {
    const Suggestion small = judged_for(1'000'000'000'000, 100 << 20, Gain::time, 100 << 20, 800'000'000);
    CHECK(small.verdict == Verdict::refuted);
    CHECK(small.proof.find("too little to be worth a change") != std::string::npos);
}

TEST_CASE("a trial that cannot run, or an allocator that cannot be asked, leaves the suggestion untried") {
    Comparison comparison;
    comparison.trials = {trial_with("glibc", 100, 100), trial_with("changed", 50, 50)};
    for (TrialRun& run : comparison.trials[1].runs) {
        run.failure = "trial 'changed' crashed";
    }
    Suggestion suggestion = wanting(Gain::peak);
    study::judge(suggestion, comparison, 1);
    CHECK(suggestion.verdict == Verdict::not_tried);
    CHECK(suggestion.proof == "not tried: trial 'changed' crashed");
    comparison.trials[1] = trial_with("changed", 50, 50);
    for (TrialRun& run : comparison.trials[1].runs) {
        run.trim_works = false;
    }
    suggestion.experiment.kind = Experiment::Kind::trim;
    study::judge(suggestion, comparison, 1);
    CHECK(suggestion.verdict == Verdict::not_tried);
}

TEST_CASE("an experiment becomes the trial that it describes") {
    Experiment experiment;
    experiment.id = "A1-pool-site-3";
    experiment.kind = Experiment::Kind::pool_at_site;
    experiment.stacks = {static_cast<trace::StackId>(9)};
    experiment.pool_block_bytes = 48;
    experiment.pool_alignment = 8;
    const auto pool = study::trial_of(experiment, "glibc");
    CHECK(pool.label == "A1-pool-site-3");
    CHECK(pool.placement.kind == study::PlacementKind::pool);
    CHECK(pool.placement.stacks == experiment.stacks);
    CHECK(pool.placement.pool_block_bytes == 48);
    CHECK(pool.placement.pool_alignment == 8);
    experiment.kind = Experiment::Kind::setting;
    experiment.target = "glibc:arena_max=2";
    const auto setting = study::trial_of(experiment, "glibc");
    CHECK(setting.label == "glibc:arena_max=2");
    CHECK(setting.placement.kind == study::PlacementKind::none);
}

TEST_CASE("a plan is tried on its own target, with the sizes and the place of its entries, and idles longer") {
    Experiment experiment;
    experiment.id = "A2-plan-heapwright";
    experiment.kind = Experiment::Kind::plan;
    experiment.target = "glibc";  // which is installed everywhere
    PlannedSite entry;
    entry.place = SitePlace::bump;
    entry.min_bytes = 16;
    entry.max_bytes = 4096;
    experiment.entries = {entry};
    const auto plan = study::trial_of(experiment, "jemalloc");
    CHECK(plan.label == "A2-plan-heapwright");
    CHECK(plan.allocator == "glibc");
    CHECK(plan.placement.kind == study::PlacementKind::planned);
    CHECK(plan.placement.place == SitePlace::bump);
    CHECK(plan.placement.min_bytes == 16);
    CHECK(plan.placement.max_bytes == 4096);
    CHECK(plan.idle_s > study::parse_trial("glibc").idle_s);
}

}  // namespace heapwright::test
