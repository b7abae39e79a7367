// What was resident at the peak and at the end, from samples and memory maps.
#include <doctest/doctest.h>

#include <heapwright/study/analysis/analyse.hpp>

#include <tests/study/analysis/small_traces.hpp>

namespace heapwright::test {

using study::Findings;

TEST_CASE("residency comes from samples and maps") {
    TraceBuilder builder;
    const std::uint64_t heap = 0x100000;
    builder.samples({sample(100, 0, 50), sample(1100, 20'000, 40)});
    builder.allocate(1, 100, heap, 100).allocate(1, 200, heap + 0x8000, 100).allocate(1, 300, 0x900000, 64);
    builder.mappings(400, {line(0x1000, 0x4000, 0x3000, "/bin/x"), line(heap, 0x10000, 0x6000), line(0x900000, 0x1000, 0x1000, "")});
    builder.release(1, 1000, heap).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.at_peak.resident_bytes == 50 * 4096);
    CHECK(findings.at_end.resident_bytes == 40 * 4096);
    CHECK(findings.at_peak.non_heap_bytes == 0x3000);
    CHECK(findings.at_peak.retained_bytes == 0x4000);          // 6 pages resident, 2 occupied
    CHECK(findings.at_peak.largest_free_run == 0x8000 - 100);  // the gap to 0x900000 is not one
    CHECK(findings.totals.peak_resident == 50 * 4096);
    CHECK(findings.totals.minor_faults == 3);
    CHECK(findings.totals.cpu_ns == 99);
    CHECK(findings.timeline.front().resident_bytes == 50 * 4096);
    CHECK(findings.timeline.front().file_bytes == 7 * 4096);
    CHECK(findings.timeline.back().resident_bytes == 40 * 4096);  // the last sample came after the last event
}

TEST_CASE("the peak lies between two samples, and what was resident there is the higher of them") {
    TraceBuilder builder;
    builder.samples({sample(100, 0, 50), sample(800, 20'000, 60), sample(1100, 30'000, 10)});
    builder.allocate(1, 200, 0x100000, 100).allocate(1, 1000, 0x108000, 100).release(1, 1050, 0x100000).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.at_peak.resident_bytes == 60 * 4096);  // the sample at 1100 is nearer, and says what was left
    CHECK(findings.at_end.resident_bytes == 10 * 4096);
}

TEST_CASE("files that come after the last map are not what the allocator keeps") {
    TraceBuilder builder;
    const std::uint64_t heap = 0x100000;
    builder.samples({sample(100, 0, 20), sample(1100, 20'000, 700)});  // libraries of 2.7 MiB were loaded meanwhile
    builder.allocate(1, 100, heap, 100).allocate(1, 200, heap + 0x8000, 100);
    builder.mappings(400, {line(0x1000, 0x4000, 0x3000, "/bin/x"), line(heap, 0x10000, 0x2000)});
    builder.release(1, 1000, heap).end();
    const Findings findings = findings_of(builder);
    CHECK(findings.at_end.resident_bytes == 700 * 4096);
    CHECK(findings.at_end.retained_bytes < 3 * 4096);  // two pages ever held a block
}

}  // namespace heapwright::test
