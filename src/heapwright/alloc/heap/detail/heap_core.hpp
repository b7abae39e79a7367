// What the threads of one heap share: the spans that nobody owns, and the caches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/thread_cache.hpp>

namespace heapwright::heap {

/// One heap.
///
///   HC1  every span in a list of abandoned spans is abandoned, in state dense, and of the list's class
///
/// Thread safety: any thread.
class HeapCore {
public:
    constexpr HeapCore() noexcept = default;

    /// A cache for a thread: one that another thread left, or a new one.
    ///
    /// Returns: nullptr when memory is exhausted.
    [[nodiscard]] ThreadCache* obtain(std::uintptr_t thread, Span** direct) noexcept;
    /// The thread is gone.
    void park(ThreadCache* cache) noexcept;

    /// Requires: the caller owns the span and has taken it out of its cache.
    void put_abandoned(Span* span) noexcept;
    /// Makes `thread` the owner of an abandoned span of the class that has room; nullptr when there is none.
    [[nodiscard]] Span* claim_any(SizeClass size_class, std::uintptr_t thread) noexcept;
    /// Makes `thread` the owner of this one. Returns false when somebody else was faster.
    [[nodiscard]] bool claim(Span* span, std::uintptr_t thread) noexcept;

    /// Looks at abandoned spans that threads freed into: gives empty ones back, offers the others.
    void sweep_abandoned() noexcept;

    /// Around fork.
    void lock_all() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void unlock_all() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    /// In the child: all threads but `survivor`'s are gone. Requires: the locks are held.
    void after_fork_in_child(const ThreadCache* survivor) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

    /// Visits every cache that ever was. Their spans change unless their locks are held.
    template <class Visitor>
    void for_each_cache(Visitor visit) noexcept {
        const os::LockGuard guard(lock_);
        for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
            visit(*cache);
        }
    }
    /// Visits the spans that nobody owns.
    template <class Visitor>
    void for_each_abandoned(Visitor visit) noexcept {
        const os::LockGuard guard(lock_);
        for (const Span* span = all_abandoned_; span != nullptr; span = span->cache_next) {
            visit(*span);
        }
    }

private:
    void link(Span* span) noexcept;
    void unlink(Span* span) noexcept;

    os::SpinLock lock_;
    std::array<Span*, kClassCount> abandoned_{};  // with free blocks, or slots to carve
    Span* all_abandoned_ = nullptr;
    ThreadCache* caches_ = nullptr;
    ThreadCache* parked_ = nullptr;
};

/// The heap behind malloc.
extern constinit HeapCore g_default_core;

}  // namespace heapwright::heap
