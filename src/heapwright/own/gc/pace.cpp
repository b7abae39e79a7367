// The pace: when everything is looked at, how far a step goes, and how much is allocated until the next minor collection.
#include <algorithm>
#include <utility>

#include <heapwright/os/clock.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>

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
        minor(self, kNoDeadline);  // marking in steps begins without young objects
    }
    begin_marking(self);
}

/// What is allocated until the next step: less and less from the threshold on to half again as much.
std::size_t Collector::next_step() const noexcept {
    constexpr std::size_t kShares = 16;
    const std::size_t most = full_threshold + full_threshold / 2;
    const std::size_t room = most > used_bytes() ? most - used_bytes() : 0;
    const std::size_t shares = std::min(kShares, room * kShares / std::max<std::size_t>(full_threshold / 2, 1) + 1);
    return std::max<std::size_t>(config.step_bytes * shares / kShares, 1);
}

void Collector::step(Mutator& self, GcEvent& event, std::uint64_t begin_ns) noexcept {
    // Steps come the sooner the larger the heap has become meanwhile. Where that does not help, because a step does next to nothing,
    // marking is finished whatever that takes once the heap is twice as large as it should have become.
    const bool runs_away = used_bytes() / 2 > full_threshold;
    std::uint64_t budget_ns = runs_away ? kNoBudget : config.pause_budget_ns;
    step_bytes = next_step();
    // What is made meanwhile waits for the next minor collection, but not so much that this would take long.
    if (const std::size_t young = since_collection.load(std::memory_order_relaxed); young / 3 * 2 > config.nursery_bytes) {  // in a pause
        promote_young();
        promoted_bytes += young;
        since_collection.store(0, std::memory_order_relaxed);
        budget_ns -= std::min(budget_ns - 1, os::monotonic_ns() - begin_ns);
    }
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

/// When a minor collection gives up: a pause may be two thirds longer than planned, of which the last part is needed for passing
/// all young objects once.
std::uint64_t Collector::minor_deadline(Reason reason, std::uint64_t begin_ns) const noexcept {
    if (reason != Reason::nursery_full) {
        // Who asks for a collection wants to see what is garbage. Under stress, every way is gone in turn.
        return reason == Reason::stress && counts.pauses % 5 == 4 ? 0 : kNoDeadline;
    }
    const std::uint64_t longest_ns = config.pause_budget_ns / 8 * 11;                        // and the rest for what comes after
    const std::uint64_t young_kib = since_collection.load(std::memory_order_relaxed) >> 10;  // read in a pause
    const std::uint64_t promotion_ns = young_kib * (promotion_ns_per_kib + promotion_ns_per_kib / 8);
    const std::uint64_t tracing_ns = std::max(longest_ns - std::min(longest_ns, promotion_ns), config.pause_budget_ns / 4);
    // Where most is expected to live, it is enough to see that a part of it does.
    return begin_ns + (expects_survivors ? std::min(tracing_ns, config.pause_budget_ns / 2) : tracing_ns);
}

/// About how many objects are young.
std::size_t Collector::young_objects() const noexcept {
    return since_collection.load(std::memory_order_relaxed) / std::max<std::size_t>(bytes_per_object, 1);  // read in a pause
}

/// How many objects a minor collection may find alive until it keeps the others unseen: half of them, where most lived the last
/// time.
std::size_t Collector::most_survivors() const noexcept { return expects_survivors ? young_objects() / 2 : SIZE_MAX; }

/// After a minor collection that followed references: may the next ones keep everything unseen? Not many, so that a change is
/// noticed, and what they keep for nothing is little.
void Collector::expect_survivors(bool is_done, std::size_t freed_bytes) noexcept {
    constexpr std::uint32_t kUnseen = 3;
    if (is_done) {
        expects_survivors = freed_bytes < since_collection.load(std::memory_order_relaxed) / 8;  // read in a pause
    } else {
        expects_survivors = expects_survivors || team->followed() >= young_objects() / 4;
    }
    promotions_due = expects_survivors ? kUnseen : 0;
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
    if (expects_survivors) {
        nursery_most = std::min(nursery_most, config.nursery_bytes);  // more would live no shorter, and take longer to pass
    }
    // Passing all of it has to fit into a pause, too.
    const std::size_t passable = (config.pause_budget_ns / std::max<std::size_t>(promotion_ns_per_kib, 1)) << 10;
    nursery_most = std::min(nursery_most, std::max(config.nursery_bytes / 4, passable));
    // The whole room up to the next look at everything, so that the heap stays within it.
    const std::size_t used = used_bytes() + external_bytes;
    const std::size_t room = full_threshold > used ? full_threshold - used : 0;
    nursery_bytes = std::min(nursery_most, std::max(room, config.nursery_bytes));
    if (begins_soon) {
        nursery_bytes = config.nursery_bytes / 8;
    }
}

}  // namespace heapwright::gc::detail
