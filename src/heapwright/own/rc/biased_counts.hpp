// Counts for objects that one thread uses most: its copies cost what Rc's cost, those of others what Arc's cost.
//
//   owner's thread, its handles │ weak half as in counts.hpp │ handles of all others, may be below zero │ queued │ merged
//      plain, the owner writes                 atomic
//
// After J. Choi, T. Shull, J. Torrellas, "Biased Reference Counting" (2018). The object's handles are the sum of both
// numbers. A handle that the owner made and another thread drops takes one from the others' number, which may thus go
// below zero; only the owner can then tell whether the sum is zero. So whoever makes it negative first puts the object into
// the owner's queue, and the owner folds its own number into the others': merged, the object is an ordinary atomic one.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/rc/counts.hpp>
#include <heapwright/own/rc/make.hpp>
#include <heapwright/own/rc/weak.hpp>

namespace heapwright {

class BiasedCounts;

namespace detail {

/// How an object that waits in an owner's queue is ended, if nobody holds it.
struct QueuedObject {
    BiasedCounts* counts;
    void* object;
    void (*end)(void* object) noexcept;
    QueuedObject* next;
};

// The calling thread's number as an owner; 0 until it makes its first biased object. See os/lanes.hpp for the model.
extern constinit thread_local std::uint32_t t_bias_number __attribute__((tls_model("initial-exec")));

// Something is in the thread's queue; other threads set it.
extern constinit thread_local std::atomic<bool> t_bias_waits __attribute__((tls_model("initial-exec")));

}  // namespace detail

/// Ends objects that wait for this thread: those it made, and other threads dropped the last handles of. Making a biased
/// object does the same first, and the end of a thread for the thread's; a thread that makes none for long calls this.
void drain_biased() noexcept;

/// Counts of 16 bytes. See HandleCounts.
class BiasedCounts {
public:
    explicit BiasedCounts(bool has_prefix) noexcept : owner_(detail::t_bias_number), word_((has_prefix ? kPrefix : 0) | kOneWeak | kZero) {
        // Relaxed: who drains takes the queue's lock.
        if (HEAPWRIGHT_UNLIKELY(detail::t_bias_number == 0) || HEAPWRIGHT_UNLIKELY(detail::t_bias_waits.load(std::memory_order_relaxed))) {
            begin_slow();
        }
    }

    HEAPWRIGHT_ALWAYS_INLINE void add_strong() noexcept {
        if (HEAPWRIGHT_LIKELY(is_mine())) {
            HEAPWRIGHT_CHECK(static_cast<std::int32_t>(++own_) >= 0, detail::kTooManyStrong);
        } else {
            // Relaxed: who copies a handle has one, see AtomicCounts.
            const std::uint64_t before = word_.fetch_add(kOne, std::memory_order_relaxed);
            HEAPWRIGHT_CHECK(others(before) < kMost, detail::kTooManyStrong);
        }
    }
    /// Returns:  true when it was the last. `end` is called later, and maybe by another thread, where only the owner can tell.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_strong(void* object, void (*end)(void*) noexcept) noexcept {
        if (HEAPWRIGHT_LIKELY(is_mine())) {
            return HEAPWRIGHT_UNLIKELY(--own_ == 0) && own_is_zero();
        }
        return drop_others_slow(object, end);
    }
    /// For a constructor that threw: the thread is the owner, and nobody else knows of the object.
    [[nodiscard]] bool drop_strong() noexcept { return drop_strong(nullptr, nullptr); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_add_strong() noexcept {
        if (HEAPWRIGHT_LIKELY(is_mine())) {
            add_strong();  // an owner's own number is not zero
            return true;
        }
        return try_add_others_slow();
    }
    /// Refused also where only the owner could tell whether it is the last.
    [[nodiscard]] bool try_drop_last() noexcept;

    HEAPWRIGHT_ALWAYS_INLINE void add_weak() noexcept {
        // Relaxed: as AtomicCounts.
        const std::uint64_t before = word_.fetch_add(kOneWeak, std::memory_order_relaxed);
        HEAPWRIGHT_CHECK((before & kGuard) == 0, detail::kTooManyWeak);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_weak() noexcept {
        // Release pairs with the acquire of whoever gives the block back; acquire, because that may be this thread.
        return (word_.fetch_sub(kOneWeak, std::memory_order_acq_rel) & kWeakMask) == kOneWeak;
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool end_object() noexcept { return is_alone() || drop_weak(); }

    [[nodiscard]] bool is_alone() const noexcept {
        // Acquire pairs with the release of drop_weak().
        return (word_.load(std::memory_order_acquire) & kWeakMask) == kOneWeak;
    }
    /// False also where only the owner could tell.
    [[nodiscard]] bool is_unique() const noexcept {
        // Acquire pairs with the release of every drop by another thread.
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        const std::int64_t own = is_mine() ? std::int64_t{own_} : 0;
        return (word & kWeakMask) == kOneWeak && (is_mine() || (word & kMerged) != 0) && others(word) + own == 1;
    }
    [[nodiscard]] std::uint32_t strong() const noexcept {
        // Relaxed: a figure of a moment.
        const std::uint64_t word = word_.load(std::memory_order_relaxed);
        if (is_mine() || (word & kMerged) != 0) {
            return static_cast<std::uint32_t>(others(word) + (is_mine() ? std::int64_t{own_} : 0));
        }
        return others(word) > 1 ? static_cast<std::uint32_t>(others(word)) : 1;  // the maker's are the maker's to count
    }
    [[nodiscard]] std::uint32_t weak() const noexcept {
        const std::uint64_t word = word_.load(std::memory_order_relaxed);  // as above
        return static_cast<std::uint32_t>((word & kWeakMask) >> 32) - (strong() > 0 ? 1U : 0U);
    }
    [[nodiscard]] bool has_prefix() const noexcept { return (word_.load(std::memory_order_relaxed) & kPrefix) != 0; }  // it never changes

    // Of a dead object: its numbers are nobody's any more, and `merged` stays. Relaxed: see HandleCounts.
    void set_link(void* link) noexcept {
        const auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(link));
        owner_.store(static_cast<std::uint32_t>(bits), std::memory_order_relaxed);
        own_ = static_cast<std::uint32_t>(bits >> 32);
    }
    [[nodiscard]] void* take_link() noexcept {
        const std::uint64_t bits = owner_.load(std::memory_order_relaxed) | std::uint64_t{own_} << 32;
        owner_.store(kNobody, std::memory_order_relaxed);
        own_ = 0;
        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(bits));
    }

    /// Folds the owner's number into the others', if that was not done, and takes the object from its queue if it is there.
    ///
    /// Requires: the caller is the owner, or the owner's thread has ended and the caller made the number negative.
    /// Returns:  true when nobody is left, and the caller ends the object.
    [[nodiscard]] bool merge(bool was_queued) noexcept;

    /// Sets the number of handles of other threads, for tests of what happens at its end.
    void set_others_for_test(std::int32_t count) noexcept {
        word_.store((word_.load(std::memory_order_relaxed) & (kPrefix | kWeakMask)) |
                        (kZero + static_cast<std::uint64_t>(count * std::int64_t{kOne})),
                    std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint32_t owner() const noexcept { return owner_.load(std::memory_order_relaxed); }  // for the queue, under its lock

private:
    static constexpr std::uint64_t kPrefix = std::uint64_t{1} << 63;
    static constexpr std::uint64_t kGuard = std::uint64_t{1} << 62;
    static constexpr std::uint64_t kOneWeak = std::uint64_t{1} << 32;
    static constexpr std::uint64_t kWeakMask = kPrefix - kOneWeak;
    // The lower half: the others' number, so that 0 stands in the middle, and two flags.
    static constexpr std::uint64_t kMerged = 1;
    static constexpr std::uint64_t kQueued = 2;
    static constexpr std::uint64_t kOne = 4;
    static constexpr std::uint64_t kZero = std::uint64_t{1} << 31;
    static constexpr std::int64_t kMost = std::int64_t{1} << 28;
    static constexpr std::uint32_t kNobody = UINT32_MAX;

    [[nodiscard]] static std::int64_t others(std::uint64_t word) noexcept {
        return (static_cast<std::int64_t>(word & (kOneWeak - kOne)) - static_cast<std::int64_t>(kZero)) >> 2;
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_mine() const noexcept {
        // Relaxed: it equals this thread's number only if this thread wrote it, or has it from who did.
        return owner_.load(std::memory_order_relaxed) == detail::t_bias_number;
    }
    HEAPWRIGHT_COLD void begin_slow() noexcept;
    /// Of the owner that has dropped all that it counted: whether nobody else is left.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool own_is_zero() noexcept {
        // Acquire pairs with the release of every drop by another thread.
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        if (HEAPWRIGHT_LIKELY((word & ~kPrefix) == (kOneWeak | kZero))) {
            // No handle is left from which another thread could make one: an old word cannot hide one, because the handle that
            // it was copied from was handed to this thread afterwards, or its drop is in the word as well.
            owner_.store(kNobody, std::memory_order_relaxed);
            word_.store(word | kMerged, std::memory_order_relaxed);
            return true;
        }
        return own_is_zero_slow();
    }
    [[nodiscard]] HEAPWRIGHT_NOINLINE bool own_is_zero_slow() noexcept;
    [[nodiscard]] HEAPWRIGHT_NOINLINE bool drop_others_slow(void* object, void (*end)(void*) noexcept) noexcept;
    [[nodiscard]] HEAPWRIGHT_NOINLINE bool try_add_others_slow() noexcept;

    std::atomic<std::uint32_t> owner_;
    std::uint32_t own_ = 1;  // the owner's thread alone reads and writes it
    std::atomic<std::uint64_t> word_;
};
static_assert(sizeof(BiasedCounts) == 16 && HandleCounts<BiasedCounts>);

/// The thread that makes an object is expected to use it most.
struct Biased {
    using Counts = BiasedCounts;
    using Blocks = HeapBlocks;
};

/// As Arc; copies by the thread that made the object cost what Rc's cost. 16 bytes an object.
///
/// An object whose last handle another thread drops may live until its maker comes by, see drain_biased(); get_mut(),
/// make_mut() and try_unwrap() by other threads treat it as shared until then.
template <class T>
using BiasedArc = Counted<T, Biased>;
template <class T>
using WeakBiasedArc = WeakCounted<T, Biased>;

template <class T, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE BiasedArc<T> make_biased_arc(Args&&... args) {
    return make_counted<T, Biased>(std::forward<Args>(args)...);
}
static_assert(sizeof(BiasedArc<int>) == 8);

}  // namespace heapwright
