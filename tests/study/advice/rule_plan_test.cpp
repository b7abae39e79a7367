// A placement plan is suggested where blocks of different habits come from code that can be named.
#include <algorithm>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {
namespace {

using study::CodeAddress;
using study::Experiment;
using study::Gain;

constexpr std::uint32_t kMillions = 4'000'000;
constexpr std::size_t kBriefBucket = 15;    // 33 to 66 us of a run of 10 s
constexpr std::size_t kLastingBucket = 32;  // 4.3 to 8.6 s

struct Planned : Program {
    Planned() {
        findings.modules.push_back({.path = "/usr/bin/program", .build_id = {0xab, 0xcd}});
        findings.modules.push_back({.path = "/usr/lib/stripped.so", .build_id = {}});
        findings.at_end.external_bytes = 40 << 20;
    }

    Site& code(const std::string& function, std::uint64_t count, std::size_t bucket, std::initializer_list<std::uint64_t> offsets) {
        Site& one = site(function, count, 64);
        one.lifetimes = {};
        one.lifetimes[bucket] = static_cast<std::uint32_t>(count);
        for (const std::uint64_t offset : offsets) {
            one.returns.push_back({.module = 0, .offset = offset});
        }
        return one;
    }

    [[nodiscard]] std::vector<Suggestion> plans(SitePlace place) const {
        std::vector<Suggestion> all = ask(study::advice::suggest_plan);
        std::erase_if(all, [place](const Suggestion& one) { return one.experiment.entries.front().place != place; });
        return all;
    }
};

}  // namespace

TEST_CASE("lasting blocks among brief ones are to be kept apart, and the entry names their code") {
    Planned program;
    program.code("parse", kMillions, kBriefBucket, {0x100, 0x900});
    program.code("intern", 50'000, kLastingBucket, {0x200, 0x900});
    const auto plans = program.plans(SitePlace::heap);
    REQUIRE(plans.size() == 1);
    const Experiment& experiment = plans.front().experiment;
    CHECK(experiment.kind == Experiment::Kind::plan);
    CHECK(experiment.target == "heapwright");
    CHECK(experiment.gain == Gain::retained);
    REQUIRE(experiment.entries.size() == 1);
    const PlannedSite& entry = experiment.entries.front();
    CHECK(entry.returns.count == 1);
    CHECK(entry.returns.values[0] == 0x200);
    CHECK(entry.module.size == 2);
    CHECK(entry.module.bytes[1] == 0xcd);
    CHECK(entry.file.view() == "program");
    CHECK(entry.max_bytes == 65536);
    CHECK(experiment.stacks.size() == 1);
}

TEST_CASE("code of a few blocks is not worth an entry") {
    Planned program;
    program.code("parse", kMillions, kBriefBucket, {0x100});
    program.code("intern", 50'000, kLastingBucket, {0x200});
    program.code("one page each is less than 64 KiB", 15, kLastingBucket, {0x300});
    program.code("and this is as much", 16, kLastingBucket, {0x400});
    const auto plans = program.plans(SitePlace::heap);
    REQUIRE(plans.size() == 1);
    REQUIRE(plans.front().experiment.entries.size() == 2);
    CHECK(plans.front().experiment.entries.back().returns.values[0] == 0x400);
}

TEST_CASE("blocks that are never freed last, too") {
    Planned program;
    program.code("parse", kMillions, kBriefBucket, {0x100});
    Site& leak = program.code("intern", 50'000, kBriefBucket, {0x200});
    leak.lifetimes = {};
    leak.frees = 0;
    leak.leaked.blocks = 50'000;
    CHECK(program.plans(SitePlace::heap).size() == 1);
}

TEST_CASE("where nothing is wasted, or everything lasts, nothing is kept apart") {
    Planned tight;
    tight.code("parse", kMillions, kBriefBucket, {0x100});
    tight.code("intern", 50'000, kLastingBucket, {0x200});
    tight.findings.at_end.external_bytes = 1000;
    CHECK(tight.plans(SitePlace::heap).empty());
    Planned all_last;
    all_last.code("intern", 50'000, kLastingBucket, {0x200});
    CHECK(all_last.plans(SitePlace::heap).empty());
}

TEST_CASE("many brief blocks are to lie one behind the other, up to the size that a chunk takes") {
    Planned program;
    program.code("parse", 40 * kMillions, kBriefBucket, {0x100});
    const auto plans = program.plans(SitePlace::bump);
    REQUIRE(plans.size() == 1);
    CHECK(plans.front().experiment.gain == Gain::time);
    CHECK(plans.front().experiment.entries.front().max_bytes == 16384 - 8);
    CHECK(plans.front().expected_seconds > 0);
    Planned few;
    few.code("parse", 20'000, kBriefBucket, {0x100});
    CHECK(few.plans(SitePlace::bump).empty());
}

TEST_CASE("a wrapper whose callers differ is told apart by its caller") {
    Planned program;
    program.code("parse", kMillions, kBriefBucket, {0x100, 0x300});
    program.code("intern", kMillions, kLastingBucket, {0x100, 0x400});
    const auto plans = program.plans(SitePlace::heap);
    REQUIRE(plans.size() == 1);
    const PlannedSite& entry = plans.front().experiment.entries.front();
    REQUIRE(entry.returns.count == 2);
    CHECK(entry.returns.values[0] == 0x100);
    CHECK(entry.returns.values[1] == 0x400);
}

TEST_CASE("callers of code in a library are named with the program that they are in") {
    Planned program;
    program.findings.modules.push_back({.path = "/usr/lib/libwrapper.so.1", .build_id = {0x12}});
    program.code("parse", kMillions, kBriefBucket, {0x100, 0x110, 0x300});
    program.code("intern", kMillions, kLastingBucket, {0x100, 0x110, 0x400});
    for (Site& site : program.findings.sites) {
        site.returns[0].module = 2;
        site.returns[1].module = 2;
    }
    const auto plans = program.plans(SitePlace::heap);
    REQUIRE(plans.size() == 1);
    const PlannedSite& entry = plans.front().experiment.entries.front();
    CHECK(entry.file.view() == "libwrapper.so.1");
    REQUIRE(entry.returns.count == 2);
    CHECK(entry.returns.values[1] == 0x110);
    REQUIRE(entry.callers.count == 1);
    const CallerCode& caller = entry.callers.values[0];
    CHECK(caller.offset == 0x400);
    CHECK(caller.file.view() == "program");
    CHECK(caller.module.bytes[0] == 0xab);
}

TEST_CASE("of code with very many callers those that matter most have entries") {
    Planned program;
    program.code("parse", kMillions, kBriefBucket, {0x100, 0x200});
    for (std::uint64_t i = 0; i < 40; ++i) {
        program.code("keep " + std::to_string(i), 20'000 + i, kLastingBucket, {0x100, 0x1000 + i});
    }
    const auto plans = program.plans(SitePlace::heap);
    REQUIRE(plans.size() == 1);
    const auto& entries = plans.front().experiment.entries;
    CHECK(entries.size() == 16);
    CHECK(entries.front().returns.values[1] == 0x1000 + 39);
}

TEST_CASE("a wrapper whose callers agree is one entry") {
    Planned program;
    program.code("parse", kMillions, kBriefBucket, {0x50});
    program.code("intern", 20'000, kLastingBucket, {0x100, 0x300});
    program.code("store", 20'000, kLastingBucket, {0x100, 0x400});
    const auto plans = program.plans(SitePlace::heap);
    REQUIRE(plans.size() == 1);
    CHECK(plans.front().experiment.entries.size() == 1);
    CHECK(plans.front().experiment.entries.front().returns.count == 1);
    CHECK(plans.front().experiment.stacks.size() == 2);
}

TEST_CASE("code without a build id, blocks that are resized, and sampled recordings are left alone") {
    Planned nameless;
    nameless.code("parse", 40 * kMillions, kBriefBucket, {0x100}).returns.front().module = 1;
    CHECK(nameless.ask(study::advice::suggest_plan).empty());
    Planned resized;
    resized.code("grow", 40 * kMillions, kBriefBucket, {0x100}).reallocs = 20 * kMillions;
    CHECK(resized.ask(study::advice::suggest_plan).empty());
    Planned sampled;
    sampled.code("parse", 40 * kMillions, kBriefBucket, {0x100});
    sampled.findings.health.sample_interval_bytes = 4096;
    CHECK(sampled.ask(study::advice::suggest_plan).empty());
}

}  // namespace heapwright::test
