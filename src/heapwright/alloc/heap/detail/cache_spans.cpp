// Which spans a cache has, and whose it is: threads come and go, spans join and leave, others tell of what they freed.
#include <algorithm>
#include <utility>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

void ThreadCache::attach(HeapCore& heap, std::uintptr_t thread, Sink** direct) noexcept {
    const os::LockGuard guard(lock_);  // statistics ask whether the cache is attached
    heap_ = &heap;
    thread_.store(thread, std::memory_order_relaxed);  // see thread()
    direct_ = direct;
    for (unsigned number = 0; direct != nullptr && number < kDirectClasses; ++number) {
        const DirectSteps steps = direct_steps_of(static_cast<SizeClass>(number));
        for (std::size_t step = steps.first; step <= steps.last; ++step) {
            direct[step] = g_planned_steps[step] ? &g_nothing : &lists_[number];
        }
    }
}

void ThreadCache::forget() noexcept {
    active_.fill(&g_no_blocks);
    if (direct_ != nullptr) {
        std::fill_n(direct_, kDirectSteps, &g_nothing);
    }
    forget_lists();
    borrowed_.fill(0);
    for (Hand& hand : hands_) {
        hand.first = nullptr;
        hand.count.store(0, std::memory_order_relaxed);  // nobody's now
        hand.most = 0;
    }
    lists_.fill({});
    budgets_ = 0;
    charged_ = 0;
    census_ = {};
    kept_ = 0;
    kept_most_ = kKeptMost;
    misses_left_ = kMissesBetweenLooks;
    spans_most_ = 0;
    const os::LockGuard guard(lock_);  // as in attach()
    heap_ = nullptr;
    thread_.store(0, std::memory_order_seq_cst);  // whoever puts something into the mailbox after it was emptied sees it: is_left()
    direct_ = nullptr;
}

void ThreadCache::detach() noexcept {
    const os::LockGuard guard(visit_lock_);
    empty_hands();
    while (Span* const span = all_) {
        drop(span);
        take_remote(span);
        if (span->is_mixed() ? is_empty_mixed(span) : span->live() == 0) {
            heap_->give_blocks(span);
        } else {
            heap_->put_abandoned(span);
        }
    }
    forget();
}

void ThreadCache::discard() noexcept {
    const os::LockGuard guard(visit_lock_);
    while (Span* const span = all_) {
        drop(span);
        heap_->give_blocks(span);
    }
    forget();
}

/// The list that a span of its class and state is in; nullptr: none.
Span** ThreadCache::list_of(const Span& span) noexcept {
    Lists& lists = listed_[span.size_class];
    switch (span.state) {
        case SpanState::carving: return &lists.carving;
        case SpanState::dense: return &lists.dense;
        case SpanState::airy: return &lists.airy;
        case SpanState::active:
        case SpanState::leaving:
        case SpanState::full: break;
        case SpanState::mixed: return &mixed_[mixed_record_of(&span)->bin];
    }
    return nullptr;
}

void ThreadCache::forget_lists() noexcept {
    for (Span* span = all_; span != nullptr; span = span->cache_next) {
        span->next = nullptr;
        span->previous = nullptr;
        if (!span->is_mixed() && span->state != SpanState::active) {
            span->state = SpanState::full;
        }
    }
    listed_.fill({});
    mixed_.fill(nullptr);
    mixed_filled_.fill(0);
}

void ThreadCache::shed() noexcept {
    const os::LockGuard guard(visit_lock_);
    put_actives_aside();
    answer_notices(~0U);
    Span* following = nullptr;
    // Meshed spans are in reach of everybody who needs memory already.
    for (Span* span = may_mesh() ? nullptr : all_; span != nullptr; span = following) {
        following = span->cache_next;
        if (list_of(*span) != nullptr) {
            unlist(span);
            drop(span);
            heap_->put_abandoned(span);
        }
    }
}

bool ThreadCache::adopt(Span* span) noexcept {
    if (!heap_->claim(span, thread())) {
        return false;
    }
    const os::LockGuard guard(visit_lock_);
    add(span);
    bring_home(span);
    place(span);
    return true;
}

void ThreadCache::add(Span* span) noexcept {
    const os::LockGuard guard(lock_);
    CacheChain::push(all_, span);
    span->sink = span->home();
    spans_.store(spans_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // under the lock
    span->is_noticed = false;
    span->cache.store(this, std::memory_order_release);  // pairs with the acquire in notify()
}

void ThreadCache::drop(Span* span) noexcept {
    const os::LockGuard guard(lock_);
    if (HEAPWRIGHT_UNLIKELY(census_.at == span)) {
        census_.at = span->cache_next;
    }
    CacheChain::erase(all_, span);
    spans_.store(spans_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);  // under the lock
    if (span->is_noticed) {
        Span** link = &noticed_;
        while (*link != span) {
            link = &(*link)->notice_next;
        }
        *link = span->notice_next;
        span->is_noticed = false;
    }
    span->sink = span->home();                              // no list of this cache, whoever claims it
    span->cache.store(nullptr, std::memory_order_relaxed);  // under the lock, which notify() takes and looks again
}

void ThreadCache::notify(Span* span) noexcept {
    while (true) {
        // Pairs with the release in add(). A cache is never unmapped, so its lock may be taken whatever became of the span.
        ThreadCache* const cache = span->cache.load(std::memory_order_acquire);
        if (cache == nullptr) {
            return;  // who takes the span over looks at what was freed
        }
        const os::LockGuard guard(cache->lock_);
        if (span->cache.load(std::memory_order_relaxed) != cache) {  // the lock orders
            continue;
        }
        if (!span->is_noticed) {
            span->is_noticed = true;
            span->notice_next = cache->noticed_;
            cache->noticed_ = span;
            cache->has_notices_.store(true, std::memory_order_relaxed);  // a hint; the lock orders
        }
        note_stirred();  // also where a visitor took what came before, and its thread sleeps
        return;
    }
}

const char* ThreadCache::broken_invariant() const noexcept {
    for (const Span* span = all_; span != nullptr; span = span->cache_next) {
        if (span->cache.load(std::memory_order_relaxed) != this) {  // the owner's own
            return "TC1: a span in the list of all names another cache";
        }
        const bool is_block = span->owner.load(std::memory_order_relaxed) == owner::kLarge;  // as above
        if (const char* const broken = is_block ? nullptr : span->broken_invariant(); broken != nullptr) {
            return broken;
        }
    }
    std::uint32_t kept = 0;
    std::uint32_t budgets = 0;
    std::uint32_t charged = 0;
    for (unsigned number = 0; number < kClassCount; ++number) {
        kept += std::uint32_t{hands_[number].count.load(std::memory_order_relaxed)} * hands_[number].pages;  // the owner's own
        budgets += lists_[number].budget;
        charged += lists_[number].has_others ? lists_[number].budget : 0U;
        if (lists_[number].is_handed_out && lists_[number].rest != nullptr) {
            return "TC3: two lists of a class are what spans handed out";
        }
        for (const FreeBlock* block : kept_lists(static_cast<SizeClass>(number))) {
            for (; block != nullptr; block = block->next) {
                const Span* const span = record_of_first(find_span(block));
                const std::size_t bytes = granules_of(static_cast<SizeClass>(number)) * kGranuleBytes;
                if (span->is_mixed() ? bytes_of_block(span, block, "look at") != bytes : span->size_class != number) {
                    return "TC3: a block at hand is of another class";
                }
            }
        }
    }
    if (kept != kept_ || kept > kept_most_ || budgets != budgets_ || charged != charged_) {
        return "TC3: what is kept of all classes is not what was counted, or too much";
    }
    for (const Lists& lists : listed_) {
        for (const auto& [head, state] : {std::pair(lists.carving, SpanState::carving), std::pair(lists.dense, SpanState::dense),
                                          std::pair(lists.airy, SpanState::airy)}) {
            for (const Span* span = head; span != nullptr; span = span->next) {
                if (span->state != state || span->cache.load(std::memory_order_relaxed) != this) {  // as above
                    return "TC2: a list holds a span of another state or cache";
                }
            }
        }
    }
    for (const Span* head : mixed_) {
        for (const Span* span = head; span != nullptr; span = span->next) {
            if (!span->is_mixed() || span->cache.load(std::memory_order_relaxed) != this) {  // as above
                return "TC2: a list of mixed spans holds another";
            }
        }
    }
    return nullptr;
}

}  // namespace heapwright::heap
