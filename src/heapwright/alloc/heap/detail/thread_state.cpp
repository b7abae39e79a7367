// Threads that come and go, and blocks that travel between them.
#include <heapwright/alloc/heap/detail/thread_state.hpp>

#include <pthread.h>

#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

constinit thread_local ThreadState t_state;

namespace {

constinit os::SpinLock g_ends_lock;  // of heaps and of threads: which of a pair ends first must see the other
constinit os::SpinLock g_key_lock;
constinit std::atomic<bool> g_has_key{false};
constinit pthread_key_t g_key = 0;

void on_exit(void* /*unused*/) { leave_thread(); }

}  // namespace

bool push_remote_quietly(Span* span, FreeBlock* first, FreeBlock* last) noexcept {
    std::uintptr_t before = span->remote.load(std::memory_order_relaxed);  // the exchange looks again
    do {
        last->next = reinterpret_cast<FreeBlock*>(before & ~kWantsNotice);
        // Release pairs with the acquire in take_remote(). The span cannot go away before: these blocks count as live.
    } while (!span->remote.compare_exchange_weak(before, reinterpret_cast<std::uintptr_t>(first), std::memory_order_release,
                                                 std::memory_order_relaxed));
    const bool wants_notice = (before & kWantsNotice) != 0;
    if (wants_notice) {
        ThreadCache::notify(span);
    }
    return wants_notice;
}

void push_remote(Span* span, FreeBlock* first, FreeBlock* last) noexcept {
    if (push_remote_quietly(span, first, last)) {
        note_freed_in_spans();
    }
}

void Outbox::send(Entry& entry) noexcept {
    ThreadCache* const cache = entry.cache;
    entry.cache = nullptr;
    cache->mail.put(entry.first, entry.last);
    if (cache->is_left()) {
        cache->forward_mail(t_state.cache);
    }
    untold_bytes_ += entry.bytes;
    if (untold_bytes_ >= kSliceBytes) {  // whom it is sent to may sleep
        untold_bytes_ = 0;
        note_stirred();
        note_freed_in_spans();
    }
}

void Outbox::add(Span* span, FreeBlock* block) noexcept {
    // Pairs with the release in ThreadCache::add(). A cache is never unmapped, and finds out whose the span is then.
    ThreadCache* const cache = span->cache.load(std::memory_order_acquire);
    if (cache == nullptr || cache->serves_everybody()) {
        push_remote(span, block, block);
        return;
    }
    Entry& entry = entries_[(reinterpret_cast<std::uintptr_t>(cache) / sizeof(ThreadCache)) % kEntries];
    if (entry.cache != cache) {
        if (entry.cache != nullptr) {
            send(entry);
        }
        entry = {.cache = cache, .first = nullptr, .last = block, .count = 0, .bytes = 0};
    }
    block->next = entry.first;
    entry.first = block;
    entry.bytes += span->block_bytes;
    if (++entry.count == kMostBlocks || entry.bytes >= kMostBytes) {
        send(entry);
    }
}

void Outbox::flush() noexcept {
    for (Entry& entry : entries_) {
        if (entry.cache != nullptr) {
            send(entry);
        }
    }
}

ThreadCache* cache_of_thread() noexcept {
    ThreadState& state = t_state;
    if (state.cache == nullptr && !state.has_left) {
        if (g_routes.load(std::memory_order_relaxed) != nullptr) {  // what it leads to is not read
            return cache_under_plan();
        }
        state.cache = g_default_core.obtain(thread_pointer(), state.direct.data());
        if (state.cache != nullptr) {
            watch_thread_exit();
        }
    }
    return state.cache;
}

ThreadCache* cache_of_thread(HeapCore& heap) noexcept {
    ThreadState& state = t_state;
    ThreadState::Slot& slot = state.slots[heap.id() % state.slots.size()];
    if (HEAPWRIGHT_LIKELY(slot.heap == heap.id())) {
        return slot.cache;
    }
    if (state.has_left) {
        return nullptr;
    }
    ThreadCache* cache = heap.find(thread_pointer());
    if (cache == nullptr) {
        cache = heap.obtain(thread_pointer(), nullptr);
        if (cache == nullptr) {
            return nullptr;
        }
        cache->thread_next = state.caches;
        state.caches = cache;
        watch_thread_exit();
    }
    slot = {.heap = heap.id(), .cache = cache};
    return cache;
}

void discard_heap(HeapCore& heap) noexcept {
    const os::LockGuard guard(g_ends_lock);
    heap.discard_all();
}

void watch_thread_exit() noexcept {
    if (!g_has_key.load(std::memory_order_acquire)) {  // pairs with the release below
        const os::LockGuard guard(g_key_lock);
        if (!g_has_key.load(std::memory_order_relaxed)) {  // under the lock
            if (pthread_key_create(&g_key, on_exit) != 0) {
                return;  // spans of threads that end are used again only after fork; nothing breaks
            }
            g_has_key.store(true, std::memory_order_release);  // pairs with the acquire above
        }
    }
    // Any value but nullptr: the destructor is called for it.
    pthread_setspecific(g_key, &g_key);
}

void leave_thread() noexcept {
    ThreadState& state = t_state;
    state.has_left = true;
    state.outbox.flush();
    leave_plan();
    if (ThreadCache* const cache = state.cache; cache != nullptr) {
        state.cache = nullptr;
        g_default_core.park(cache);
    }
    const os::LockGuard guard(g_ends_lock);
    state.slots.fill({});
    while (ThreadCache* const cache = state.caches) {
        state.caches = cache->thread_next;
        if (HeapCore* const heap = cache->heap(); heap != nullptr) {
            heap->park(cache);
        } else {
            spare_cache(cache);  // its heap is gone
        }
    }
}

}  // namespace heapwright::heap
