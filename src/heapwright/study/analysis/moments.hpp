// The timeline of the findings: what was live in each of at most kTimelinePoints intervals of equal length.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/live_totals.hpp>
#include <heapwright/study/analysis/page_table.hpp>
#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/timeline/tick_clock.hpp>
#include <heapwright/trace/chunk.hpp>

namespace heapwright::study {

/// Each interval shows the state at its highest live requested bytes, the state with which it began included. So a peak
/// between two points is never lost, and all figures of a moment belong together.
///
/// Thread safety: one caller.
class MomentLog {
public:
    /// `first` and `last`: the ticks of the first and the last event; equal for one event, and no interval without any.
    MomentLog(trace::Tick first, trace::Tick last, bool has_events);

    /// From this tick on advance() has something to do.
    [[nodiscard]] trace::Tick next_tick() const { return next_tick_; }
    /// Closes the intervals before `tick`; `totals` and `pages` are the state until then.
    void advance(trace::Tick tick, const LiveTotals& totals, const PageTable& pages);

    void allocated(std::uint64_t weight) { open_.allocations += weight; }
    void released(std::uint64_t weight) { open_.frees += weight; }
    /// After each event that made the live bytes more.
    void consider(const LiveTotals& totals, const PageTable& pages) {
        if (totals.requested > open_.totals.requested) {
            open_.totals = totals;
            open_.occupied_pages = pages.occupied_pages();
            open_.page_bytes = pages.live_bytes();
        }
    }

    /// The moments, with the samples joined in: the highest resident bytes of the interval, or the latest before it.
    [[nodiscard]] std::vector<Moment> finish(const LiveTotals& totals, const PageTable& pages, const Scale& scale, const TickClock& clock,
                                             std::span<const trace::Sample> samples);

private:
    struct Interval {
        LiveTotals totals;
        std::uint64_t occupied_pages = 0;
        std::uint64_t page_bytes = 0;
        std::uint64_t allocations = 0;
        std::uint64_t frees = 0;
    };

    [[nodiscard]] trace::Tick start_of(std::size_t interval) const;
    void open(const LiveTotals& totals, const PageTable& pages);

    trace::Tick first_;
    trace::Tick span_ = 0;  // ticks from the first to one past the last event
    std::size_t count_ = 0;
    std::vector<Interval> closed_;
    Interval open_;
    trace::Tick next_tick_ = ~trace::Tick{0};
};

}  // namespace heapwright::study
