// From a trace file to a plan file, in one pass.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/replay/placement.hpp>
#include <heapwright/study/replay/plan/format.hpp>
#include <heapwright/study/replay/planner.hpp>
#include <heapwright/study/timeline/play.hpp>

namespace heapwright::study {

struct MadePlan {
    plan::PlanHeader header{};
    PlanCounts counts;
    std::vector<RecordedMoment> moments;
    std::uint64_t recorded_peak_rss_bytes = 0;  ///< the kernel's high-water mark, or the highest sample without it; 0: neither
    std::uint64_t recorder_rss_bytes = 0;       ///< of that, the recorder's own
    std::uint64_t recorded_cpu_ns = 0;          ///< of the program, its recording taken off; 0: not known
    trace::InfoLines info;                      ///< of the trace: program, allocator, settings ...
};

/// Writes the plan of `trace_path` to `plan_path`.
///
/// Fails:    what opening a trace fails with; unsupported when the trace was sampled (`number`: the interval in bytes),
///           because the blocks between the samples are not in it; invalid_argument when it holds no event;
///           disk_full or io_failed when the plan cannot be written. Error::detail
///           is the ReplayPlace. An unfinished plan is removed.
[[nodiscard]] Result<MadePlan> make_plan(const std::string& trace_path, const std::string& plan_path, const Placement& placement,
                                         const Progress& progress = {});

}  // namespace heapwright::study
