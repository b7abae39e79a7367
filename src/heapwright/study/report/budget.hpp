// Limits for continuous integration: `--fail-on peak>200MiB,leak>0` parsed and judged.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// What a limit can be set on.
enum class Quantity : std::uint8_t {
    peak,             ///< bytes: highest requested
    usable,           ///< bytes: highest usable
    rss,              ///< bytes: highest resident
    leak,             ///< bytes never freed
    leaked_blocks,    ///< blocks never freed
    allocations,      ///< blocks ever
    allocated,        ///< bytes ever
    temporary,        ///< blocks freed before the same thread's next allocation
    temporary_share,  ///< their share of all allocations
    fragmentation,    ///< share at the peak: free bytes on pages in use
    internal,         ///< share at the peak: usable minus requested
    retained,         ///< bytes at the end: resident pages of the heap without any live block
    pinned,           ///< bytes at the end: free bytes on pages in use
    reallocs,         ///< resizes
    faults,           ///< page faults, minor and major
    mismatched,       ///< blocks freed by the wrong function
    failed,           ///< requests that the allocator refused
    cpu,              ///< ns of CPU time
    duration,         ///< ns
};
inline constexpr std::size_t kQuantityCount = 19;

enum class Unit : std::uint8_t { bytes, count, share, ns };

enum class Relation : std::uint8_t { greater, greater_equal, less, less_equal, equal, not_equal };

/// One limit: a report fails when the relation holds.
struct Limit {
    Quantity quantity = Quantity::peak;
    Relation relation = Relation::greater;
    double value = 0;
    std::string text;  ///< as the user wrote it
};

/// A limit that does not hold.
struct Excess {
    Limit limit;
    double measured = 0;
    std::string sentence;  ///< "peak is 212.4 MiB (222,717,542 bytes), which 'peak>200MiB' does not allow"
};

[[nodiscard]] std::string_view name_of(Quantity quantity);
[[nodiscard]] Unit unit_of(Quantity quantity);

/// Parses limits separated by commas; an empty text is no limit at all. A limit is NAME OPERATOR NUMBER[UNIT]: operators > >= < <= == = !=; units B, K, KB, KiB, M ...
/// (powers of 1024 in each spelling, as everywhere in heapwright) for bytes, k M G (thousands) for counts, % for shares, ns us ms s min
/// for times. A share without % is a number in [0, 1].
///
/// Fails:    with a sentence for the user: what is wrong, and the nearest known name.
[[nodiscard]] std::expected<std::vector<Limit>, std::string> parse_limits(std::string_view text);

[[nodiscard]] double measure(const Findings& findings, Quantity quantity);

/// The limits that the findings run into, in their order. Empty: all is well.
[[nodiscard]] std::vector<Excess> exceeded(const Findings& findings, const std::vector<Limit>& limits);

}  // namespace heapwright::study
