// Small traces made by hand: what is found in one, a line of a memory map, a sample.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include <heapwright/study/analysis/analyse.hpp>

#include <tests/trace/read/trace_builder.hpp>

namespace heapwright::test {

inline study::Findings findings_of(TraceBuilder& builder, study::AnalysisOptions options = {.symbolize = false}) {
    auto findings = study::analyse(builder.write("hand"), options);
    REQUIRE(findings.has_value());
    return *std::move(findings);
}

inline trace::MapLine line(std::uint64_t begin, std::uint64_t bytes, std::uint64_t resident, std::string name = "[heap]") {
    return {.where = {.begin = begin, .bytes = bytes, .resident_bytes = resident, .anonymous_bytes = resident, .permissions = 3},
            .name = std::move(name)};
}

inline trace::Sample sample(trace::Tick tick, std::uint64_t ns, std::uint64_t pages) {
    return {.tick = tick, .monotonic_ns = ns, .resident_pages = pages, .file_pages = 7, .minor_faults = 3, .major_faults = 1, .cpu_ns = 99};
}

}  // namespace heapwright::test
