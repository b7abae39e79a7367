// The front of the analysis: a trace goes in, findings come out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/timeline/play.hpp>

namespace heapwright::study {

/// At which moments Findings::bounds are computed, besides those of the peak and the end.
struct BoundsMoments {
    std::size_t evenly = 8;               ///< so many, evenly spaced
    std::vector<std::uint64_t> times_ns;  ///< and these, since the first event
};

struct AnalysisOptions {
    bool symbolize = true;                               ///< false: frames are addresses and modules, and no file but the trace is opened
    bool debuginfod = false;                             ///< debug information may be fetched from $DEBUGINFOD_URLS
    std::size_t key_moments = 24;                        ///< heap maps besides those of the peak and the end, evenly spaced in time
    std::optional<BoundsMoments> bounds = std::nullopt;  ///< costs a walk over all live blocks for each moment
    unsigned depth = 32;                                 ///< frames a site keeps, innermost first
};

/// One pass over a trace.
///
/// Fails:    as Reader::open(), and io_failed when the file cannot be read on. Damage behind the file header is no failure:
///           the findings cover what could be used, and findings.health says how much that was.
/// Cost:     memory for the live blocks (43 to 64 bytes each, and 32 for each one freed since the peak) and the distinct
///           stacks; O(1) an event.
/// Thread safety: any number of calls at once.
[[nodiscard]] Result<Findings> analyse(const std::string& trace_path, const AnalysisOptions& options = {}, const Progress& progress = {});

}  // namespace heapwright::study
