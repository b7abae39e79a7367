// Blocks on their way home: what other threads freed into a cache's spans, on one list whatever span they are of.
#pragma once

#include <atomic>

#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::heap {

/// Whoever frees another thread's blocks puts them in here, many at a time; the thread takes them home when it is at its spans
/// anyway. The blocks count as live until then, so that their spans stay where they are, whosever they become.
///
/// Thread safety: any number of threads may do anything.
class Mailbox {
public:
    constexpr Mailbox() noexcept = default;

    void put(FreeBlock* first, FreeBlock* last) noexcept {
        FreeBlock* before = first_.load(std::memory_order_relaxed);  // the exchange looks again
        do {
            last->next = before;
            // Sequentially consistent: whoever puts looks then whether the thread is still there, and a thread that ends takes what
            // is in here after it said so (Outbox::send, ThreadCache::leave). It also pairs, as a release, with take().
        } while (!first_.compare_exchange_weak(before, first, std::memory_order_seq_cst, std::memory_order_relaxed));
    }

    /// Everything that is in it.
    [[nodiscard]] FreeBlock* take() noexcept { return first_.exchange(nullptr, std::memory_order_seq_cst); }  // pairs with put()
    /// What was taken and is too much for now. Cost: O(blocks that came meanwhile).
    void put_back(FreeBlock* first) noexcept;
    /// Whether there may be something to take.
    [[nodiscard]] bool has_mail() const noexcept { return first_.load(std::memory_order_relaxed) != nullptr; }  // a hint

private:
    alignas(kCacheLineBytes) std::atomic<FreeBlock*> first_{nullptr};
};

}  // namespace heapwright::heap
