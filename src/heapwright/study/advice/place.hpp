// The places in the program that allocate: all call stacks with the same innermost line of the user's own, together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study::advice {

/// Sites whose innermost function outside the run time is the same. `sum` adds their counters up: sizes, lifetimes and
/// extremes are those of all; `sum.peak_bytes` is an upper bound, `sum.drains` that of the busiest site.
struct Place {
    FrameId frame{};
    std::vector<SiteId> sites;  ///< by allocations, the busiest first
    std::string function;       ///< as called() names it
    std::string where;          ///< "function (file:line)"
    Site sum;

    [[nodiscard]] SiteId main_site() const { return sites.front(); }
    [[nodiscard]] std::uint64_t mean_size() const { return sum.allocations == 0 ? 0 : sum.allocated_bytes / sum.allocations; }
    [[nodiscard]] bool one_size() const { return sum.min_size == sum.max_size; }
};

/// The counters of these sites added up, as in Place::sum.
[[nodiscard]] Site sum_of(const Findings& findings, const std::vector<SiteId>& sites);

/// By allocations, the busiest first. Sites without a stack belong to no place.
[[nodiscard]] std::vector<Place> places_of(const Findings& findings);

/// The innermost frame that is no runtime function; the innermost of all when every one is; nullptr without a stack.
[[nodiscard]] const Frame* user_frame(const Findings& findings, const Site& site);

/// A function without return type, parameters and, when it is long, template arguments.
[[nodiscard]] std::string short_function(const std::string& function);
/// How a sentence calls the frame's function: its short name; "0xa74a0 in libsqlite3.so.0" where it has none.
[[nodiscard]] std::string called(const Frame& frame);
[[nodiscard]] std::string where_of(const Frame& frame);

}  // namespace heapwright::study::advice
