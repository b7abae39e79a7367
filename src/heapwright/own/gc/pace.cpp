// The pace: when everything is looked at, how far a step goes, and how much is allocated until the next minor collection.
#include <algorithm>
#include <utility>

#include <heapwright/os/clock.hpp>
#include <heapwright/own/gc/detail/collector.hpp>

namespace heapwright::gc::detail {

namespace {

constexpr std::uint64_t kNoBudget = 3'600'000'000'000;

}  // namespace

/// After a minor collection: is it time to look at everything?
void Collector::begin_if_due(Mutator& self, GcEvent& event, std::uint64_t begin_ns) noexcept {
    const bool was_put_off = std::exchange(begins_soon, false);
    if (event.reason != Reason::nursery_full || used_bytes() + external_bytes + config.nursery_bytes < full_threshold) {
        return;
    }
    if (config.incremental && config.generational && !was_put_off && os::monotonic_ns() - begin_ns > config.pause_budget_ns / 2) {
        begins_soon = true;  // after a short while, when there are few young objects
        return;
    }
    event.reason = Reason::threshold;
    if (!config.incremental) {
        event.cycle = Cycle::full;
        full(self);
        return;
    }
    event.cycle = Cycle::begin;
    if (!config.generational) {
        minor(self);  // marking in steps begins without young objects
    }
    begin_marking(self);
}

void Collector::step(Mutator& self, GcEvent& event, std::uint64_t begin_ns) noexcept {
    // A program that allocates faster than its steps mark would never see the end: once the heap is half again as large as it
    // should have become, marking is finished whatever that takes.
    const bool runs_away = used_bytes() > full_threshold && used_bytes() - full_threshold > full_threshold / 2;
    const std::uint64_t budget_ns = runs_away ? kNoBudget : config.pause_budget_ns;
    if (!mark_step(budget_ns)) {
        return;
    }
    // What follows marking is a pause of its own where marking took long.
    if (all_marked || runs_away || os::monotonic_ns() - begin_ns <= config.pause_budget_ns / 2) {
        event.cycle = Cycle::end;
        end_marking(self);
    }
    all_marked = is_marking;
}

/// The longer a thread may allocate, the less of it lives; but what lives then is marked in one pause.
void Collector::size_nursery(Cycle cycle, std::uint64_t pause_ns) noexcept {
    if (config.nursery_bytes == GcConfig::kUnlimited) {
        return;  // only on request
    }
    if (cycle == Cycle::minor) {
        if (pause_ns > config.pause_budget_ns) {
            nursery_most = std::max(config.nursery_bytes / 4, nursery_most / 2);
        } else if (pause_ns < config.pause_budget_ns / 2) {
            nursery_most = std::min(std::max(config.nursery_bytes, config.nursery_most_bytes), nursery_most + nursery_most / 2);
        }
    }
    // The whole room up to the next look at everything, so that the heap stays within it.
    const std::size_t used = used_bytes() + external_bytes;
    const std::size_t room = full_threshold > used ? full_threshold - used : 0;
    nursery_bytes = std::min(nursery_most, std::max(room, config.nursery_bytes));
    if (begins_soon) {
        nursery_bytes = config.nursery_bytes / 8;
    }
}

}  // namespace heapwright::gc::detail
