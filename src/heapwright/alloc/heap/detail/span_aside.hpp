// A span that is put aside, held by somebody who goes round the spans of all threads: see visitor.hpp for what he may do with it.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::heap {

/// The clock's thread sleeps for a moment, after so much work, whenever it holds no lock. A thread that just slept has the processor for its whole
/// slice: so it is seldom stopped in the middle of a span, where others wait until it goes on.
class Rest {
public:
    /// Work begins, of the clock's thread, or of one that shall not sleep.
    void begin(bool is_of_clock) noexcept { next_ns_ = is_of_clock ? os::monotonic_ns() + kWorkNs : ~std::uint64_t{0}; }
    /// Requires: what may sleep now may be waited for; no span is held.
    void take_if_due() noexcept {
        if (next_ns_ != ~std::uint64_t{0} && os::monotonic_ns() >= next_ns_) {
            os::sleep_ns(kRestNs);
            next_ns_ = os::monotonic_ns() + kWorkNs;
        }
    }

private:
    static constexpr std::uint64_t kWorkNs = 500'000;
    static constexpr std::uint64_t kRestNs = 50'000;
    std::uint64_t next_ns_ = ~std::uint64_t{0};
};

/// Whether the record is one of a span of blocks: a hint, because it may become another one at any moment.
[[nodiscard]] inline bool is_likely_of_blocks(const Span* span) noexcept {
    const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);
    const bool is_of_thread = owner != owner::kFree && owner != owner::kInterior && owner != owner::kMetadata && owner != owner::kNobody &&
                              !owner::is_unusual(owner);
    return is_of_thread || owner == owner::kAbandoned;
}

/// Calls `act(cache)` while nobody else takes from the span, makes it active or gives it away; `cache`: whose it is, nullptr:
/// nobody's. Does nothing where it turns out to be no such span. The caller looks whether it is active.
///
/// Requires: the visitor's lock.
template <class Act>
void with_span_aside(Span* span, Act act) noexcept {
    if (!is_likely_of_blocks(span)) {
        return;
    }
    // Pairs with the release in ThreadCache::add(). A cache is never unmapped, so its lock may be taken whatever became of the span.
    ThreadCache* const cache = span->cache.load(std::memory_order_acquire);
    if (cache == nullptr) {
        g_default_core.with_abandoned(span, [&] { act(cache); });
        return;
    }
    const os::LockGuard guard(cache->visit_lock());
    const bool is_its_own = span->cache.load(std::memory_order_relaxed) == cache;  // the lock orders
    if (is_its_own && !cache->serves_everybody()) {
        act(cache);
    }
}

}  // namespace heapwright::heap
