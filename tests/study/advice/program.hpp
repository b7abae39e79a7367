// Invented findings: a program that uses little, to which a test adds the one thing that a rule should see.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include <heapwright/study/advice/advise.hpp>
#include <heapwright/study/advice/rule.hpp>
#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::test {

using study::Findings;
using study::Site;
using study::Suggestion;

/// A program of 10 s wall and 5 s processor time, with 100 MiB resident at its peak, on glibc.
struct Program {
    Program() {
        findings.provenance["allocator"] = "glibc 2.36";
        findings.health.complete = true;
        findings.totals.duration_ns = 10'000'000'000;
        findings.totals.cpu_ns = 5'000'000'000;
        findings.totals.peak_resident = 100 << 20;
        findings.totals.peak_requested = 90 << 20;
        findings.totals.peak_usable = 92 << 20;
        findings.at_peak.resident_bytes = 100 << 20;
        findings.at_peak.non_heap_bytes = 5 << 20;
        findings.at_end.resident_bytes = 100 << 20;
        findings.at_end.non_heap_bytes = 5 << 20;
        main_frame = frame("main", false);
    }

    study::FrameId frame(const std::string& function, bool runtime) {
        study::Frame one;
        one.function = function;
        one.file = runtime ? "" : "/home/user/program/source.cpp";
        one.line = static_cast<std::uint32_t>(10 * findings.frames.size());
        one.module = runtime ? "libstdc++.so.6" : "program";
        one.runtime = runtime;
        findings.frames.push_back(one);
        return static_cast<study::FrameId>(findings.frames.size() - 1);
    }

    /// A site in `function`, called from main; change it as the test needs. `count` blocks of `size` bytes, all freed.
    Site& site(const std::string& function, std::uint64_t count, std::uint64_t size) {
        Site one;
        one.frames = {frame("operator new(unsigned long)", true), frame(function, false), main_frame};
        one.stack = static_cast<trace::StackId>(100 + findings.sites.size());
        one.allocations = one.frees = count;
        one.allocated_bytes = count * size;
        one.allocated_usable_bytes = count * (size + 8);
        one.min_size = one.max_size = size;
        one.first_ns = 1'000'000;
        one.last_ns = 9'000'000'000;
        one.threads = 1;
        one.peak_bytes = size * std::max<std::uint64_t>(1, count / 100);
        one.lifetimes[20] = static_cast<std::uint32_t>(count);
        findings.sites.push_back(one);
        findings.totals.allocations += count;
        findings.totals.frees += count;
        return findings.sites.back();
    }

    void live_at_peak(Site& site, std::uint64_t blocks) {
        site.live_at_peak = {.blocks = blocks, .requested_bytes = blocks * site.max_size, .usable_bytes = blocks * (site.max_size + 8)};
        site.peak_bytes = std::max(site.peak_bytes, site.live_at_peak.requested_bytes);
    }

    void threads(unsigned count) {
        for (unsigned i = 1; i <= count; ++i) {
            study::ThreadRow row;
            row.index = static_cast<trace::ThreadIndex>(i);
            row.allocations = 1000;
            findings.threads.push_back(row);
        }
    }

    [[nodiscard]] std::vector<Suggestion> ask(study::advice::Rule rule) const {
        const study::advice::Case program(findings);
        return rule(program);
    }

    Findings findings;
    study::FrameId main_frame{};
};

}  // namespace heapwright::test
