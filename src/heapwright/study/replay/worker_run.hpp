// Starts one replay worker, waits for it, and turns what it wrote into a TrialRun.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/replay/trial.hpp>

namespace heapwright::study {

/// Resident memory of the heap at one place of the recording.
struct CurvePoint {
    double progress = 0;  ///< share of the events replayed, in [0, 1]
    std::uint64_t wall_ns = 0;
    std::uint64_t resident_bytes = 0;
};

/// One run of one trial. Bytes are resident memory of the heap alone: what the allocator and its blocks take, the
/// worker's own memory and everything that a process has without a heap taken off.
struct TrialRun {
    std::uint64_t wall_ns = 0;
    std::uint64_t cpu_ns = 0;           ///< of all replaying threads
    std::uint64_t allocator_ns = 0;     ///< of that, inside the allocator; an estimate from every 61st call
    std::uint64_t slowest_call_ns = 0;  ///< among the calls timed for it
    std::uint64_t calls = 0;
    std::uint64_t peak_rss_bytes = 0;
    std::uint64_t mean_rss_bytes = 0;  ///< over the events
    std::uint64_t end_rss_bytes = 0;   ///< after the last event
    std::uint64_t retained_bytes = 0;  ///< a moment later: what the program still held and what the allocator keeps
    std::uint64_t floor_bytes = 0;     ///< after everything was freed: what the allocator keeps of an empty heap
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
    std::uint64_t system_calls = 0;       ///< in a run of their own, see ReplayOptions::count_system_calls; 0: not counted
    std::uint64_t refused = 0;            ///< requests that came back empty
    std::uint64_t damaged = 0;            ///< blocks that another one overwrote while both lived
    std::uint64_t placed_peak_bytes = 0;  ///< held by the arenas or pools of the experiment
    bool trim_works = false;
    std::string allocator_file;  ///< whose malloc was called
    std::vector<CurvePoint> curve;
    bool crashed = false;
    std::string failure;  ///< a sentence; empty: the run is good
};

struct WorkerOrder {
    std::string worker;  ///< path of heapwright-replay-worker
    std::string plan;
    std::string result;  ///< a file the worker may write
    double pace = 0;
    double limit_s = 600;           ///< killed after that
    std::uint64_t floor_bytes = 0;  ///< what a worker without any preload measures of itself
    bool count_system_calls = false;
};

/// Never fails as a call: what went wrong stands in TrialRun::failure.
[[nodiscard]] TrialRun run_worker(const TrialSpec& spec, const WorkerOrder& order);

/// What a worker's memory is without a heap: stack, data of libc and of the worker.
///
/// Fails:    child_failed, not_found when the worker is missing.
[[nodiscard]] Result<std::uint64_t> measure_floor(const WorkerOrder& order);

/// The worker beside this program, or in the folder of HEAPWRIGHT_BIN; empty when it is in neither.
[[nodiscard]] std::string find_worker();

}  // namespace heapwright::study
