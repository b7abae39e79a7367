// The slow paths of biased counts, and the queues of objects that wait for their owners.
#include <heapwright/own/rc/biased_counts.hpp>

#include <cstddef>
#include <new>
#include <utility>

#include <heapwright/os/lanes.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright {
namespace {

/// A thread that made biased objects, while it runs.
struct BiasOwner {
    std::uint32_t number = 0;
    os::ThreadToken thread = os::kNoThread;
    detail::QueuedObject* queue = nullptr;
    std::atomic<bool>* waits = nullptr;
    BiasOwner* next = nullptr;
};

constinit os::SpinLock g_lock;
constinit BiasOwner* g_owners HEAPWRIGHT_GUARDED_BY(g_lock) = nullptr;
constinit std::uint32_t g_last_number HEAPWRIGHT_GUARDED_BY(g_lock) = 0;
// Left by threads that ended: the next thread that drains takes them. The end of a thread is no place for destructors.
constinit std::atomic<detail::QueuedObject*> g_orphans{nullptr};

constinit thread_local BiasOwner t_owner;
constinit thread_local bool t_has_ended = false;

/// Is told when threads end. Made once, never destroyed: threads end after static destructors as well.
class Listener : private os::LaneOwner {
public:
    Listener() noexcept : LaneOwner(&thread_ended) {}

private:
    static void thread_ended(os::LaneOwner& /*owner*/, os::ThreadToken thread) noexcept {
        if (t_owner.thread != thread) {
            return;
        }
        const os::LockGuard guard(g_lock);
        BiasOwner** at = &g_owners;
        while (*at != &t_owner) {
            at = &(*at)->next;
        }
        *at = t_owner.next;
        detail::t_bias_number = 0;
        t_has_ended = true;
        while (detail::QueuedObject* const object = t_owner.queue) {
            t_owner.queue = object->next;
            // Relaxed on failure; release pairs with the acquire of drain_biased().
            object->next = g_orphans.load(std::memory_order_relaxed);
            while (!g_orphans.compare_exchange_weak(object->next, object, std::memory_order_release, std::memory_order_relaxed)) {}
        }
        t_owner = {};
    }
};

void listen_once() noexcept {
    static constinit std::atomic<int> state{0};
    alignas(Listener) static std::byte memory[sizeof(Listener)];
    int expected = 0;
    // Acquire pairs with the release below.
    if (state.compare_exchange_strong(expected, 1, std::memory_order_acquire)) {
        ::new (static_cast<void*>(memory)) Listener;
        state.store(2, std::memory_order_release);
    }
    while (state.load(std::memory_order_acquire) != 2) {
        __builtin_ia32_pause();
    }
}

void take_back(detail::QueuedObject* record) noexcept { HeapBlocks::deallocate(record, Layout::of<detail::QueuedObject>()); }

/// Puts an object into its owner's queue. False when the owner's thread has ended.
[[nodiscard]] bool try_enqueue(detail::QueuedObject* record) noexcept {
    const os::LockGuard guard(g_lock);
    const std::uint32_t number = record->counts->owner();
    for (BiasOwner* owner = g_owners; owner != nullptr; owner = owner->next) {
        if (owner->number == number) {
            record->next = owner->queue;
            owner->queue = record;
            owner->waits->store(true, std::memory_order_relaxed);  // only a hint
            return true;
        }
    }
    return false;
}

void end_all(detail::QueuedObject* records) noexcept {
    while (records != nullptr) {
        detail::QueuedObject* const record = records;
        records = record->next;
        const detail::QueuedObject queued = *record;
        take_back(record);
        if (queued.counts->merge(true)) {
            queued.end(queued.object);
        }
    }
}

}  // namespace

namespace detail {

constinit thread_local std::uint32_t t_bias_number = 0;
constinit thread_local std::atomic<bool> t_bias_waits{false};

}  // namespace detail

void BiasedCounts::begin_slow() noexcept {
    if (detail::t_bias_number != 0) {
        drain_biased();
        return;
    }
    if (t_has_ended) {
        // A destructor at the very end of the thread makes objects: they have no owner.
        owner_.store(kNobody, std::memory_order_relaxed);
        own_ = 0;
        word_.store((word_.load(std::memory_order_relaxed) + kOne) | kMerged, std::memory_order_relaxed);  // nobody else sees it yet
        return;
    }
    listen_once();
    const os::ThreadToken thread = os::current_thread();
    const os::LockGuard guard(g_lock);
    HEAPWRIGHT_CHECK(g_last_number < UINT32_MAX - 1, "too many threads have owned biased objects: 2^32");
    t_owner = {.number = ++g_last_number, .thread = thread, .queue = nullptr, .waits = &detail::t_bias_waits, .next = g_owners};
    g_owners = &t_owner;
    detail::t_bias_number = t_owner.number;
    owner_.store(t_owner.number, std::memory_order_relaxed);  // nobody else sees it yet
}

void drain_biased() noexcept {
    // Acquire pairs with the release of the thread that left them; relaxed where there are none.
    if (g_orphans.load(std::memory_order_relaxed) != nullptr) {
        end_all(g_orphans.exchange(nullptr, std::memory_order_acquire));
    }
    detail::QueuedObject* mine = nullptr;
    if (detail::t_bias_number != 0) {
        const os::LockGuard guard(g_lock);
        detail::t_bias_waits.store(false, std::memory_order_relaxed);
        mine = std::exchange(t_owner.queue, nullptr);
    }
    end_all(mine);
}

bool BiasedCounts::own_is_zero_slow() noexcept {
    std::uint64_t before = 0;
    {
        const os::LockGuard guard(g_lock);  // who finds no owner in try_enqueue() finds the word merged
        owner_.store(kNobody, std::memory_order_relaxed);
        // Release: what the owner did to the object comes before its end by another. Acquire: what others did, before this one's.
        before = word_.fetch_or(kMerged, std::memory_order_acq_rel);
    }
    if ((before & kQueued) != 0) {
        drain_biased();  // it may be that one that is dead
        return false;
    }
    return others(before) == 0;
}

bool BiasedCounts::drop_others_slow(void* object, void (*end)(void*) noexcept) noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);  // a guess
    std::uint64_t now = 0;
    bool is_first_below = false;
    do {
        now = seen - kOne;
        is_first_below = (now & (kMerged | kQueued)) == 0 && others(now) < 0;
        now |= is_first_below ? kQueued : 0;
        // Release and acquire: as AtomicCounts::drop_strong(), in one step.
    } while (!word_.compare_exchange_weak(seen, now, std::memory_order_acq_rel, std::memory_order_relaxed));
    if (!is_first_below) {
        return (now & (kMerged | kQueued)) == kMerged && others(now) == 0;
    }
    void* const memory = HeapBlocks::try_allocate(Layout::of<detail::QueuedObject>());
    if (memory == nullptr) {
        // The next one that drops a handle tries again, and so does the owner when its own number becomes zero.
        const std::uint64_t before = word_.fetch_and(~kQueued, std::memory_order_acq_rel);
        return (before & kMerged) != 0 && others(before) == 0;
    }
    auto* const record = ::new (memory) detail::QueuedObject{.counts = this, .object = object, .end = end, .next = nullptr};
    if (try_enqueue(record)) {
        return false;
    }
    take_back(record);
    return merge(true);  // the owner's thread has ended: its number stays as it is, and the queue's lock orders it before this
}

bool BiasedCounts::try_add_others_slow() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);  // a guess
    do {
        if ((seen & kMerged) != 0 && others(seen) <= 0) {
            return false;
        }
        HEAPWRIGHT_CHECK(others(seen) < kMost, detail::kTooManyStrong);
        // Acquire pairs with the release of every drop.
    } while (!word_.compare_exchange_weak(seen, seen + kOne, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
}

bool BiasedCounts::merge(bool was_queued) noexcept {
    const os::LockGuard guard(g_lock);  // as in own_is_zero_slow()
    std::uint64_t own = 0;
    std::uint64_t seen = word_.load(std::memory_order_relaxed);  // a guess
    if ((seen & kMerged) == 0) {
        own = own_;  // only the caller may use it now
        own_ = 0;
        owner_.store(kNobody, std::memory_order_relaxed);
    }
    std::uint64_t now = 0;
    do {
        now = ((seen + own * kOne) | kMerged) & ~(was_queued ? kQueued : 0);
        // Release and acquire: as drop_others_slow().
    } while (!word_.compare_exchange_weak(seen, now, std::memory_order_acq_rel, std::memory_order_relaxed));
    return others(now) == 0 && (now & kQueued) == 0;
}

bool BiasedCounts::try_drop_last() noexcept {
    if (is_mine()) {
        if (merge(false)) {
            return true;  // cannot be: the caller holds a handle
        }
    }
    std::uint64_t seen = word_.load(std::memory_order_relaxed);  // a guess
    while ((seen & (kMerged | kQueued)) == kMerged && others(seen) == 1) {
        // Release and acquire: as drop_others_slow().
        if (word_.compare_exchange_weak(seen, seen - kOne, std::memory_order_acq_rel, std::memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

}  // namespace heapwright
