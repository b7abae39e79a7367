// The weak cache for many threads: each object is made once, whoever asks first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/os/spin_lock.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/rc/weak_cache.hpp>

namespace heapwright {

/// As WeakCache, with Arc handles. While one thread makes an object, others that want the same key wait for it; those that
/// want other keys do not.
///
/// Thread safety: any thread; the destructor requires that no thread uses it.
template <class Key, class T, class Hash = std::hash<Key>>
class SharedWeakCache {
    using Strong = Counted<T, ManyThreads>;

public:
    SharedWeakCache() noexcept = default;
    explicit SharedWeakCache(Hash hash) noexcept : cache_(std::move(hash)) {}

    [[nodiscard]] Strong find(const Key& key) noexcept {
        const os::LockGuard guard(lock_);
        return cache_.find(key);
    }

    /// As WeakCache::get_or_create(); `make` runs without a lock, and once: threads that ask meanwhile get its object, or
    /// try themselves if it threw or returned an empty handle.
    ///
    /// Requires: `make` does not ask for the same key.
    template <class Make>
    [[nodiscard]] Strong get_or_create(const Key& key, Make make) {
        Making making{*this, key};
        if (Strong found = making.find_or_begin()) {
            return found;
        }
        Strong made = make();  // the guard lets the others go on when it throws
        making.finish(made);
        return made;
    }

    void erase(const Key& key) noexcept {
        const os::LockGuard guard(lock_);
        cache_.erase(key);
    }
    void sweep() noexcept {
        const os::LockGuard guard(lock_);
        cache_.sweep();
    }
    [[nodiscard]] WeakCacheStats stats() noexcept {
        const os::LockGuard guard(lock_);
        return cache_.stats();
    }
    [[nodiscard]] const char* broken_invariant() noexcept {
        const os::LockGuard guard(lock_);
        return cache_.broken_invariant();
    }

private:
    /// A thread that makes the object of a key; on the list of such while it does.
    class Making {
    public:
        Making(SharedWeakCache& cache, const Key& key) noexcept : cache_(cache), key_(key) {}
        Making(const Making&) = delete;
        Making& operator=(const Making&) = delete;
        ~Making() {
            if (is_listed_) {
                const os::LockGuard guard(cache_.lock_);
                leave();
            }
        }
        [[nodiscard]] Strong find_or_begin() noexcept {
            for (;;) {
                std::uint32_t turn = 0;
                {
                    const os::LockGuard guard(cache_.lock_);
                    if (Strong found = cache_.cache_.find(key_)) {
                        return found;
                    }
                    if (!cache_.is_being_made(key_)) {
                        next_ = cache_.making_;
                        cache_.making_ = this;
                        is_listed_ = true;
                        return {};
                    }
                    // Relaxed: it changes under the lock only.
                    turn = cache_.turns_.load(std::memory_order_relaxed);
                }
                static_cast<void>(os::futex_wait(&cache_.turns_, turn));
            }
        }
        void finish(const Strong& made) {
            const os::LockGuard guard(cache_.lock_);
            if (made) {
                cache_.cache_.insert(key_, made);
            }
            leave();
        }

    private:
        friend class SharedWeakCache;

        void leave() noexcept HEAPWRIGHT_REQUIRES_LOCK(cache_.lock_) {
            Making** at = &cache_.making_;
            while (*at != this) {
                at = &(*at)->next_;
            }
            *at = next_;
            is_listed_ = false;
            // Relaxed: who waits looks again under the lock.
            cache_.turns_.fetch_add(1, std::memory_order_relaxed);
            os::futex_wake(&cache_.turns_);
        }

        SharedWeakCache& cache_;
        const Key& key_;
        Making* next_ = nullptr;
        bool is_listed_ = false;
    };

    [[nodiscard]] bool is_being_made(const Key& key) const noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_) {
        for (const Making* making = making_; making != nullptr; making = making->next_) {
            if (making->key_ == key) {
                return true;
            }
        }
        return false;
    }

    os::SpinLock lock_;
    BasicWeakCache<Key, T, ManyThreads, Hash> cache_ HEAPWRIGHT_GUARDED_BY(lock_);
    Making* making_ HEAPWRIGHT_GUARDED_BY(lock_) = nullptr;
    std::atomic<std::uint32_t> turns_{0};  // goes on when somebody stopped making
};

}  // namespace heapwright
