#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_give_back;

TEST_CASE("memory kept at the end on pages without a live byte should go back") {
    Program program;
    program.findings.at_end.retained_bytes = 60 << 20;
    program.findings.at_end.external_bytes = 3 << 20;
    const auto found = program.ask(suggest_give_back);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.kind == Experiment::Kind::trim);
    CHECK(found[0].experiment.gain == study::Gain::retained);
    CHECK(found[0].expected_bytes == doctest::Approx(60.0 * (1 << 20)));
    CHECK(found[0].how.find("malloc_trim(0)") == 0);
}

TEST_CASE("memory kept over most of the run counts as well") {
    Program program;
    for (std::uint64_t i = 0; i < 100; ++i) {
        study::Moment moment;
        moment.time_ns = i * 100'000'000;
        moment.resident_bytes = 100 << 20;
        moment.occupied_page_bytes = i < 10 ? 95 << 20 : 20 << 20;
        program.findings.timeline.push_back(moment);
    }
    program.findings.totals.peak_time_ns = 500'000'000;
    const auto found = program.ask(suggest_give_back);
    REQUIRE(found.size() == 1);
    CHECK(found[0].experiment.gain == study::Gain::mean);
}

TEST_CASE("what the recorder held is not the program's to give back") {
    Program program;
    for (std::uint64_t i = 0; i < 100; ++i) {
        study::Moment moment;
        moment.time_ns = i * 100'000'000;
        moment.resident_bytes = 100 << 20;
        moment.occupied_page_bytes = 65 << 20;
        program.findings.timeline.push_back(moment);
    }
    CHECK(program.ask(suggest_give_back).size() == 1);
    program.findings.provenance["recorder_resident_bytes"] = std::to_string(30 << 20);
    CHECK(program.ask(suggest_give_back).empty());
}

TEST_CASE("every allocator is asked in its own words") {
    for (const auto& [name, words] : {std::pair{"libjemalloc.so.2", "mallctl"}, std::pair{"libmimalloc.so.2.0", "mi_collect"},
                                      std::pair{"libtcmalloc_minimal.so.4", "ReleaseFreeMemory"},
                                      std::pair{"libtbbmalloc_proxy.so.2", "scalable_allocation_command"}}) {
        Program program;
        program.findings.provenance["allocator"] = name;
        program.findings.at_end.retained_bytes = 60 << 20;
        const auto found = program.ask(suggest_give_back);
        REQUIRE(found.size() == 1);
        CHECK(found[0].how.find(words) != std::string::npos);
    }
}

TEST_CASE("pinned memory and small remains are no reason: asking would give back nothing") {
    Program program;
    program.findings.at_end.external_bytes = 60 << 20;
    program.findings.at_end.retained_bytes = 1 << 20;
    CHECK(program.ask(suggest_give_back).empty());
}

}  // namespace heapwright::test
