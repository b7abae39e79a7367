// What the figures of a whole trace say: the facts of the first screen, and a verdict on fragmentation in sentences.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/site_names.hpp>

namespace heapwright::study {

/// A figure with its unit, under a name that is the same in every report.
struct Fact {
    std::string name;
    std::string value;
};

/// Peak, gaps, leaks, totals: in the order in which a reader wants them.
[[nodiscard]] std::vector<Fact> facts_of(const Findings& findings);

/// What resident memory at one moment is made of. The parts add up to `resident` unless nothing was sampled.
struct Composition {
    std::uint64_t requested = 0;  ///< bytes that the program asked for and holds
    std::uint64_t internal = 0;   ///< rounding up: usable minus requested
    std::uint64_t external = 0;   ///< free bytes on pages that also hold live bytes
    std::uint64_t retained = 0;   ///< resident heap pages without any live byte: the allocator keeps them
    std::uint64_t other = 0;      ///< not heap: program files, stacks, mappings of the program's own
    std::uint64_t untouched = 0;  ///< live or free bytes above that were never touched, and so are not resident
    std::uint64_t resident = 0;   ///< RSS; 0 when nothing was sampled

    /// Bytes that are resident for nothing: rounding, gaps and retention.
    [[nodiscard]] std::uint64_t overhead() const { return internal + external + retained; }
    /// overhead as a share of overhead and requested, in [0, 1].
    [[nodiscard]] double overhead_share() const;
};
[[nodiscard]] Composition composition_of(const Fragmentation& moment);

enum class Grade : std::uint8_t {
    low,       ///< less than 15 % overhead: nothing to gain
    moderate,  ///< less than 35 %
    high,
};

struct MemoryVerdict {
    Grade grade = Grade::low;
    std::string headline;                ///< one sentence, without its full stop
    std::vector<std::string> sentences;  ///< what makes up the overhead, largest first, and what stays at the end
};
[[nodiscard]] MemoryVerdict verdict_of(const Findings& findings);

/// The groups that lead by `value`, highest first, at most `rows`, those with nothing left out.
template <class Value>
[[nodiscard]] std::vector<SiteGroup> leading(std::vector<SiteGroup> groups, Value value, std::size_t rows) {
    std::erase_if(groups, [&](const SiteGroup& group) { return value(group) == 0; });
    std::stable_sort(groups.begin(), groups.end(), [&](const SiteGroup& a, const SiteGroup& b) { return value(a) > value(b); });
    groups.resize(std::min(groups.size(), rows));
    return groups;
}

[[nodiscard]] inline std::uint64_t peak_bytes(const SiteGroup& group) { return group.live_at_peak.requested_bytes; }
[[nodiscard]] inline std::uint64_t leaked_bytes(const SiteGroup& group) { return group.leaked.requested_bytes; }
[[nodiscard]] inline std::uint64_t temporary_blocks(const SiteGroup& group) { return group.temporary; }
[[nodiscard]] inline std::uint64_t pinned_free_at_peak(const SiteGroup& group) { return group.pinned_free_bytes_at_peak; }
[[nodiscard]] inline std::uint64_t pinned_free_at_end(const SiteGroup& group) { return group.pinned_free_bytes_at_end; }

}  // namespace heapwright::study
