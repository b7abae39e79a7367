// Closing intervals, and joining them with what was sampled.
#include <heapwright/study/analysis/moments.hpp>

#include <algorithm>

#include <heapwright/study/timeline/wide.hpp>

namespace heapwright::study {

MomentLog::MomentLog(trace::Tick first, trace::Tick last, bool has_events) : first_(first) {
    if (!has_events) {
        return;
    }
    span_ = std::max(last - first, last - first + 1);  // the whole range of ticks cannot be counted, and need not be
    count_ = static_cast<std::size_t>(std::min<std::uint64_t>(kTimelinePoints, span_));
    closed_.reserve(count_);
    next_tick_ = count_ > 1 ? start_of(1) : ~trace::Tick{0};
}

trace::Tick MomentLog::start_of(std::size_t interval) const { return first_ + multiply_divide(span_, interval, count_); }

void MomentLog::open(const LiveTotals& totals, const PageTable& pages) {
    open_ = {.totals = totals, .occupied_pages = pages.occupied_pages(), .page_bytes = pages.live_bytes(), .allocations = 0, .frees = 0};
}

void MomentLog::advance(trace::Tick tick, const LiveTotals& totals, const PageTable& pages) {
    while (tick >= next_tick_ && closed_.size() + 1 < count_) {
        closed_.push_back(open_);
        open(totals, pages);
        next_tick_ = closed_.size() + 1 < count_ ? start_of(closed_.size() + 1) : ~trace::Tick{0};
    }
}

std::vector<Moment> MomentLog::finish(const LiveTotals& totals, const PageTable& pages, const Scale& scale, const TickClock& clock,
                                      std::span<const trace::Sample> samples) {
    std::vector<Moment> moments;
    if (count_ == 0) {
        return moments;
    }
    while (closed_.size() < count_) {
        closed_.push_back(open_);
        open(totals, pages);
    }
    std::size_t next_sample = 0;
    const trace::Sample* latest = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
        const Interval& interval = closed_[i];
        const trace::Tick end = i + 1 < count_ ? start_of(i + 1) : ~trace::Tick{0};
        const trace::Sample* highest = latest;
        for (bool is_first = true; next_sample < samples.size() && samples[next_sample].tick < end; ++next_sample) {
            latest = &samples[next_sample];
            highest = is_first || latest->resident_pages > highest->resident_pages ? latest : highest;
            is_first = false;
        }
        Moment moment{.time_ns = clock.ns_at(start_of(i)),
                      .live_requested = scale.to_count(interval.totals.requested),
                      .live_usable = scale.to_count(interval.totals.usable),
                      .live_blocks = scale.to_count(interval.totals.blocks),
                      .occupied_page_bytes = interval.occupied_pages * kOsPageBytes,
                      .allocations = scale.to_count(interval.allocations),
                      .frees = scale.to_count(interval.frees)};
        if (highest != nullptr) {
            moment.resident_bytes = highest->resident_pages * kOsPageBytes;
            moment.file_bytes = highest->file_pages * kOsPageBytes;
        }
        if (interval.occupied_pages != 0) {
            // From the bytes on the pages themselves, not from live_usable: a sampling recorder saw only those.
            moment.fragmentation =
                1 - static_cast<double>(interval.page_bytes) / static_cast<double>(interval.occupied_pages * kOsPageBytes);
        }
        moments.push_back(moment);
    }
    return moments;
}

}  // namespace heapwright::study
