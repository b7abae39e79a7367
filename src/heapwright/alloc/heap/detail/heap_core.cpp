// Caches handed from thread to thread, and spans that wait for an owner.
#include <heapwright/alloc/heap/detail/heap_core.hpp>

#include <new>

#include <heapwright/alloc/heap/detail/regions.hpp>

namespace heapwright::heap {

constinit HeapCore g_default_core;

ThreadCache* HeapCore::obtain(std::uintptr_t thread, Span** direct) noexcept {
    const os::LockGuard guard(lock_);
    ThreadCache* cache = parked_;
    if (cache != nullptr) {
        parked_ = cache->parked_next;
    } else {
        void* const room = allocate_metadata(sizeof(ThreadCache));
        if (room == nullptr) {
            return nullptr;
        }
        cache = new (room) ThreadCache;
        cache->next = caches_;
        caches_ = cache;
    }
    cache->attach(*this, thread, direct);
    return cache;
}

void HeapCore::park(ThreadCache* cache) noexcept {
    cache->detach();
    const os::LockGuard guard(lock_);
    cache->parked_next = parked_;
    parked_ = cache;
}

void HeapCore::link(Span* span) noexcept {
    span->cache_previous = nullptr;
    span->cache_next = all_abandoned_;
    if (all_abandoned_ != nullptr) {
        all_abandoned_->cache_previous = span;
    }
    all_abandoned_ = span;
    span->next = nullptr;
    span->previous = nullptr;
    // One with nothing to hand out waits until somebody frees into it.
    span->state = span->local_free != nullptr || span->has_uncarved() ? SpanState::dense : SpanState::full;
    if (span->state == SpanState::dense) {
        Span*& head = abandoned_[span->size_class];
        span->next = head;
        if (head != nullptr) {
            head->previous = span;
        }
        head = span;
    }
}

void HeapCore::put_abandoned(Span* span) noexcept {
    const os::LockGuard guard(lock_);
    link(span);
    span->owner.store(owner::kAbandoned, std::memory_order_release);  // pairs with the acquire in claim()
}

void HeapCore::sweep_abandoned() noexcept {
    Span* empty = nullptr;
    {
        const os::LockGuard guard(lock_);
        Span* next = nullptr;
        for (Span* span = all_abandoned_; span != nullptr; span = next) {
            next = span->cache_next;
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
        give_slices(span);
    }
}

void HeapCore::unlink(Span* span) noexcept {
    (span->cache_previous != nullptr ? span->cache_previous->cache_next : all_abandoned_) = span->cache_next;
    if (span->cache_next != nullptr) {
        span->cache_next->cache_previous = span->cache_previous;
    }
    if (span->state == SpanState::dense) {
        (span->previous != nullptr ? span->previous->next : abandoned_[span->size_class]) = span->next;
        if (span->next != nullptr) {
            span->next->previous = span->previous;
        }
    }
    span->next = nullptr;
    span->previous = nullptr;
}

Span* HeapCore::claim_any(SizeClass size_class, std::uintptr_t thread) noexcept {
    const os::LockGuard guard(lock_);
    Span* const span = abandoned_[size_class];
    if (span != nullptr) {
        unlink(span);
        span->owner.store(thread, std::memory_order_relaxed);  // the lock orders all that the last owner wrote
    }
    return span;
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

void HeapCore::after_fork_in_child(const ThreadCache* survivor) noexcept {
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        cache->lock().reset_after_fork();
    }
    lock_.reset_after_fork();
    for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
        if (cache->is_attached() && cache != survivor && !cache->serves_everybody()) {
            park(cache);
        }
    }
}

}  // namespace heapwright::heap
