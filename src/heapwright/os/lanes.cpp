// The list of lane owners, and the hook that tells them of a thread's end.
#include <heapwright/os/lanes.hpp>

#include <atomic>

#include <pthread.h>

#include <heapwright/base/check.hpp>
#include <heapwright/base/thread_safety.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::os {

namespace detail {

constinit thread_local LaneCache lane_cache{};

}  // namespace detail

struct OwnerList {
    SpinLock lock;
    LaneOwner* first HEAPWRIGHT_GUARDED_BY(lock) = nullptr;

    void add(LaneOwner& owner) noexcept {
        const LockGuard guard{lock};
        owner.next_ = first;
        if (first != nullptr) {
            first->previous_ = &owner;
        }
        first = &owner;
    }

    void remove(LaneOwner& owner) noexcept {
        const LockGuard guard{lock};
        (owner.previous_ == nullptr ? first : owner.previous_->next_) = owner.next_;
        if (owner.next_ != nullptr) {
            owner.next_->previous_ = owner.previous_;
        }
    }

    void tell_all(ThreadToken thread) noexcept {
        const LockGuard guard{lock};
        for (LaneOwner* owner = first; owner != nullptr; owner = owner->next_) {
            owner->thread_ended_(*owner, thread);
        }
    }
};

namespace {

constinit OwnerList owners;
constinit std::atomic<std::uint64_t> last_owner_id{0};
constinit std::atomic<std::uint64_t> last_thread{0};
constinit thread_local ThreadToken this_thread = kNoThread;

/// A key of pthread's instead of a thread_local with a destructor, which would allocate when it is first touched.
class ExitKey {
public:
    void arm() noexcept {
        static_cast<void>(pthread_once(&once_, [] { usable_ = pthread_key_create(&key_, thread_ends) == 0; }));
        if (usable_) {
            static_cast<void>(pthread_setspecific(key_, &key_));  // any value but nullptr arms it
        }
    }

private:
    static void thread_ends(void* /*value*/) noexcept {
        const ThreadToken thread = this_thread;
        // Should another destructor use a shared object after this one, it does so as a new thread and arms the key again.
        this_thread = kNoThread;
        detail::lane_cache = {};
        owners.tell_all(thread);
    }

    static constinit pthread_once_t once_;
    static constinit pthread_key_t key_;
    static constinit bool usable_;
};
constinit pthread_once_t ExitKey::once_ = PTHREAD_ONCE_INIT;
constinit pthread_key_t ExitKey::key_ = 0;
constinit bool ExitKey::usable_ = false;

}  // namespace

// Relaxed: ids only have to differ, nothing is read through them.
LaneOwner::LaneOwner(ThreadEnded thread_ended) noexcept
    : id_(last_owner_id.fetch_add(1, std::memory_order_relaxed) + 1),
      cache_offset_(id_ % detail::LaneCache::kEntries * sizeof(detail::LaneCache::Entry)),
      thread_ended_(thread_ended) {
    owners.add(*this);
}

LaneOwner::~LaneOwner() { HEAPWRIGHT_CHECK(!is_listening_, "an owner of lanes must stop listening before its parts are destroyed"); }

void LaneOwner::stop_listening() noexcept {
    owners.remove(*this);
    is_listening_ = false;
}

ThreadToken current_thread() noexcept {
    if (this_thread == kNoThread) {
        // Relaxed: as above.
        this_thread = ThreadToken{last_thread.fetch_add(1, std::memory_order_relaxed) + 1};
        ExitKey{}.arm();
    }
    return this_thread;
}

}  // namespace heapwright::os
