// Small blocks that never outlive the function that made them: they could have lived in its frame.
#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

std::vector<Suggestion> suggest_stack(const Case& program) {
    std::vector<Suggestion> suggestions;
    for (const Place& place : program.places) {
        const Site& sum = place.sum;
        if (sum.allocations < kManyAllocations || sum.max_size > kStackLargest || share(sum.same_frame, sum.allocations) < kNearlyAll ||
            sum.cross_thread_frees > 0 || sum.reallocs > 0) {
            continue;
        }
        const double seconds = number(sum.same_frame) * kPairNs / 1e9;
        if (!program.worth_seconds(seconds)) {
            continue;
        }
        const std::string size = std::to_string(sum.max_size);
        Suggestion suggestion = about(program, "stack", place, Experiment::Kind::stack_at_site, Gain::time);
        suggestion.title = "Keep the temporary of " + place.function + " on the stack";
        suggestion.evidence = {{"allocations", number(sum.allocations), ""},
                               {"freed before the function returned", 100 * share(sum.same_frame, sum.allocations), "%"},
                               {"largest", number(sum.max_size), "B"},
                               {"mean lifetime", number(sum.lifetime_ns_total) / number(sum.frees == 0 ? 1 : sum.frees), "ns"}};
        suggestion.what = "These blocks are at most " + size +
                          " bytes and are freed before the function that asks for them comes back. "
                          "A buffer in its frame costs nothing.";
        suggestion.how = "std::array<std::byte, " + size + "> room;                                   // in " + place.function +
                         "\n"
                         "std::pmr::monotonic_buffer_resource local{room.data(), room.size()};  // falls back to the heap when it is full\n"
                         "std::pmr::string text{&local};                                         // or vector, or whatever is made there";
        suggestion.expected_seconds = seconds;
        suggestion.arithmetic = count_text(sum.same_frame) + " pairs x 15 ns";
        suggestions.push_back(std::move(suggestion));
    }
    keep_best(suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
