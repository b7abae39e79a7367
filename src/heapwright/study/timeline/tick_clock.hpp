// Turns the trace's ticks into nanoseconds.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::study {

/// A straight line through the first and the last clock reading: the counter runs at one constant rate.
///
/// Thread safety: const members from any thread.
class TickClock {
public:
    /// A tick lasts about 21 ns (64 cycles at 3 GHz) until readings say otherwise.
    TickClock() = default;
    /// `origin`: the tick that counts as 0 ns. Readings that contradict each other leave the default rate.
    TickClock(const std::vector<trace::Sample>& readings, trace::Tick origin);

    /// Nanoseconds from the origin to `tick`; 0 for ticks before it. A damaged trace may say more than 64 bits hold: they
    /// stay at the largest.
    [[nodiscard]] std::uint64_t ns_at(trace::Tick tick) const { return tick > origin_ ? ns_of(tick - origin_) : 0; }
    [[nodiscard]] std::uint64_t ns_of(trace::Tick ticks) const {
        constexpr double kFirstTooLarge = 0x1p64;
        const double ns = static_cast<double>(ticks) * ns_per_tick_;
        return ns < kFirstTooLarge ? static_cast<std::uint64_t>(ns) : ~std::uint64_t{0};
    }
    [[nodiscard]] double ns_per_tick() const { return ns_per_tick_; }

private:
    double ns_per_tick_ = 64.0 / 3.0;
    trace::Tick origin_ = 0;
};

}  // namespace heapwright::study
