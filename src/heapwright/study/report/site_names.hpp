// How a call stack is called in one line: by the first function that is the user's own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// Position in site.frames of the innermost frame that is no runtime function. When all are, the innermost; site.frames.size()
/// when no stack was taken.
[[nodiscard]] std::size_t user_frame(const Findings& findings, const Site& site);

/// A demangled function without return type and parameters: "Table<int>::insert".
[[nodiscard]] std::string short_function(std::string_view function);

/// "server.cpp:120" with debug information, else "libsqlite3.so.0" or "libsqlite3.so.0+0x1c" (bytes into the function).
[[nodiscard]] std::string place_of(const Frame& frame);

/// "Table<int>::insert at server.cpp:120"; "(no stack)" when none was taken.
[[nodiscard]] std::string label_of(const Findings& findings, const Site& site);

/// The functions from the user's frame outwards, runtime ones left out: "insert < execute < main", at most `functions` of them.
[[nodiscard]] std::string chain_of(const Findings& findings, const Site& site, std::size_t functions);

/// All sites whose user frame is the same line (or, without lines, the same function).
struct SiteGroup {
    std::string function;  ///< short
    std::string place;
    std::vector<SiteId> sites;
    Amount live_at_peak;
    Amount leaked;
    std::uint64_t allocations = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t temporary = 0;
    std::uint64_t pinned_bytes_at_peak = 0;
    std::uint64_t pinned_free_bytes_at_peak = 0;
    std::uint64_t pinned_bytes_at_end = 0;
    std::uint64_t pinned_free_bytes_at_end = 0;
};

/// Every site in its group; groups in the order of their first site.
/// Cost: O(sites + frames).
[[nodiscard]] std::vector<SiteGroup> group_by_user_frame(const Findings& findings);

}  // namespace heapwright::study
