// Blocks that are made all through the run and never freed.
#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

std::vector<Suggestion> suggest_leak(const Case& program) {
    std::vector<Suggestion> suggestions;
    const bool ended = program.findings.health.complete;
    for (const Place& place : program.places) {
        const Site& sum = place.sum;
        const double bytes = number(sum.leaked.usable_bytes != 0 ? sum.leaked.usable_bytes : sum.leaked.requested_bytes);
        const double spread = share(sum.last_ns - sum.first_ns, program.findings.totals.duration_ns);
        // What is built at the start and held to the end is a table, not a leak. Of a program that was cut off everything
        // is still held, so there only what is hardly ever freed counts.
        const double least_share = ended ? kLeakedShare : kMostly;
        if (sum.leaked.blocks < 100 || spread < kLeakSpread || share(sum.leaked.blocks, sum.allocations) < least_share ||
            !program.worth_bytes(bytes)) {
            continue;
        }
        Suggestion suggestion = about(program, "leak", place, Experiment::Kind::remove_at_site, Gain::peak);
        suggestion.title = (ended ? "Free what " : "Look at what keeps growing: ") + place.function +
                           (ended ? " allocates: it leaks" : " allocates and hardly frees");
        suggestion.evidence = {{"never freed", number(sum.leaked.blocks), "blocks"},
                               {"in bytes", bytes, "B"},
                               {"of its allocations", 100 * share(sum.leaked.blocks, sum.allocations), "%"},
                               {"first to last, of the run", 100 * spread, "%"}};
        const double seconds = number(sum.last_ns - sum.first_ns) / 1e9;
        if (seconds > 0) {
            suggestion.evidence.push_back({"growth", bytes / seconds, "B/s"});
        }
        suggestion.what = "Blocks of this place are made all through the run and " + count_text(sum.leaked.blocks) + " of " +
                          count_text(sum.allocations) + " are never freed, " + bytes_text(bytes) +
                          " in all. If they pile up in a container, bound it; if nobody holds them, give them an owner.";
        suggestion.how = "std::unique_ptr<Block> owned{...};  // in " + place.function + ", or a limit on the cache that holds them";
        suggestion.expected_bytes = bytes;
        suggestion.arithmetic = "usable bytes of the blocks that were never freed";
        suggestions.push_back(std::move(suggestion));
    }
    keep_best(suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
