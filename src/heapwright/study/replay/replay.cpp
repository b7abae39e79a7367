#include <heapwright/study/replay/replay.hpp>

#include <algorithm>
#include <map>

#include <heapwright/study/replay/make_plan.hpp>
#include <heapwright/study/replay/work_files.hpp>
#include <heapwright/study/replay/worker_run.hpp>

namespace heapwright::study {

namespace {

/// Two trials with the same key replay the same plan.
std::string key_of(const Placement& placement) {
    std::string key = std::to_string(static_cast<unsigned>(placement.kind)) + ":" + std::to_string(placement.pool_block_bytes) + ":" +
                      std::to_string(placement.pool_alignment) + ":" + std::to_string(placement.from_size) + ":" +
                      std::to_string(placement.to_size) + (placement.usual_alignment ? "a" : "") + ":" +
                      std::to_string(static_cast<unsigned>(placement.place)) + ":" + std::to_string(placement.min_bytes) + ":" +
                      std::to_string(placement.max_bytes);
    for (const trace::StackId stack : placement.stacks) {
        key += "," + std::to_string(static_cast<std::uint32_t>(stack));
    }
    return key;
}

class Session {
public:
    Session(const std::string& trace_path, const std::vector<TrialSpec>& specs, const ReplayOptions& options, const Progress& progress)
        : trace_path_(trace_path), specs_(specs), options_(options), progress_(progress), files_(options.folder) {}

    Result<Comparison> run() {
        const auto result = files_.make();
        if (!result) {
            return fail_at(ReplayPlace::folder, result.error());
        }
        order_.worker = options_.worker.empty() ? find_worker() : options_.worker;
        if (order_.worker.empty()) {
            return fail_at(ReplayPlace::worker, fail_with(Errc::not_found).error());
        }
        order_.result = *result;
        order_.pace = options_.pace;
        order_.limit_s = options_.limit_s;
        if (const auto made = make_plans(); !made) {
            return std::unexpected(made.error());
        }
        const auto floor = measure_floor(order_);
        if (!floor) {
            return fail_at(ReplayPlace::worker, floor.error());
        }
        order_.floor_bytes = *floor;
        run_all();
        return comparison_;
    }

private:
    // Plans take a fifth of the progress: they are read once, the trials are many.
    static constexpr double kPlanShare = 0.2;

    Result<void> make_plans() {
        std::vector<const Placement*> wanted;
        for (const TrialSpec& spec : specs_) {
            if (plans_.emplace(key_of(spec.placement), "").second) {
                wanted.push_back(&spec.placement);
            }
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const auto path = files_.make();
            if (!path) {
                return fail_at(ReplayPlace::folder, path.error());
            }
            const auto made = make_plan(trace_path_, *path, *wanted[i], [this, i, &wanted](double done, std::uint64_t events) {
                report(kPlanShare * (static_cast<double>(i) + done) / static_cast<double>(wanted.size()), events);
            });
            if (!made) {
                return std::unexpected(made.error());
            }
            plans_[key_of(*wanted[i])] = *path;
            comparison_.events = made->header.events;
            comparison_.recorded_ns = made->header.recorded_ns;
            comparison_.recorded_peak_live_bytes = made->counts.peak_live_bytes;
            if (wanted[i]->kind == PlacementKind::none) {
                note_recording(*made);
            }
            note_counts(made->counts);
        }
        return {};
    }

    void note_recording(const MadePlan& made) {
        comparison_.recorded_peak_rss_bytes = made.recorded_peak_rss_bytes;
        comparison_.recorder_rss_bytes = made.recorder_rss_bytes;
        comparison_.recorded_cpu_ns = made.recorded_cpu_ns;
        const auto events = static_cast<double>(std::max<std::uint64_t>(made.header.events, 1));
        for (const RecordedMoment& moment : made.moments) {
            comparison_.other_memory.push_back({.progress = static_cast<double>(moment.events) / events, .bytes = moment.other_bytes});
        }
    }

    void note_counts(const PlanCounts& counts) {
        const std::uint64_t missed = counts.unknown_frees + counts.lost_frees;
        if (missed * 100 > counts.events) {
            comparison_.note = std::to_string(missed) + " of " + std::to_string(counts.events) +
                               " events release or replace blocks that the trace does not hold; they were left out of the replay";
        }
    }

    // In turns, and beginning with another trial each time, so that whatever changes on the machine meets all alike.
    void run_all() {
        comparison_.baseline = std::min(options_.baseline, specs_.empty() ? 0 : specs_.size() - 1);
        for (const TrialSpec& spec : specs_) {
            comparison_.trials.push_back({.spec = spec, .runs = {}});
        }
        const unsigned traced = options_.count_system_calls ? 1 : 0;
        const std::size_t all = specs_.size() * (options_.runs + traced);
        std::size_t done = 0;
        for (unsigned round = 0; round < options_.runs + traced; ++round) {
            for (std::size_t step = 0; step < specs_.size(); ++step) {
                TrialSummary& summary = comparison_.trials[(step + round) % specs_.size()];
                run_one(summary, round >= options_.runs);
                ++done;
                report(kPlanShare + (1 - kPlanShare) * static_cast<double>(done) / static_cast<double>(all), comparison_.events);
            }
        }
    }

    void run_one(TrialSummary& summary, bool traced) {
        if (!summary.runs.empty() && summary.good_runs() == 0) {
            return;  // what crashed once is not asked again
        }
        order_.plan = plans_[key_of(summary.spec.placement)];
        order_.count_system_calls = traced;
        TrialRun run = run_worker(summary.spec, order_);
        if (!traced) {
            summary.runs.push_back(std::move(run));
            return;
        }
        for (TrialRun& counted : summary.runs) {
            counted.system_calls = run.system_calls;
        }
    }

    void report(double done, std::uint64_t events) {
        if (progress_) {
            progress_(done, events);
        }
    }

    const std::string& trace_path_;
    const std::vector<TrialSpec>& specs_;
    const ReplayOptions& options_;
    const Progress& progress_;
    WorkFiles files_;
    WorkerOrder order_;
    std::map<std::string, std::string> plans_;
    Comparison comparison_;
};

}  // namespace

Result<Comparison> replay(const std::string& trace_path, const std::vector<TrialSpec>& specs, const ReplayOptions& options,
                          const Progress& progress) {
    if (specs.empty()) {
        return fail_with(Errc::invalid_argument);
    }
    return Session(trace_path, specs, options, progress).run();
}

}  // namespace heapwright::study
