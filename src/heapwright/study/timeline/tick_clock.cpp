// The rate of the clock from the readings in the trace.
#include <heapwright/study/timeline/tick_clock.hpp>

#include <algorithm>

namespace heapwright::study {
namespace {

// A tick is 64 cycles; no machine that this runs on is slower than 200 MHz or faster than 20 GHz.
constexpr double kFastestTickNs = 3.2;
constexpr double kSlowestTickNs = 320;

}  // namespace

TickClock::TickClock(const std::vector<trace::Sample>& readings, trace::Tick origin) : origin_(origin) {
    if (readings.size() < 2) {
        return;
    }
    const auto [first, last] =
        std::minmax_element(readings.begin(), readings.end(), [](const auto& a, const auto& b) { return a.tick < b.tick; });
    if (first->tick == last->tick || first->monotonic_ns >= last->monotonic_ns) {
        return;
    }
    const double rate = static_cast<double>(last->monotonic_ns - first->monotonic_ns) / static_cast<double>(last->tick - first->tick);
    if (rate >= kFastestTickNs && rate <= kSlowestTickNs) {
        ns_per_tick_ = rate;
    }
}

}  // namespace heapwright::study
