// Caches handed from thread to thread, and spans that wait for an owner.
#include <heapwright/alloc/heap/detail/heap_core.hpp>

#include <bit>
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

ThreadCache* HeapCore::obtain(std::uintptr_t thread, Sink** direct) noexcept {
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
            cache->forget_lists();
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
        if (offered_.has(number) != (abandoned_[number] != nullptr)) {
            return "HC1: a list of abandoned spans is filled, and not known to be";
        }
        for (const Span* span = abandoned_[number]; span != nullptr; span = span->next) {
            const bool is_abandoned = span->owner.load(std::memory_order_relaxed) == owner::kAbandoned;  // under the lock
            if (!is_abandoned || span->state != SpanState::dense || span->size_class != number) {
                return "HC1: a list of abandoned spans holds another";
            }
        }
    }
    for (unsigned bin = 0; bin < kGapBins; ++bin) {
        if (offered_mixed_.has(bin) != (abandoned_mixed_[bin] != nullptr)) {
            return "HC1: a list of abandoned mixed spans is filled, and not known to be";
        }
        for (const Span* span = abandoned_mixed_[bin]; span != nullptr; span = span->next) {
            const bool is_abandoned = span->owner.load(std::memory_order_relaxed) == owner::kAbandoned;  // under the lock
            if (!is_abandoned || !span->is_mixed() || static_cast<unsigned>(std::bit_width(mixed_record_of(span)->longest_free())) != bin) {
                return "HC1: a list of abandoned mixed spans holds another";
            }
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
