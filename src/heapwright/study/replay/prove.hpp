// Runs the experiments of suggestions and writes their verdicts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/replay/replay.hpp>

namespace heapwright::study {

/// The trial of an experiment on a program that uses `own` (a replay spec): its own allocator with the placement, or
/// another allocator or setting; a plan is tried on its target. The label is the experiment's id for placements, else its target.
[[nodiscard]] TrialSpec trial_of(const Experiment& experiment, const std::string& own);

/// A suggestion is refuted when it really costs more than this share in the other dimension (time for memory, memory for
/// time), or a larger share there than it saves. Shares are of the whole program: of the processor time that it took in
/// the recording, and of the most that it had resident.
inline constexpr double kTolerableCost = 0.10;
/// A smaller share saved is nobody's concern, however steady it is.
inline constexpr double kLeastGain = 0.005;

/// Replays the recording as it was and under every experiment, and fills in verdict, proof and measured figures.
///
/// A plan is judged against its target without the plan, everything else against the program's own allocator.
/// `provenance` is that of the findings: it says which allocator is the program's own. Suggestions without an experiment,
/// or whose trial cannot run, stay not_tried and say why.
///
/// Returns:  the comparison behind the verdicts; trial 0 is the program as it was. Empty when there was nothing to try.
/// Fails:    as replay(). The suggestions are unchanged then.
[[nodiscard]] Result<Comparison> prove(const std::string& trace_path, const std::map<std::string, std::string>& provenance,
                                       std::vector<Suggestion>& suggestions, const ReplayOptions& options = {},
                                       const Progress& progress = {});

/// The verdict alone, from a comparison that holds the trial. Open for tests.
void judge(Suggestion& suggestion, const Comparison& comparison, std::size_t trial);

}  // namespace heapwright::study
