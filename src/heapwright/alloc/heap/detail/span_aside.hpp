// A span that is put aside, held by somebody who goes round the spans of all threads: see visitor.hpp for what he may do with it.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

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
