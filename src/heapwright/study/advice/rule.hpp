// What rules share: when something is worth saying, how a suggestion begins, and words for numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/study/advice/allocator_in_use.hpp>
#include <heapwright/study/advice/place.hpp>
#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/advice/thresholds.hpp>
#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study::advice {

/// What every rule reads.
struct Case {
    explicit Case(const Findings& all) : findings(all), places(places_of(all)), allocator(allocator_in_use(all.provenance)) {}

    const Findings& findings;
    std::vector<Place> places;
    AllocatorInUse allocator;

    /// Whether a gain of this size is worth a change to this program.
    [[nodiscard]] bool worth_bytes(double bytes) const;
    [[nodiscard]] bool worth_seconds(double seconds) const;
    /// What the allocator takes for a request of this size, header included.
    [[nodiscard]] std::uint64_t taken_for(std::uint64_t size) const;
    /// Resident bytes of the heap at the moment `when`.
    [[nodiscard]] double heap_resident(const Fragmentation& when) const;
};

using Rule = std::vector<Suggestion> (*)(const Case&);

std::vector<Suggestion> suggest_pool(const Case& program);
std::vector<Suggestion> suggest_arena(const Case& program);
std::vector<Suggestion> suggest_stack(const Case& program);
std::vector<Suggestion> suggest_sizes(const Case& program);
std::vector<Suggestion> suggest_reserve(const Case& program);
std::vector<Suggestion> suggest_leak(const Case& program);
std::vector<Suggestion> suggest_give_back(const Case& program);
std::vector<Suggestion> suggest_cross_thread(const Case& program);
std::vector<Suggestion> suggest_allocator(const Case& program);
std::vector<Suggestion> suggest_glibc_settings(const Case& program);
std::vector<Suggestion> suggest_other_settings(const Case& program);
std::vector<Suggestion> suggest_plan(const Case& program);

/// A suggestion about this place, with its sites in the experiment.
[[nodiscard]] Suggestion about(const Case& program, const char* rule, const Place& place, Experiment::Kind kind, Gain gain);
/// A suggestion about the whole program, tried by replaying `target`.
[[nodiscard]] Suggestion about_program(const char* rule, Experiment::Kind kind, const std::string& target, Gain gain);

/// Keeps the kMostOfOneRule with the largest expectation.
void keep_best(std::vector<Suggestion>& suggestions);

[[nodiscard]] inline double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}
[[nodiscard]] inline double number(std::uint64_t value) { return static_cast<double>(value); }
/// Bytes of the heap that hold nothing: gaps between live blocks, and pages without any.
[[nodiscard]] inline double wasted_at(const Fragmentation& moment) { return number(moment.external_bytes + moment.retained_bytes); }

[[nodiscard]] std::string bytes_text(double bytes);         ///< "1.4 MiB"
[[nodiscard]] std::string count_text(std::uint64_t count);  ///< "1 204 332" as "1,204,332"
[[nodiscard]] std::string seconds_text(double seconds);     ///< "12.3 ms"

}  // namespace heapwright::study::advice
