// The table of records is walked slice by slice; each span is looked at again under the lock of whom it belongs to.
#include <heapwright/alloc/heap/detail/visitor.hpp>

#include <algorithm>
#include <atomic>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/span_aside.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/os/clock.hpp>

namespace heapwright::heap {

namespace {

constinit os::SpinLock g_visitor_lock;
constinit std::atomic<std::uint32_t> g_stirred{0};
constinit std::atomic<bool> g_is_under_way{false};
constinit std::atomic<std::uint32_t> g_rounds{0};
constinit std::atomic<std::uint32_t> g_stirred_before_round{0};
/// A round is worth it when so much was stirred.
constexpr std::size_t kWorthwhileBytes = std::size_t{1} << 20;

/// The clock is asked for after so many records.
constexpr std::uint32_t kRecordsBetweenLooks = 256;

/// Which spans are visited.
struct Choice {
    bool all = false;
    std::uint32_t before = 0;  ///< those put aside before this turn of the clock
};

bool is_chosen(const Span& span, const Choice& choice) noexcept {
    // A span was seen since unless another thread freed into it: a hint, who visits it acquires.
    const bool has_remote = span.remote.load(std::memory_order_relaxed) > kWantsNotice;
    return choice.all || (span.stamp == 0 ? has_remote : static_cast<std::int32_t>(span.stamp - choice.before) < 0);
}

std::uint32_t used_slices(Region& region) noexcept {
    const os::LockGuard guard(region.lock());
    return region.used_slices();
}

/// Visits the span of a record, if it is one. `was_visited`: it cost something.
std::size_t visit_record(Span* span, const Choice& choice, bool& was_visited) noexcept {
    if (!is_likely_of_blocks(span)) {
        return 0;
    }
    const os::LockGuard visiting(g_visitor_lock);
    std::size_t given = 0;
    with_span_aside(span, [&](ThreadCache* cache) {
        if (!is_chosen(*span, choice)) {
            return;
        }
        was_visited = true;
        if (cache != nullptr) {
            given = cache->visit(span, cache->thread() == thread_pointer());
        } else {
            given = return_units(span, true);
            span->stamp = 0;
        }
    });
    return given;
}

/// A walk over the records of all regions, a part at a time.
class Round {
public:
    /// Whether there is one under way, or time to begin one.
    bool is_due(std::uint32_t turn, std::uint32_t delay_turns) noexcept {
        if (region_ != nullptr) {
            return true;
        }
        if (scheduled_ == 0) {
            scheduled_ = g_stirred.load(std::memory_order_relaxed);  // a figure
            scheduled_ = std::size_t{scheduled_} * kSliceBytes < kWorthwhileBytes ? 0 : scheduled_;
            begins_at_ = turn + delay_turns;
            return false;
        }
        if (static_cast<std::int32_t>(turn - begins_at_) < 0) {
            return false;
        }
        g_stirred.fetch_sub(scheduled_, std::memory_order_relaxed);               // as above; what came since waits for the next round
        g_stirred_before_round.fetch_add(scheduled_, std::memory_order_relaxed);  // compared only
        scheduled_ = 0;
        go_to(&g_region);
        return true;
    }

    void go_on(std::uint32_t before, std::uint64_t budget_ns) noexcept {
        const std::uint64_t end = os::monotonic_ns() + budget_ns;
        std::uint32_t until_look = kRecordsBetweenLooks;
        Rest rest;
        rest.begin(true);
        while (region_ != nullptr) {
            const std::uint32_t used = used_slices(*region_);
            for (slice_ = std::max(slice_, region_->first_slice()); slice_ < used; ++slice_) {
                bool was_visited = false;
                static_cast<void>(visit_record(region_->records() + slice_, {.before = before}, was_visited));
                if (was_visited || --until_look == 0) {
                    until_look = kRecordsBetweenLooks;
                    if (os::monotonic_ns() >= end) {
                        ++slice_;
                        return;
                    }
                    rest.take_if_due();
                }
            }
            go_to(region_->next.load(std::memory_order_acquire));  // pairs with take_slices()
        }
    }

    void end() noexcept { go_to(nullptr); }

private:
    void go_to(Region* region) noexcept {
        region_ = region;
        slice_ = 0;
        g_is_under_way.store(region != nullptr, std::memory_order_relaxed);          // a hint
        g_rounds.fetch_add(region == &g_region ? 1 : 0, std::memory_order_relaxed);  // compared only
    }

    Region* region_ = nullptr;
    std::uint32_t slice_ = 0;
    std::uint32_t scheduled_ = 0;
    std::uint32_t begins_at_ = 0;
};
constinit Round g_round;

}  // namespace

std::size_t ThreadCache::visit(Span* span, bool is_alone) noexcept {
    if (span->state == SpanState::active) {
        return 0;
    }
    if (span->is_mixed()) {
        return visit_mixed(span, is_alone);
    }
    // Written under the lock only, as the sink is: the thread frees into its class's list, or with this bit asks for the lock before it
    // frees into the span.
    // Where the mesher set it, the thread may have read the word before.
    const std::uintptr_t strangeness = span->owner.load(std::memory_order_relaxed) ^ thread();
    const bool asks = strangeness == 0 ? span->sink != span->home() : strangeness == owner::kAskBit && !span->is_meshed() && has_passed();
    const bool has_remote = span->remote.load(std::memory_order_relaxed) > kWantsNotice;  // a hint; what follows acquires
    if (is_alone || asks) {
        if (has_remote) {
            unlist(span);
            take_remote(span);
            if (!place(span, is_alone)) {
                return 0;
            }
        }
    } else if (has_remote && is_dead(span)) {
        unlist(span);
        release(span);
        return 0;
    }
    span->stamp = 0;
    return return_units(span, is_alone || asks);
}

void note_put_aside(Span* span) noexcept { span->stamp = g_turn.load(std::memory_order_relaxed); }  // a stamp, read through nothing

void note_stirred() noexcept { g_stirred.fetch_add(1, std::memory_order_relaxed); }  // a figure

std::size_t stirred_bytes() noexcept {
    // What small heaps stir again and again is no more than the heaps.
    const std::size_t most = g_default_core.span_bytes() + g_private_span_bytes.load(std::memory_order_relaxed);  // a figure
    return std::min(std::size_t{g_stirred.load(std::memory_order_relaxed)} * kSliceBytes, most);                  // as above
}

void visit_by_clock(std::uint32_t turn, std::uint32_t delay_turns, std::uint64_t budget_ns) noexcept {
    if (g_round.is_due(turn, delay_turns)) {
        g_round.go_on(turn - delay_turns, budget_ns);
    }
}

bool is_round_under_way() noexcept { return g_is_under_way.load(std::memory_order_relaxed); }  // a hint

void ThreadCache::make_ask(Span* span) noexcept {
    const std::uintptr_t asking = thread() | owner::kAskBit;
    if (span->owner.load(std::memory_order_relaxed) != asking) {  // written under the lock only
        span->owner.store(asking, std::memory_order_relaxed);     // only its thread compares it for equality
        passages_when_asked_ = passages_;
    }
}

std::uint32_t rounds_begun() noexcept { return g_rounds.load(std::memory_order_relaxed); }  // compared only

std::uint32_t stirred_before_round() noexcept { return g_stirred_before_round.load(std::memory_order_relaxed); }  // as above

std::size_t visit_all() noexcept {
    std::size_t given = 0;
    for_each_region([&](Region& region) {
        const std::uint32_t used = used_slices(region);
        for (std::uint32_t slice = region.first_slice(); slice < used; ++slice) {
            bool was_visited = false;
            given += visit_record(region.records() + slice, {.all = true}, was_visited);
        }
    });
    return given;
}

os::SpinLock& visitor_lock() noexcept { return g_visitor_lock; }

void reset_visitor_after_fork() noexcept {
    g_visitor_lock.reset_after_fork();
    g_round.end();
}

}  // namespace heapwright::heap
