// Many blocks of one size: a pool serves them faster and without a header or rounding.
#include <algorithm>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

/// A type's size is a multiple of its alignment, so blocks of 40 bytes need no more than 8. A slot is as large as a
/// multiple of its alignment: with malloc's 16 those of 40 bytes would take 48, and nothing would be won.
std::uint32_t pool_alignment(std::uint64_t size) { return size % 16 == 0 ? 16 : 8; }

/// What one block takes in a pool: its size rounded to the alignment, and a byte of the pool's own.
std::uint64_t pool_bytes(std::uint64_t size) {
    const std::uint64_t alignment = pool_alignment(size);
    return (std::max<std::uint64_t>(size, 1) + alignment - 1) / alignment * alignment + 1;
}

std::string code(const Place& place, std::uint64_t size) {
    return "#include <heapwright/pool.hpp>\n"
           "\n"
           "static heapwright::Pool pool{{.size = " +
           std::to_string(size) + ", .alignment = " + std::to_string(pool_alignment(size)) +
           "}, heapwright::os::kPages};  // one thread; SharedPool for several\n"
           "void* block = pool.allocate();   // instead of the allocation in " +
           place.function +
           "\n"
           "pool.deallocate(block);          // where it is freed\n"
           "// or with the standard library: std::pmr::unsynchronized_pool_resource behind the container";
}

}  // namespace

std::vector<Suggestion> suggest_pool(const Case& program) {
    std::vector<Suggestion> suggestions;
    for (const Place& place : program.places) {
        const Site& sum = place.sum;
        const bool nearly_one_size = sum.max_size <= sum.min_size + 16;
        if (sum.allocations < kManyAllocations || !nearly_one_size || sum.max_size > kPoolLargest || sum.max_size == 0 ||
            sum.reallocs > 0 || sum.over_aligned > 0) {
            continue;
        }
        const double saved_each = number(program.taken_for(place.mean_size())) - number(pool_bytes(sum.max_size));
        const double bytes = std::max(0.0, saved_each) * number(sum.live_at_peak.blocks);
        const double seconds = number(sum.frees) * (kPairNs - kPoolPairNs) / 1e9;
        const bool memory = program.worth_bytes(bytes);
        if (!memory && !program.worth_seconds(seconds)) {
            continue;
        }
        Suggestion suggestion = about(program, "pool", place, Experiment::Kind::pool_at_site, memory ? Gain::peak : Gain::time);
        suggestion.title = "Serve the " + std::to_string(sum.max_size) + "-byte blocks of " + place.function + " from a pool";
        suggestion.evidence = {{"allocations", number(sum.allocations), ""},
                               {"size", number(sum.max_size), "B"},
                               {"live at the peak", number(sum.live_at_peak.blocks), "blocks"},
                               {"taken for each by " + program.allocator.name, number(program.taken_for(sum.max_size)), "B"},
                               {"threads", number(sum.threads), ""}};
        suggestion.what = "All blocks of this place have " + std::string(place.one_size() ? "the same size" : "nearly the same size") +
                          ". A pool of that size needs no header and no search, and keeps them together.";
        suggestion.how = code(place, sum.max_size);
        suggestion.expected_bytes = memory ? bytes : 0;
        suggestion.expected_seconds = seconds;
        suggestion.arithmetic = count_text(sum.live_at_peak.blocks) + " live blocks x (" +
                                std::to_string(program.taken_for(place.mean_size())) + " - " + std::to_string(pool_bytes(sum.max_size)) +
                                ") bytes; " + count_text(sum.frees) + " pairs x (15 - 5) ns";
        suggestion.experiment.pool_block_bytes = static_cast<std::uint32_t>(sum.max_size);
        suggestion.experiment.pool_alignment = pool_alignment(sum.max_size);
        suggestions.push_back(std::move(suggestion));
    }
    keep_best(suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
