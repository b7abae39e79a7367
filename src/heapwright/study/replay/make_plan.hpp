// From a trace file to a plan file, in one pass.
#pragma once

#include <string>

#include <heapwright/base/error.hpp>
#include <heapwright/study/replay/placement.hpp>
#include <heapwright/study/replay/plan/format.hpp>
#include <heapwright/study/replay/planner.hpp>
#include <heapwright/study/timeline/play.hpp>

namespace heapwright::study {

struct MadePlan {
    plan::PlanHeader header{};
    PlanCounts counts;
    trace::InfoLines info;  ///< of the trace: program, allocator, settings ...
};

/// Writes the plan of `trace_path` to `plan_path`.
///
/// Fails:    what opening a trace fails with; unsupported when the trace was sampled (`number`: the interval in bytes),
///           because the blocks between the samples are not in it; invalid_argument when it holds no event;
///           disk_full or io_failed when the plan cannot be written. An unfinished plan is removed.
[[nodiscard]] Result<MadePlan> make_plan(const std::string& trace_path, const std::string& plan_path, const Placement& placement,
                                         const Progress& progress = {});

}  // namespace heapwright::study
