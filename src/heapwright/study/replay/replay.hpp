// Replays a recording through several allocators, settings and experiments, each run in a fresh process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/replay/comparison.hpp>
#include <heapwright/study/replay/replay_place.hpp>
#include <heapwright/study/replay/trial.hpp>
#include <heapwright/study/timeline/play.hpp>

namespace heapwright::study {

struct ReplayOptions {
    unsigned runs = 3;                ///< of each trial, taken in turns; at least 3 for a difference to count as real
    std::size_t baseline = 0;         ///< index into the specs
    double pace = 0;                  ///< 0: as fast as it goes; 1: as long as it was recorded, for what works by the clock
    double limit_s = 600;             ///< of one run
    bool count_system_calls = false;  ///< one more run of each trial, traced
    std::string worker;               ///< empty: found beside this program
    std::string folder;               ///< for plans and results; empty: TMPDIR or /tmp
};

/// Trials that cannot run, crash or hang are reported in their summary; the others go on.
///
/// Fails:    as make_plan(); not_found with ReplayPlace::worker when there is no worker, child_failed when it cannot measure
///           its own floor; with ReplayPlace::folder whatever making a folder for the plans fails with.
/// Cost:     a plan of 8 to 30 bytes an event on disk for each different placement, removed at the end.
[[nodiscard]] Result<Comparison> replay(const std::string& trace_path, const std::vector<TrialSpec>& specs,
                                        const ReplayOptions& options = {}, const Progress& progress = {});

}  // namespace heapwright::study
