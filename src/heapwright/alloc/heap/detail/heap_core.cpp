// Caches handed from thread to thread, and spans that wait for an owner.
#include <heapwright/alloc/heap/detail/heap_core.hpp>

#include <algorithm>
#include <new>

#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/probes.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

constinit HeapCore g_default_core;
constinit std::atomic<std::size_t> g_private_span_bytes{0};

namespace {

constinit std::atomic<std::uint64_t> g_heaps{0};
constinit os::SpinLock g_heaps_lock;
constinit os::SpinLock g_spare_lock;
constinit ThreadCache* g_spare = nullptr;

/// Whoever frees so many blocks into an abandoned span adopts it; of a span of few blocks, the first.
constexpr std::uint32_t kMostBeforeAdoption = 64;
constexpr std::uint32_t kShareBeforeAdoption = 8;
/// A class counts as wanted until so many spans of others became mixed.
constexpr std::uint32_t kLately = 64;
/// So many spans of a list are looked at.
constexpr unsigned kLookedAt = 4;

std::uint32_t frees_before_adoption(const Span* span) noexcept {
    return std::min({span->live(), kMostBeforeAdoption, std::max(span->capacity / kShareBeforeAdoption, 1U)});
}

ThreadCache* make_cache() noexcept {
    {
        const os::LockGuard guard(g_spare_lock);
        if (ThreadCache* const cache = g_spare; cache != nullptr) {
            g_spare = cache->parked_next;
            return cache;
        }
    }
    void* const room = allocate_metadata(sizeof(ThreadCache));
    return room == nullptr ? nullptr : new (room) ThreadCache;
}

}  // namespace

void spare_cache(ThreadCache* cache) noexcept {
    const os::LockGuard guard(g_spare_lock);
    cache->parked_next = g_spare;
    g_spare = cache;
}

HeapCore::HeapCore(std::size_t limit_bytes, HeapCore* payer) noexcept
    : id_(g_heaps.fetch_add(1, std::memory_order_relaxed) + 1),  // any number, as long as it is new
      payer_(payer),
      limit_bytes_(limit_bytes) {}

bool HeapCore::wants_meshing() const noexcept {
    const Compaction own = compaction_.load(std::memory_order_relaxed);  // a setting, read through nothing
    return (own == Compaction::as_process ? g_default_core.compaction_.load(std::memory_order_relaxed) : own) == Compaction::mesh;
}

bool HeapCore::count(std::uint32_t slices) noexcept {
    const std::size_t bytes = std::size_t{slices} * kSliceBytes;
    const std::size_t after = span_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;  // a figure
    const std::size_t limit = limit_bytes_.load(std::memory_order_relaxed);                     // as above
    if ((limit != 0 && after > limit) || (HEAPWRIGHT_UNLIKELY(payer_ != nullptr) && !payer_->count(slices))) {
        span_bytes_.fetch_sub(bytes, std::memory_order_relaxed);  // as above
        return false;
    }
    count_private(bytes);
    return true;
}

Span* HeapCore::take(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept {
    if (!count(slices)) {
        HEAPWRIGHT_PROBE2(refused, std::size_t{slices} * kSliceBytes, id_);
        return nullptr;
    }
    Span* const span = take_slices(slices, alignment, is_zero);
    if (span == nullptr) {
        uncount(slices);
        HEAPWRIGHT_PROBE2(refused, std::size_t{slices} * kSliceBytes, id_);
        return nullptr;
    }
    HEAPWRIGHT_PROBE3(span_taken, span->start, std::size_t{slices} * kSliceBytes, id_);
    return span;
}

void HeapCore::give(Span* span) noexcept {
    HEAPWRIGHT_PROBE3(span_given, span->start, std::size_t{span->slices} * kSliceBytes, id_);
    uncount(span->slices);
    give_slices(span);
}

void HeapCore::give_blocks(Span* span) noexcept {
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        drop_mixed_record(span);
    }
    if (!span->is_meshed() || part_with_mesh(span)) {
        give(span);
    } else {
        uncount(1);  // the mesher gives it back
    }
}

bool HeapCore::extend(Span* span, std::uint32_t wanted) noexcept {
    const std::uint32_t more = wanted - span->slices;
    if (!count(more)) {
        return false;
    }
    bool is_zero = false;
    if (!extend_slices(span, wanted, is_zero)) {
        uncount(more);
        return false;
    }
    return true;
}

void HeapCore::shorten(Span* span, std::uint32_t wanted) noexcept {
    uncount(span->slices - wanted);
    shorten_slices(span, wanted);
}

ThreadCache* HeapCore::home_of_large() noexcept {
    const os::LockGuard guard(lock_);
    if (large_ == nullptr) {
        large_ = make_cache();
        if (large_ != nullptr) {
            large_->attach(*this, owner::kNobody, nullptr);
            large_->next = caches_;
            caches_ = large_;
        }
    }
    return large_;
}

void HeapCore::discard_all() noexcept {
    ThreadCache* parked = nullptr;
    {
        const os::LockGuard guard(lock_);
        for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
            if (cache->is_attached()) {
                cache->discard();
            }
        }
        while (Span* const span = all_abandoned_) {
            unlink(span);
            give_blocks(span);
        }
        parked = parked_;
        parked_ = nullptr;
        caches_ = nullptr;
    }
    if (large_ != nullptr) {
        spare_cache(large_);
        large_ = nullptr;
    }
    // A cache of a living thread is in that thread's list, and is spared when the thread looks at it.
    while (parked != nullptr) {
        ThreadCache* const cache = parked;
        parked = cache->parked_next;
        spare_cache(cache);
    }
}

ThreadCache* HeapCore::obtain(std::uintptr_t thread, Span** direct) noexcept {
    const os::LockGuard guard(lock_);
    ThreadCache* cache = parked_;
    if (cache != nullptr) {
        parked_ = cache->parked_next;
    } else {
        cache = make_cache();
        if (cache == nullptr) {
            HEAPWRIGHT_PROBE2(refused, sizeof(ThreadCache), id_);
            return nullptr;
        }
        cache->next = caches_;
        caches_ = cache;
    }
    cache->attach(*this, thread, direct);
    HEAPWRIGHT_PROBE2(thread_joined, thread, id_);
    return cache;
}

void HeapCore::park(ThreadCache* cache) noexcept {
    HEAPWRIGHT_PROBE2(thread_left, cache->thread(), id_);
    while (cache->mail.has_mail()) {
        cache->open_mail();
    }
    cache->detach();
    cache->forward_mail(nullptr);  // what comes from now on, its sender forwards
    const os::LockGuard guard(lock_);
    cache->parked_next = parked_;
    parked_ = cache;
}

void HeapCore::link(Span* span) noexcept {
    CacheChain::push(all_abandoned_, span);
    add_abandoned(1);
    span->next = nullptr;
    span->previous = nullptr;
    if (span->is_mixed()) {
        settle_freed(span);
    } else {
        // One with nothing to hand out waits until somebody frees into it.
        const bool has_room = span->local_free != nullptr || span->has_uncarved() || absent_blocks(span) != 0;
        span->state = has_room ? SpanState::dense : SpanState::full;
    }
    span->set_live(span->live(), span->live() - frees_before_adoption(span));
    note_put_aside(span);
    note_stirred();
    if (Span** const list = abandoned_list_of(span); list != nullptr) {
        ListChain::push(*list, span);
    }
}

/// The list that an abandoned span is in; nullptr: none.
Span** HeapCore::abandoned_list_of(const Span* span) noexcept {
    if (span->is_mixed()) {
        return &abandoned_mixed_;
    }
    return span->state == SpanState::dense ? &abandoned_[span->size_class] : nullptr;
}

void HeapCore::put_abandoned(Span* span) noexcept {
    const os::LockGuard guard(lock_);
    link(span);
    span->owner.store(owner::kAbandoned, std::memory_order_release);  // pairs with the acquire in claim()
}

void HeapCore::forward_mail(bool stale_only) noexcept {
    ThreadCache* cache = nullptr;
    {
        const os::LockGuard guard(lock_);
        cache = caches_;
    }
    // Those behind the first do not change, and telling the clock may ask for the lock.
    for (; cache != nullptr; cache = cache->next) {
        if (stale_only) {
            cache->forward_stale_mail();
        } else {
            cache->forward_mail(nullptr);
        }
    }
}

void HeapCore::sweep_abandoned() noexcept {
    Span* empty = nullptr;
    {
        const os::LockGuard guard(lock_);
        Span* following = nullptr;
        for (Span* span = all_abandoned_; span != nullptr; span = following) {
            following = span->cache_next;
            if (span->remote.load(std::memory_order_relaxed) <= kWantsNotice) {  // a hint; take_remote() acquires
                continue;
            }
            unlink(span);
            take_remote(span);
            if (span->live() != 0) {
                link(span);
            } else {
                span->next = empty;
                empty = span;
            }
        }
    }
    while (empty != nullptr) {
        Span* const span = empty;
        empty = span->next;
        give_blocks(span);
    }
}

void HeapCore::unlink(Span* span) noexcept {
    CacheChain::erase(all_abandoned_, span);
    add_abandoned(~std::uint32_t{0});  // one less
    if (Span** const list = abandoned_list_of(span); list != nullptr) {
        ListChain::erase(*list, span);
    }
    span->set_live(span->live(), 0);
    span->next = nullptr;
    span->previous = nullptr;
}

Span* HeapCore::claim_any(SizeClass size_class, std::uintptr_t thread) noexcept {
    if (!has_abandoned()) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    Span* const span = abandoned_[size_class];
    if (span != nullptr) {
        is_claimed_[size_class] = true;
        unlink(span);
        span->owner.store(thread, std::memory_order_relaxed);  // the lock orders all that the last owner wrote
    }
    return span;
}

Span* HeapCore::claim_mixed(std::uintptr_t thread) noexcept {
    if (!has_abandoned()) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    Span* const span = abandoned_mixed_;
    if (span != nullptr) {
        unlink(span);
        span->owner.store(thread, std::memory_order_relaxed);  // as in claim_any()
    }
    return span;
}

Span* HeapCore::claim_to_mix(std::uintptr_t thread) noexcept {
    if (!has_abandoned()) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    if (++claims_to_mix_ == kLately) {
        claims_to_mix_ = 0;
        is_claimed_.fill(false);
    }
    for (unsigned number = kClassCount; number-- > 1;) {
        Span* span = is_claimed_[number] || slices_of(static_cast<SizeClass>(number)) != 1 ? nullptr : abandoned_[number];
        for (unsigned looked_at = 0; span != nullptr && looked_at < kLookedAt; span = span->next, ++looked_at) {
            if (span->live() * 2 <= span->capacity && !span->is_meshed()) {
                unlink(span);
                span->owner.store(thread, std::memory_order_relaxed);  // as in claim_any()
                return span;
            }
        }
    }
    return nullptr;
}

bool HeapCore::put_into_abandoned(Span* span, FreeBlock* block) noexcept {
    const os::LockGuard guard(lock_);
    if (span->owner.load(std::memory_order_relaxed) != owner::kAbandoned || span->countdown <= 1) {  // under the lock it stays so
        return false;
    }
    const std::uint32_t floor = span->floor;
    if (span->is_mixed()) {
        put_home_mixed(span, block, 1);
    } else if (span->is_meshed()) {
        put_home_meshed(span, block, 1);
    } else {
        put_home(span, block, block, 1);
    }
    span->set_live(span->live(), floor);
    if (span->state == SpanState::full) {
        span->state = SpanState::dense;
        ListChain::push(abandoned_[span->size_class], span);
    }
    return true;
}

bool HeapCore::claim(Span* span, std::uintptr_t thread) noexcept {
    const os::LockGuard guard(lock_);
    if (span->owner.load(std::memory_order_acquire) != owner::kAbandoned) {  // pairs with put_abandoned()
        return false;
    }
    unlink(span);
    span->owner.store(thread, std::memory_order_relaxed);  // only this thread compares for equality
    return true;
}

void HeapCore::lock_all() noexcept {
    lock_.lock();
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        cache->lock().lock();
    }
}

void HeapCore::unlock_all() noexcept {
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        cache->lock().unlock();
    }
    lock_.unlock();
}

void HeapCore::reset_locks_after_fork() noexcept {
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        cache->visit_lock().reset_after_fork();
        cache->lock().reset_after_fork();
    }
    lock_.reset_after_fork();
}

void HeapCore::after_fork_in_child(std::uintptr_t survivor) noexcept {
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        if (cache->is_attached() && cache->thread() != survivor && !cache->serves_everybody()) {
            park(cache);
        }
    }
}

ThreadCache* HeapCore::find(std::uintptr_t thread) noexcept {
    const os::LockGuard guard(lock_);
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        if (cache->thread() == thread) {
            return cache;
        }
    }
    return nullptr;
}

void enlist_heap(HeapCore& heap) noexcept {
    const os::LockGuard guard(g_heaps_lock);
    heap.next = g_default_core.next;
    g_default_core.next = &heap;
}

void delist_heap(HeapCore& heap) noexcept {
    const os::LockGuard guard(g_heaps_lock);
    HeapCore* before = &g_default_core;
    while (before->next != &heap) {
        before = before->next;
    }
    before->next = heap.next;
}

void lock_heaps() noexcept {
    g_heaps_lock.lock();
    for_each_heap([](HeapCore& heap) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { heap.lock_all(); });
    g_spare_lock.lock();
}

void unlock_heaps() noexcept {
    g_spare_lock.unlock();
    for_each_heap([](HeapCore& heap) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { heap.unlock_all(); });
    g_heaps_lock.unlock();
}

void reset_heap_locks_after_fork() noexcept {
    g_spare_lock.reset_after_fork();
    for_each_heap([](HeapCore& heap) HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { heap.reset_locks_after_fork(); });
    g_heaps_lock.reset_after_fork();
}

const char* HeapCore::broken_invariant() noexcept {
    const os::LockGuard visiting(visitor_lock());
    const os::LockGuard guard(lock_);
    for (unsigned number = 0; number < kClassCount; ++number) {
        for (const Span* span = abandoned_[number]; span != nullptr; span = span->next) {
            const bool is_abandoned = span->owner.load(std::memory_order_relaxed) == owner::kAbandoned;  // under the lock
            if (!is_abandoned || span->state != SpanState::dense || span->size_class != number) {
                return "HC1: a list of abandoned spans holds another";
            }
        }
    }
    for (const Span* span = abandoned_mixed_; span != nullptr; span = span->next) {
        if (span->owner.load(std::memory_order_relaxed) != owner::kAbandoned || !span->is_mixed()) {  // under the lock
            return "HC1: the list of abandoned mixed spans holds another";
        }
    }
    for (const ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        if (const char* const broken = cache->is_attached() ? cache->broken_invariant() : nullptr; broken != nullptr) {
            return broken;
        }
    }
    return nullptr;
}

}  // namespace heapwright::heap
