// A number for each event of the merged timeline that is both its place in the order and, nearly, its time.
#pragma once

#include <cstdint>

#include <heapwright/trace/event.hpp>

namespace heapwright::study {

/// Stamps are strictly increasing: ticks since the first event in units of 1/16, pushed on by one where events share a
/// tick. So one word answers "which came first" and "how long between", the latter within a tick as long as no more
/// than 16 events of all threads fall into one (a tick is shorter than a single call of malloc).
class StampClock {
public:
    explicit StampClock(trace::Tick first_tick = 0) : first_tick_(first_tick) {}

    std::uint64_t next(trace::Tick tick) {
        const std::uint64_t since = tick > first_tick_ ? tick - first_tick_ : 0;
        const std::uint64_t stamp = since << kShift;
        last_ = stamp > last_ ? stamp : last_ + 1;
        return last_;
    }
    [[nodiscard]] std::uint64_t last() const { return last_; }

    /// Ticks since the first event.
    [[nodiscard]] static trace::Tick ticks(std::uint64_t stamp) { return stamp >> kShift; }

private:
    static constexpr unsigned kShift = 4;

    trace::Tick first_tick_;
    std::uint64_t last_ = 0;
};

}  // namespace heapwright::study
