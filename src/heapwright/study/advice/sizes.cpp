// Requests a few bytes above a size class, and alignment that is not needed: bytes that nobody uses.
#include <algorithm>
#include <bit>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

/// The largest request that the allocator serves with its next smaller class; 0: there is none, or it is not known.
std::uint64_t next_smaller(const Case& program, std::uint64_t size) {
    switch (program.allocator.family) {
        case AllocatorInUse::Family::glibc: {
            const std::uint64_t taken = program.taken_for(size);
            return taken <= 32 ? 0 : taken - 16 - 8;
        }
        case AllocatorInUse::Family::jemalloc:
        case AllocatorInUse::Family::mimalloc: {
            // Four classes to a doubling above 128 bytes, steps of 16 below.
            const std::uint64_t usable = program.taken_for(size);
            const std::uint64_t step = usable <= 128 ? 16 : std::bit_ceil(usable) / 8;
            return usable > step ? usable - step : 0;
        }
        default: return 0;
    }
}

void suggest_class(const Case& program, const Place& place, std::vector<Suggestion>& suggestions) {
    const Site& sum = place.sum;
    if (!place.one_size() || sum.over_aligned > 0 || sum.max_size == 0 || sum.max_size > (32 << 10)) {
        return;
    }
    const std::uint64_t size = sum.max_size;
    const std::uint64_t smaller = next_smaller(program, size);
    // A program can part with some bytes of a structure by putting its members in order, not with a quarter of it.
    if (smaller == 0 || smaller >= size || size - smaller > std::max<std::uint64_t>(8, size / 16)) {
        return;
    }
    const double each = number(program.taken_for(size)) - number(program.taken_for(smaller));
    const double bytes = each * number(sum.live_at_peak.blocks);
    if (!program.worth_bytes(bytes)) {
        return;
    }
    Suggestion suggestion = about(program, "sizes", place, Experiment::Kind::resize_at_site, Gain::peak);
    suggestion.title =
        "Make the " + std::to_string(size) + "-byte blocks of " + place.function + " " + std::to_string(size - smaller) + " bytes smaller";
    suggestion.evidence = {{"size", number(size), "B"},
                           {"taken for each by " + program.allocator.name, number(program.taken_for(size)), "B"},
                           {"taken for " + std::to_string(smaller) + " bytes", number(program.taken_for(smaller)), "B"},
                           {"live at the peak", number(sum.live_at_peak.blocks), "blocks"}};
    suggestion.what = "The size lies just above a size class of the allocator: " + std::to_string(size - smaller) +
                      " bytes less would cost " + bytes_text(each) +
                      " less each. Put the members in order of alignment, take a narrower type, or leave a flag in spare bits.";
    suggestion.how = "static_assert(sizeof(Block) <= " + std::to_string(smaller) + ");  // the type that " + place.function +
                     " allocates; 'pahole -C Block' shows its holes";
    suggestion.expected_bytes = bytes;
    suggestion.arithmetic = count_text(sum.live_at_peak.blocks) + " live blocks x " + bytes_text(each);
    suggestion.experiment.from_size = size;
    suggestion.experiment.to_size = smaller;
    suggestions.push_back(std::move(suggestion));
}

void suggest_alignment(const Case& program, const Place& place, std::vector<Suggestion>& suggestions) {
    const Site& sum = place.sum;
    if (share(sum.over_aligned, sum.allocations) < kNearlyAll || sum.max_size > 2048) {
        return;
    }
    // Between two aligned blocks there is on average half an alignment that only smaller requests can use. The recording
    // does not say which alignment, but it was more than 16, so 16 bytes a block is the least.
    const double bytes = 16 * number(sum.live_at_peak.blocks);
    const double seconds = number(sum.allocations) * kPairNs / 1e9;
    if (!program.worth_bytes(bytes) && !program.worth_seconds(seconds)) {
        return;
    }
    Suggestion suggestion =
        about(program, "sizes", place, Experiment::Kind::resize_at_site, program.worth_bytes(bytes) ? Gain::peak : Gain::time);
    suggestion.title = "Ask for no more than the usual alignment in " + place.function;
    suggestion.evidence = {{"over-aligned requests", number(sum.over_aligned), ""},
                           {"mean size", number(place.mean_size()), "B"},
                           {"live at the peak", number(sum.live_at_peak.blocks), "blocks"}};
    suggestion.what =
        "Every block asks for more than 16-byte alignment, which costs a longer path in the allocator and gaps between blocks. "
        "If nothing needs it (no SIMD type, no false sharing between threads), ask for ordinary memory.";
    suggestion.how = "void* block = std::malloc(size);  // in " + place.function + ", instead of aligned_alloc or a type with alignas(64)";
    suggestion.expected_bytes = program.worth_bytes(bytes) ? bytes : 0;
    suggestion.expected_seconds = program.worth_seconds(seconds) ? seconds : 0;
    suggestion.arithmetic = "at least 16 bytes a live block, and one ordinary pair of calls for each aligned one";
    suggestion.experiment.usual_alignment = true;
    suggestions.push_back(std::move(suggestion));
}

}  // namespace

std::vector<Suggestion> suggest_sizes(const Case& program) {
    std::vector<Suggestion> suggestions;
    for (const Place& place : program.places) {
        suggest_class(program, place, suggestions);
        suggest_alignment(program, place, suggestions);
    }
    keep_best(suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
