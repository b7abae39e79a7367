// Memory that the allocator keeps after the program is done with it: give it back.
#include <algorithm>
#include <cstdlib>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

/// What the heap keeps on pages without a live byte, on average from the peak to the end.
double held_after_peak(const Case& program) {
    const Findings& findings = program.findings;
    double held = 0;
    double moments = 0;
    // The recorder's own memory is resident, too, and none of the mappings that the findings count.
    const auto recorder = findings.provenance.find("recorder_resident_bytes");
    const double other = number(findings.at_end.non_heap_bytes != 0 ? findings.at_end.non_heap_bytes : findings.at_peak.non_heap_bytes) +
                         (recorder == findings.provenance.end() ? 0 : std::strtod(recorder->second.c_str(), nullptr));
    for (const Moment& moment : findings.timeline) {
        if (moment.time_ns < findings.totals.peak_time_ns || moment.resident_bytes == 0) {
            continue;
        }
        held += std::max(0.0, number(moment.resident_bytes) - other - number(moment.occupied_page_bytes));
        ++moments;
    }
    return moments == 0 ? 0 : held / moments;
}

std::string code(AllocatorInUse::Family family) {
    switch (family) {
        case AllocatorInUse::Family::mimalloc: return "mi_collect(true);  // <mimalloc.h>; after the work that needed the memory";
        case AllocatorInUse::Family::jemalloc:
            return "mallctl(\"arena.4096.purge\", nullptr, nullptr, nullptr, 0);  // <jemalloc/jemalloc.h>; after the work that needed the "
                   "memory";
        case AllocatorInUse::Family::tcmalloc:
            return "MallocExtension::instance()->ReleaseFreeMemory();  // <gperftools/malloc_extension.h>; after the work that needed the "
                   "memory";
        case AllocatorInUse::Family::tbbmalloc:
            return "scalable_allocation_command(TBBMALLOC_CLEAN_ALL_BUFFERS, nullptr);  // <tbb/scalable_allocator.h>; after the work that "
                   "needed the memory";
        default: return "malloc_trim(0);  // <malloc.h>; after the work that needed the memory: a request, a compaction, a load";
    }
}

}  // namespace

std::vector<Suggestion> suggest_give_back(const Case& program) {
    const Findings& findings = program.findings;
    const double at_end = number(findings.at_end.retained_bytes);
    const double after_peak = held_after_peak(program);
    const double held = std::max(at_end, after_peak);
    const double heap = std::max(program.heap_resident(findings.at_end), program.heap_resident(findings.at_peak));
    if (!program.worth_bytes(held) || held < kHeldForNothing * heap) {
        return {};
    }
    Suggestion suggestion = about_program("give_back", Experiment::Kind::trim, "trim", at_end >= after_peak ? Gain::retained : Gain::mean);
    suggestion.title = "Give free memory back to the system when a phase is over";
    suggestion.evidence = {{"kept on pages without any live byte at the end", at_end, "B"},
                           {"kept from the peak to the end, on average", after_peak, "B"},
                           {"live at the end", number(findings.at_end.live_requested), "B"},
                           {"pinned by few live blocks (cannot go back)", number(findings.at_end.external_bytes), "B"}};
    suggestion.what = "After its peak the program keeps " + bytes_text(held) + " resident on pages that hold nothing. " +
                      program.allocator.name + " gives it back when asked; the " + bytes_text(number(findings.at_end.external_bytes)) +
                      " between live blocks stay.";
    suggestion.how = code(program.allocator.family);
    suggestion.expected_bytes = held;
    suggestion.arithmetic = "resident bytes of heap mappings on pages without any live byte";
    return {suggestion};
}

}  // namespace heapwright::study::advice
