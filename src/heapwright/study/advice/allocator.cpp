// Another allocator: where fragmentation or the allocator's own time is large, the replay says which one helps.
#include <algorithm>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

Suggestion change_to(const std::string& target, Gain gain) {
    Suggestion suggestion = about_program("allocator", Experiment::Kind::allocator, target, gain);
    const std::string family = target.substr(0, target.find(':'));
    suggestion.title = "Run under " + family + (gain == Gain::time ? ": it allocates faster" : ": it may waste less");
    const std::string file = family == "jemalloc"   ? "libjemalloc.so.2"
                             : family == "tcmalloc" ? "libtcmalloc_minimal.so.4"
                                                    : "libmimalloc.so.2";
    suggestion.how = (target.find("purge_delay=0") != std::string::npos ? "MIMALLOC_PURGE_DELAY=0 " : "") + std::string("LD_PRELOAD=") +
                     file + " ./program";
    return suggestion;
}

}  // namespace

std::vector<Suggestion> suggest_allocator(const Case& program) {
    using Family = AllocatorInUse::Family;
    const Findings& findings = program.findings;
    std::vector<Suggestion> suggestions;
    // The worse of the two moments: gaps of one and empty pages of the other were never there together.
    const bool is_peak_worse = wasted_at(findings.at_peak) >= wasted_at(findings.at_end);
    const Fragmentation& moment = is_peak_worse ? findings.at_peak : findings.at_end;
    const double external = number(moment.external_bytes);
    const double kept = number(moment.retained_bytes);
    const double heap = program.heap_resident(moment);
    const double wasted = wasted_at(moment);
    if (program.worth_bytes(wasted) && wasted > kHeldForNothing * heap) {
        for (const auto& [family, target] :
             {std::pair{Family::jemalloc, "jemalloc"}, std::pair{Family::mimalloc, "mimalloc:purge_delay=0"}}) {
            if (program.allocator.family == family) {
                continue;
            }
            Suggestion suggestion = change_to(target, Gain::mean);
            suggestion.evidence = {{"free bytes between live blocks", external, "B"},
                                   {"kept on pages without any live byte", kept, "B"},
                                   {"resident in the heap", heap, "B"}};
            suggestion.what =
                bytes_text(wasted) + " of the heap's " + bytes_text(heap) + (is_peak_worse ? " at the peak" : " at the end") +
                " hold nothing. Another allocator places blocks otherwise; whether that helps this program only the replay can say.";
            suggestion.expected_bytes = wasted / 2;
            suggestion.arithmetic = "at best half of what holds nothing now: every allocator keeps something";
            suggestions.push_back(std::move(suggestion));
        }
    }
    const double pairs = number(findings.totals.allocations);
    const double seconds = pairs * (kPairNs - kGoodPairNs) / 1e9;
    if (program.worth_seconds(seconds) && program.allocator.family != Family::mimalloc && program.allocator.family != Family::tcmalloc) {
        Suggestion suggestion = change_to("mimalloc", Gain::time);
        suggestion.evidence = {{"allocations", pairs, ""}, {"processor time of the program", number(findings.totals.cpu_ns), "ns"}};
        suggestion.what = "The program makes " + count_text(findings.totals.allocations) +
                          " allocations. A faster allocator saves some nanoseconds on each.";
        suggestion.expected_seconds = seconds;
        suggestion.arithmetic = count_text(findings.totals.allocations) + " pairs x (15 - 8) ns";
        suggestions.push_back(std::move(suggestion));
    }
    return suggestions;
}

}  // namespace heapwright::study::advice
