// Blocks that grow step by step, by realloc or as std::vector does it: reserve() makes them once.
#include <array>
#include <string_view>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

/// Functions of the standard library in which a container grows.
constexpr std::array<std::string_view, 8> kGrowing = {"_M_realloc_insert",
                                                      "_M_realloc_append",
                                                      "_M_default_append",
                                                      "_M_range_insert",
                                                      "_M_fill_insert",
                                                      "_M_mutate",
                                                      "basic_string<char>::_M_append",
                                                      "_M_replace"};

/// A container grows above the user's frame of at least the busiest site.
bool grows_in_library(const Case& program, const Place& place) {
    const Site& site = program.findings.sites[static_cast<std::size_t>(place.main_site())];
    for (const FrameId id : site.frames) {
        const Frame& frame = program.findings.frames[static_cast<std::size_t>(id)];
        for (const std::string_view name : kGrowing) {
            if (frame.function.find(name) != std::string::npos) {
                return true;
            }
        }
        if (id == place.frame) {
            return false;
        }
    }
    return false;
}

}  // namespace

std::vector<Suggestion> suggest_reserve(const Case& program) {
    std::vector<Suggestion> suggestions;
    for (const Place& place : program.places) {
        const Site& sum = place.sum;
        const bool by_realloc = sum.realloc_chains >= 100 || sum.realloc_chain_max >= 16;
        const bool by_library = !by_realloc && sum.allocations >= 1000 && grows_in_library(program, place);
        if (!by_realloc && !by_library) {
            continue;
        }
        const double steps = by_realloc ? number(sum.reallocs) : number(sum.allocations);
        // With doubling, half of what is allocated is copied once; realloc says what it really copied.
        const double copied = by_realloc ? number(sum.realloc_copied_bytes) : number(sum.allocated_bytes) / 2;
        const double seconds = (steps * kPairNs + copied * kCopyByteNs) / 1e9;
        // While it grows, a block of n bytes stands beside one of 2 n.
        const double bytes = sum.max_size >= (1 << 20) ? number(sum.max_size) / 3 : 0;
        const bool memory = program.worth_bytes(bytes) && sum.realloc_copied_bytes + (by_library ? 1 : 0) > 0;
        if (!memory && !program.worth_seconds(seconds)) {
            continue;
        }
        Suggestion suggestion = about(program, "reserve", place, Experiment::Kind::reserve_at_site, memory ? Gain::peak : Gain::time);
        suggestion.title = "Reserve room in " + place.function + " before it grows";
        suggestion.evidence = {{by_realloc ? "resizes" : "allocations of a growing container", steps, ""},
                               {by_realloc ? "bytes copied by them" : "bytes copied, at a guess", copied, "B"},
                               {"largest", number(sum.max_size), "B"}};
        if (by_realloc) {
            suggestion.evidence.push_back({"most resizes of one block", number(sum.realloc_chain_max), ""});
        }
        suggestion.what =
            "The blocks of this place grow step by step, and with most steps they are copied. Where the final size is known or can be "
            "guessed "
            "(the largest here was " +
            bytes_text(number(sum.max_size)) + "), ask for it at once.";
        suggestion.how = by_realloc ? "buffer = malloc(expected_size);  // in " + place.function +
                                          "; grow by half or double what is there when that was not enough"
                                    : "container.reserve(expected_count);  // in " + place.function + ", before the loop that fills it";
        suggestion.expected_bytes = memory ? bytes : 0;
        suggestion.expected_seconds = seconds;
        suggestion.arithmetic = count_text(static_cast<std::uint64_t>(steps)) + " steps x 15 ns + " + bytes_text(copied) +
                                " x 0.1 ns a byte; the replay reserves exactly the final size";
        suggestions.push_back(std::move(suggestion));
    }
    keep_best(suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
