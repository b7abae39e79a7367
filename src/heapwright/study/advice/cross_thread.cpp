// Blocks that one thread makes and another frees: the dear way through most allocators.
#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

std::vector<Suggestion> suggest_cross_thread(const Case& program) {
    std::vector<Suggestion> suggestions;
    if (program.allocator.family == AllocatorInUse::Family::mimalloc) {
        return suggestions;  // made for it
    }
    for (const Place& place : program.places) {
        const Site& sum = place.sum;
        const double seconds = number(sum.cross_thread_frees) * kRemoteFreeNs / 1e9;
        if (sum.cross_thread_frees < kManyAllocations || share(sum.cross_thread_frees, sum.allocations) < kMostly ||
            !program.worth_seconds(seconds)) {
            continue;
        }
        Suggestion suggestion = about(program, "cross_thread", place, Experiment::Kind::allocator, Gain::time);
        suggestion.experiment.target = "mimalloc";
        suggestion.title = "Let the blocks of " + place.function + " go home: other threads free them";
        suggestion.evidence = {{"freed by another thread", number(sum.cross_thread_frees), "blocks"},
                               {"of its allocations", 100 * share(sum.cross_thread_frees, sum.allocations), "%"},
                               {"threads that allocate here", number(sum.threads), ""}};
        suggestion.what =
            "One thread makes these blocks and another frees them, " + count_text(sum.cross_thread_frees) +
            " times. Hand them back in batches to the thread that made them, or take an allocator whose remote frees are cheap.";
        suggestion.how = "LD_PRELOAD=libmimalloc.so.2 ./program  # or: std::vector<Block*> returned to the producer once it is full";
        suggestion.expected_seconds = seconds;
        suggestion.arithmetic = count_text(sum.cross_thread_frees) + " remote frees x 30 ns";
        suggestions.push_back(std::move(suggestion));
    }
    keep_best(suggestions);
    if (suggestions.size() > 1) {
        suggestions.resize(1);  // one experiment answers for all
    }
    return suggestions;
}

}  // namespace heapwright::study::advice
