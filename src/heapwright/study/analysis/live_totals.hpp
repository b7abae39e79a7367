// The sums over all live blocks at the present moment, and the moment at which they were highest.
#pragma once

#include <cstdint>

#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/timeline/pages_array.hpp>

namespace heapwright::study {

/// Counters are in the Scale's units.
struct LiveTotals {
    std::uint64_t blocks = 0;
    std::uint64_t requested = 0;
    std::uint64_t usable = 0;
};

/// The first moment with the highest live requested bytes, and what has been freed since.
///
/// The blocks of the peak are these freed ones and those that are live now and were there before it, so nothing is
/// copied when a new peak is reached: the list starts anew.
/// Thread safety: one caller.
class Peak {
public:
    /// Tells the state after a whole event.
    ///
    /// Returns:  true when this is a new peak.
    bool consider(const LiveTotals& totals, std::uint64_t stamp, trace::Tick tick) {
        if (totals.requested <= totals_.requested) {
            return false;
        }
        totals_ = totals;
        stamp_ = stamp;
        tick_ = tick;
        freed_since_.clear();
        return true;
    }
    /// A block leaves the live blocks.
    void left(const BlockRecord& block) {
        if (block.entered <= stamp_) {
            freed_since_.add(LiveBlock(block));
        }
    }

    [[nodiscard]] bool was_there(const BlockRecord& block) const { return block.entered <= stamp_; }
    [[nodiscard]] const LiveTotals& totals() const { return totals_; }
    [[nodiscard]] std::uint64_t stamp() const { return stamp_; }  ///< 0: nothing was ever live
    [[nodiscard]] trace::Tick tick() const { return tick_; }
    /// Gives up the list; call once, at the end.
    [[nodiscard]] Snapshot take_freed() { return std::move(freed_since_); }

private:
    LiveTotals totals_;
    std::uint64_t stamp_ = 0;
    trace::Tick tick_ = 0;
    Snapshot freed_since_;
};

}  // namespace heapwright::study
