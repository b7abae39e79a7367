// Trials side by side: medians, spread, and which differences are more than noise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <heapwright/study/replay/worker_run.hpp>

namespace heapwright::study {

/// What runs are compared by. Lower is better in all of them.
enum class Metric : std::uint8_t {
    peak_rss,
    mean_rss,
    end_rss,
    retained,
    floor,
    cpu,
    wall,
    allocator_time,
    minor_faults,
    system_calls,
};
inline constexpr std::size_t kMetricCount = 10;

[[nodiscard]] const char* name_of(Metric metric);  ///< "peak RSS"
[[nodiscard]] bool is_time(Metric metric);         ///< nanoseconds; otherwise bytes or a count
[[nodiscard]] bool is_bytes(Metric metric);
[[nodiscard]] double value_of(const TrialRun& run, Metric metric);

struct Spread {
    double median = 0;
    double least = 0;
    double most = 0;
};

/// All runs of one trial. A run that failed stands in `runs` with its sentence and is left out of every figure.
struct TrialSummary {
    TrialSpec spec;
    std::vector<TrialRun> runs;

    [[nodiscard]] std::vector<double> values(Metric metric) const;
    [[nodiscard]] Spread spread(Metric metric) const;
    /// Runs that count.
    [[nodiscard]] std::size_t good_runs() const;
    /// Why the trial has no figure; empty when it has.
    [[nodiscard]] std::string failure() const;
    /// The run whose peak is the median one; nullptr without a good run. For its curve.
    [[nodiscard]] const TrialRun* typical() const;
};

/// `by` and `ratio` compare medians: other minus baseline, other over baseline.
struct Difference {
    double by = 0;
    double ratio = 1;
    double p = 1;       ///< two-sided Mann-Whitney test, exact; with three runs each it cannot be less than 0.1
    bool real = false;  ///< every run of one trial beats every run of the other, by more than kLeastRatio of the baseline
};

/// Smaller differences are called equal however steady they are: nobody changes a program for them.
inline constexpr double kLeastRatio = 0.005;

/// Resident memory of the recorded process that is no heap, at one place of the recording.
struct OtherMemory {
    double progress = 0;  ///< share of the events replayed, in [0, 1]
    std::uint64_t bytes = 0;
};

struct Comparison {
    std::vector<TrialSummary> trials;
    std::size_t baseline = 0;                    ///< index of the trial that the others are compared with
    std::uint64_t events = 0;                    ///< replayed
    std::uint64_t recorded_ns = 0;               ///< how long they took in the recording
    std::uint64_t recorded_peak_live_bytes = 0;  ///< requested
    std::uint64_t recorded_peak_rss_bytes = 0;   ///< of the whole recorded process; 0: not known
    std::uint64_t recorder_rss_bytes = 0;        ///< of that, the recorder's own
    std::uint64_t recorded_cpu_ns = 0;           ///< of the recorded process, its recording taken off; 0: not known
    std::vector<OtherMemory> other_memory;       ///< of the recorded process, in order of progress
    std::string note;                            ///< a sentence about what the replay could not follow; empty when there is none

    /// What the recorded process would have had resident at its peak under this trial: the replayed heap and, beside it,
    /// what was resident of everything else. Under the program's own allocator that is the measure of the replay itself:
    /// it should come within 5 % of recorded_peak_rss_bytes. 0 where either is not known.
    [[nodiscard]] double predicted_peak_rss_bytes(std::size_t trial) const;

    [[nodiscard]] Difference difference(std::size_t trial, Metric metric) const;
    /// The trial with the lowest median among those that are really better than the baseline; nothing when none is.
    [[nodiscard]] std::optional<std::size_t> best(Metric metric) const;
};

[[nodiscard]] Difference compare(const std::vector<double>& baseline, const std::vector<double>& other);

/// The probability that random order would separate the two samples at least this much; ties count half.
[[nodiscard]] double mann_whitney_p(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace heapwright::study
