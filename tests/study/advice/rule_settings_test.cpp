#include <doctest/doctest.h>

#include "program.hpp"

namespace heapwright::test {

using study::Experiment;
using study::advice::suggest_glibc_settings;
using study::advice::suggest_other_settings;

bool has_target(const std::vector<Suggestion>& found, const std::string& part) {
    for (const Suggestion& one : found) {
        if (one.experiment.target.find(part) != std::string::npos && one.experiment.kind == Experiment::Kind::setting && !one.how.empty()) {
            return true;
        }
    }
    return false;
}

TEST_CASE("many threads and much that holds nothing: fewer arenas") {
    Program program;
    program.threads(16);
    program.findings.at_peak.retained_bytes = 30 << 20;
    program.findings.at_peak.external_bytes = 10 << 20;
    const auto found = program.ask(suggest_glibc_settings);
    CHECK(has_target(found, "arena_max=2"));
    CHECK(found[0].how == "MALLOC_ARENA_MAX=2 ./program");
    CHECK(found[0].expected_bytes == doctest::Approx(40.0 * (1 << 20) * 14 / 16));
    program.findings.threads.resize(2);
    CHECK(!has_target(program.ask(suggest_glibc_settings), "arena_max"));
}

TEST_CASE("large blocks that come and go while the heap keeps much: pin the mmap threshold") {
    Program program;
    Site& site = program.site("load_tile", 100, 5 << 20);
    site.sizes[22] = 100;
    program.findings.at_end.retained_bytes = 40 << 20;
    CHECK(has_target(program.ask(suggest_glibc_settings), "mmap_threshold=131072"));
    program.findings.at_end.retained_bytes = 0;
    CHECK(program.ask(suggest_glibc_settings).empty());
    program.findings.at_end.retained_bytes = 40 << 20;
    site.sizes[22] = 0;
    CHECK(program.ask(suggest_glibc_settings).empty());
}

TEST_CASE("pages that are fetched again and again: keep them") {
    Program program;
    program.findings.totals.minor_faults = 2'000'000;  // the peak has 25 600 pages
    const auto found = program.ask(suggest_glibc_settings);
    CHECK(has_target(found, "top_pad=16M"));
    CHECK(found[0].experiment.gain == study::Gain::time);
    program.findings.totals.minor_faults = 100'000;
    CHECK(program.ask(suggest_glibc_settings).empty());
}

TEST_CASE("long bursts of frees and allocations: a larger thread cache") {
    Program program;
    program.site("burst", 50'000'000, 64);
    CHECK(has_target(program.ask(suggest_glibc_settings), "tcache_count=2000"));
    program.findings.totals.temporary = 45'000'000;
    CHECK(program.ask(suggest_glibc_settings).empty());
}

TEST_CASE("settings are advised only for the allocator in use") {
    Program program;
    program.threads(16);
    program.findings.at_end.retained_bytes = 40 << 20;
    program.findings.at_end.external_bytes = 40 << 20;
    CHECK(program.ask(suggest_other_settings).empty());
    for (const auto& [name, target] :
         {std::pair{"libjemalloc.so.2", "jemalloc:dirty_decay_ms=0"}, std::pair{"libjemalloc.so.2", "jemalloc:narenas=2"},
          std::pair{"libmimalloc.so.2", "mimalloc:purge_delay=0"}, std::pair{"libtcmalloc_minimal.so.4", "tcmalloc:release_rate=10"}}) {
        program.findings.provenance["allocator"] = name;
        CHECK(program.ask(suggest_glibc_settings).empty());
        CHECK(has_target(program.ask(suggest_other_settings), target));
    }
    program.findings.at_end.retained_bytes = 0;
    program.findings.at_end.external_bytes = 0;
    CHECK(program.ask(suggest_other_settings).empty());
}

}  // namespace heapwright::test
