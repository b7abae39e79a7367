// How many handles an object has: one 64-bit word before it, 32 bits for those that keep it and 32 for those that watch it.
//
//   31 ............... 0   31       30      29 .................. 0
//   │ strong handles      │ prefix │ guard │ weak handles, and one  │
//   │ bit 31: condemned   │                │ more while strong > 0  │
//
// The strong handles together hold one weak count, so that the block goes back when the weak half becomes zero, whoever
// is last. Strong zero, or condemned, means that the object is dead or dying: nobody may keep it any more.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

/// What a kind of counts offers to Counted. PlainCounts, AtomicCounts and BiasedCounts are such.
template <class C>
concept HandleCounts = requires(C& counts, const C& seen, void* link) {
    { counts.add_strong() } noexcept;
    { counts.drop_strong() } noexcept -> std::same_as<bool>;     // true: it was the last, and all that happened before is seen
    { counts.try_add_strong() } noexcept -> std::same_as<bool>;  // false: the object is dead
    { counts.try_drop_last() } noexcept -> std::same_as<bool>;   // drops it only if it is the last, as drop_strong() then
    { counts.add_weak() } noexcept;
    { counts.drop_weak() } noexcept -> std::same_as<bool>;   // true: the block is the caller's to give back
    { counts.end_object() } noexcept -> std::same_as<bool>;  // as drop_weak(), for the count that the strong handles hold
    { seen.is_alone() } noexcept -> std::same_as<bool>;      // of a dead object: no weak handle is left, and none can come
    { seen.is_unique() } noexcept -> std::same_as<bool>;     // one strong handle and no weak one, and all before is seen
    { seen.strong() } noexcept -> std::same_as<std::uint32_t>;
    { seen.weak() } noexcept -> std::same_as<std::uint32_t>;
    { seen.has_prefix() } noexcept -> std::same_as<bool>;
    { counts.set_link(link) } noexcept;                      // requires is_alone(): the word is nobody else's then
    { counts.take_link() } noexcept -> std::same_as<void*>;  // and makes the word what it was before set_link()
};

namespace detail {

inline constexpr const char* kTooManyStrong =
    "too many handles: an object has 2^31 strong ones, or is being destroyed and must not be kept; a loop that copies and never drops?";
inline constexpr const char* kTooManyWeak = "too many handles: an object has 2^30 weak ones; a loop that copies and never drops?";

/// Where a condemned count starts: so far above the sign that dropping every handle there can be leaves it set.
inline constexpr std::uint32_t kCondemned = 0xC000'0000U;

}  // namespace detail

/// For objects whose handles are one thread's at a time.
class PlainCounts {
public:
    explicit PlainCounts(bool has_prefix) noexcept : weak_(has_prefix ? kPrefix | 1U : 1U) {}

    /// Cost: two instructions, one of them the branch that refuses to overflow.
    HEAPWRIGHT_ALWAYS_INLINE void add_strong() noexcept {
        HEAPWRIGHT_CHECK(static_cast<std::int32_t>(++strong_) >= 0, detail::kTooManyStrong);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_strong() noexcept { return --strong_ == 0; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_add_strong() noexcept {
        if (static_cast<std::int32_t>(strong_) <= 0) {
            return false;
        }
        add_strong();
        return true;
    }
    [[nodiscard]] bool try_drop_last() noexcept { return strong_ == 1 && drop_strong(); }
    HEAPWRIGHT_ALWAYS_INLINE void add_weak() noexcept { HEAPWRIGHT_CHECK((++weak_ & kGuard) == 0, detail::kTooManyWeak); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_weak() noexcept { return (--weak_ & ~kPrefix) == 0; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool end_object() noexcept { return drop_weak(); }

    [[nodiscard]] bool is_alone() const noexcept { return (weak_ & ~kPrefix) == 1; }
    [[nodiscard]] bool is_unique() const noexcept { return strong_ == 1 && is_alone(); }
    [[nodiscard]] std::uint32_t strong() const noexcept { return static_cast<std::int32_t>(strong_) < 0 ? 0 : strong_; }
    [[nodiscard]] std::uint32_t weak() const noexcept { return (weak_ & ~kPrefix) - (strong() > 0 ? 1U : 0U); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool has_prefix() const noexcept { return (weak_ & kPrefix) != 0; }
    [[nodiscard]] bool is_condemned() const noexcept { return static_cast<std::int32_t>(strong_) < 0; }

    void set_link(void* link) noexcept {
        const auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(link)) | (has_prefix() ? 1U : 0U);
        strong_ = static_cast<std::uint32_t>(bits);
        weak_ = static_cast<std::uint32_t>(bits >> 32);
    }
    [[nodiscard]] void* take_link() noexcept {
        const std::uint64_t bits = strong_ | std::uint64_t{weak_} << 32;
        strong_ = 0;
        weak_ = (bits & 1) != 0 ? kPrefix | 1U : 1U;
        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(bits & ~std::uint64_t{1}));
    }

    /// For the cycle collector: the object is proven to be kept by nothing but garbage.
    void condemn() noexcept { strong_ = detail::kCondemned; }
    /// Gives the count its first value again, for tests of what happens at its end.
    void set_strong_for_test(std::uint32_t strong) noexcept { strong_ = strong; }

private:
    static constexpr std::uint32_t kPrefix = 1U << 31;
    static constexpr std::uint32_t kGuard = 1U << 30;

    std::uint32_t strong_ = 1;
    std::uint32_t weak_;
};
static_assert(sizeof(PlainCounts) == 8 && HandleCounts<PlainCounts>);

/// For objects whose handles any thread may copy and drop.
///
/// One word and not two halves, so that "one strong handle and no weak one" is one load: with two words somebody could
/// turn a weak handle into a strong one between the looks. The strong half is on top and one too small, so that the sign
/// of the word, which a locked instruction leaves in a flag, says both "that was the last" and "that was too many".
class AtomicCounts {
public:
    explicit AtomicCounts(bool has_prefix) noexcept : word_((has_prefix ? kPrefix : 0) | kOneWeak) {}

    HEAPWRIGHT_ALWAYS_INLINE void add_strong() noexcept {
        // Relaxed: who copies a handle has one, so the object is there, and nothing is learned from the count. As many
        // threads as there can be may pass between the first too many and its trap: 2^31 more fit.
        HEAPWRIGHT_CHECK(__atomic_add_fetch(&word_, kOneStrong, __ATOMIC_RELAXED) >= 0, detail::kTooManyStrong);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_strong() noexcept {
        // Release pairs with acquire_all() of whoever drops the last one: what this thread did to the object comes first.
        if (HEAPWRIGHT_LIKELY(__atomic_sub_fetch(&word_, kOneStrong, __ATOMIC_RELEASE) >= 0)) {
            return false;
        }
        acquire_all();
        return strong_of(word().load(std::memory_order_relaxed)) ==
               kDead;  // not where it is condemned: no strong handle changes a dead one's
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_add_strong() noexcept {
        // Relaxed: only a guess for the compare-and-swap.
        std::int64_t seen = word().load(std::memory_order_relaxed);
        do {
            if (seen < 0) {
                return false;
            }
            HEAPWRIGHT_CHECK(strong_of(seen) < INT32_MAX - 1, detail::kTooManyStrong);
            // Acquire pairs with the release of drop_strong() and of whoever handed the weak handle over. Relaxed on failure:
            // it is looked at again.
        } while (!word().compare_exchange_weak(seen, seen + kOneStrong, std::memory_order_acquire, std::memory_order_relaxed));
        return true;
    }
    [[nodiscard]] bool try_drop_last() noexcept {
        // Relaxed: only a guess, here and on failure.
        std::int64_t seen = word().load(std::memory_order_relaxed);
        while (strong_of(seen) == 0) {
            // Acquire and release: as drop_strong(), in one step.
            if (word().compare_exchange_weak(seen, seen - kOneStrong, std::memory_order_acq_rel, std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }
    HEAPWRIGHT_ALWAYS_INLINE void add_weak() noexcept {
        // Relaxed: as add_strong().
        HEAPWRIGHT_CHECK((word().fetch_add(kOneWeak, std::memory_order_relaxed) & kGuard) == 0, detail::kTooManyWeak);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_weak() noexcept {
        // Release pairs with acquire_all() of whoever gives the block back.
        if ((word().fetch_sub(kOneWeak, std::memory_order_release) & kWeakMask) != kOneWeak) {
            return false;
        }
        acquire_all();
        return true;
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool end_object() noexcept { return is_alone() || drop_weak(); }

    [[nodiscard]] bool is_alone() const noexcept {
        // Acquire pairs with the release of drop_weak(): their threads are done with the block.
        return (word().load(std::memory_order_acquire) & kWeakMask) == kOneWeak;
    }
    [[nodiscard]] bool is_unique() const noexcept {
        // Acquire pairs with the release of drop_strong() and drop_weak().
        return (word().load(std::memory_order_acquire) & ~kPrefix) == kOneWeak;
    }
    // Relaxed: figures of a moment.
    [[nodiscard]] std::uint32_t strong() const noexcept {
        const std::int32_t count = strong_of(word().load(std::memory_order_relaxed));
        return count < 0 ? 0 : static_cast<std::uint32_t>(count) + 1;
    }
    [[nodiscard]] std::uint32_t weak() const noexcept {
        const std::int64_t seen = word().load(std::memory_order_relaxed);
        return static_cast<std::uint32_t>(seen & kWeakMask) - (seen >= 0 ? 1U : 0U);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool has_prefix() const noexcept {
        return (word().load(std::memory_order_relaxed) & kPrefix) != 0;  // it never changes
    }
    [[nodiscard]] bool is_condemned() const noexcept { return strong_of(word().load(std::memory_order_relaxed)) < kDead; }

    // Relaxed: the word is this thread's alone, see is_alone().
    void set_link(void* link) noexcept {
        const auto bits = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(link));
        word().store(bits | (has_prefix() ? 1 : 0), std::memory_order_relaxed);
    }
    [[nodiscard]] void* take_link() noexcept {
        const std::int64_t bits = word().load(std::memory_order_relaxed);
        word().store(((bits & 1) != 0 ? kPrefix : 0) | kOneWeak | -kOneStrong, std::memory_order_relaxed);
        return reinterpret_cast<void*>(static_cast<std::uintptr_t>(bits & ~std::int64_t{1}));
    }

    /// See PlainCounts. Weak handles may come and go meanwhile; strong ones may not.
    void condemn() noexcept { set_strong_for_test(detail::kCondemned); }
    void set_strong_for_test(std::uint32_t strong) noexcept {
        const auto top = static_cast<std::int64_t>(std::uint64_t{strong - 1} << 32);
        // Relaxed: the collector's gate orders it before every later upgrade.
        std::int64_t seen = word().load(std::memory_order_relaxed);
        while (!word().compare_exchange_weak(seen, (seen & (kOneStrong - 1)) | top, std::memory_order_relaxed)) {}
    }

private:
    static constexpr std::int64_t kOneWeak = 1;
    static constexpr std::int64_t kGuard = std::int64_t{1} << 30;
    static constexpr std::int64_t kPrefix = std::int64_t{1} << 31;
    static constexpr std::int64_t kWeakMask = kPrefix - kOneWeak;  // with the guard, which counts in an overflow
    static constexpr std::int64_t kOneStrong = std::int64_t{1} << 32;
    static constexpr std::int32_t kDead = -1;

    [[nodiscard]] static std::int32_t strong_of(std::int64_t word) noexcept { return static_cast<std::int32_t>(word >> 32); }
    HEAPWRIGHT_ALWAYS_INLINE void acquire_all() const noexcept {
#if HEAPWRIGHT_UNDER_TSAN
        static_cast<void>(word().load(std::memory_order_acquire));  // ThreadSanitizer does not see fences; the load does the same
#else
        std::atomic_thread_fence(std::memory_order_acquire);  // pairs with the release of every drop before
#endif
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::atomic_ref<std::int64_t> word() const noexcept {
        return std::atomic_ref<std::int64_t>(word_);
    }

    // Not std::atomic: with the compiler's own operations the sign of a sum is a flag, with fetch_add() it is worked out.
    mutable std::int64_t word_;
};
static_assert(sizeof(AtomicCounts) == 8 && HandleCounts<AtomicCounts>);

}  // namespace heapwright
