// Blocks at hand: what this thread freed, for its next malloc of their size, while they are in the processor's cache. Nothing about
// their spans changes, no lock is taken, and nobody is told. Short ones: class_lists.cpp.
#include <algorithm>
#include <array>

#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

namespace {

/// So many long blocks of a class are kept at most, and so many bytes.
constexpr std::size_t kMostLong = 32;
constexpr std::size_t kMostLongBytes = std::size_t{256} << 10;
/// With no room for so many pages, some long block is not kept.
constexpr std::uint32_t kPagesOfRoom = 16;

constexpr std::uint8_t most_of(SizeClass size_class) noexcept {
    return static_cast<std::uint8_t>(std::clamp<std::size_t>(kMostLongBytes / bytes_of(size_class), 1, kMostLong));
}
static_assert(most_of(kClassCount - 1) == 4);

}  // namespace

std::uintptr_t counting(const Span& span) noexcept {
    return span.size_class >= kFirstLongClass && !may_mesh() ? owner::kHandBits : std::uintptr_t{0};
}

/// Malloc finds no long block at hand. Where as much is kept as may be, it may be of sizes that nobody asks for any more: of each class, as
/// much goes home now and then as malloc did not come to since this was done last. Requires: visit_lock() held.
void ThreadCache::make_room() noexcept {
    if (kept_ + kPagesOfRoom > kept_most_ && --misses_left_ == 0) {
        misses_left_ = kMissesBetweenLooks;
        for (unsigned number = kDirectClasses; number < kClassCount; ++number) {
            send_idle_home(static_cast<SizeClass>(number));
        }
    }
    bound_kept();
}

/// The bound follows the number of the thread's spans. What it keeps beyond it stays until malloc takes it.
void ThreadCache::bound_kept() noexcept {
    kept_most_ = std::max({kKeptMost, spans_.load(std::memory_order_relaxed) * kKeptOfSpan, kept_});  // a figure
}

/// What is kept of a class from the block on that was its first one when this looked last: malloc did not come to those, or freed that one
/// again, which is as good a guess. Requires: visit_lock() held.
void ThreadCache::send_idle_home(SizeClass size_class) noexcept {
    Hand& hand = hands_[size_class];
    const std::uint32_t count = hand.count.load(std::memory_order_relaxed);  // only this thread writes it
    std::uint32_t stay = 0;
    FreeBlock** link = &hand.first;
    for (; *link != nullptr && *link != last_first_[size_class]; ++stay) {
        link = &(*link)->next;
    }
    FreeBlock* block = *link;
    *link = nullptr;
    last_first_[size_class] = hand.first;
    hand.count.store(static_cast<std::uint8_t>(stay), std::memory_order_relaxed);  // as above
    kept_ -= (count - stay) * hand.pages;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the blocks rather than have them twice
    send_list_home(block);
}

/// Malloc found nothing at all: from now on blocks of the class are kept.
void ThreadCache::open_hand(SizeClass size_class) noexcept {
    if (size_class < kDirectClasses) {
        open_list(lists_[size_class]);
        return;
    }
    // Where spans are meshed, blocks of sparse spans had better not live again.
    hands_[size_class].most = may_mesh() ? std::uint8_t{0} : most_of(size_class);
    hands_[size_class].pages = static_cast<std::uint8_t>((bytes_of(size_class) + os::kPageBytes - 1) / os::kPageBytes);
}

/// Sends home what is kept, and keeps nothing until malloc needs it. Requires: visit_lock() held.
void ThreadCache::empty_hands() noexcept {
    for (unsigned number = 0; number < kClassCount; ++number) {
        Hand& hand = hands_[number];
        hand.most = 0;
        ++hand.turn;
        send_list_home(hand.first);
        hand.count.store(0, std::memory_order_relaxed);  // this thread's own, or nobody's
        close_list(lists_[number]);
    }
    kept_ = 0;
}

/// Sends home what is kept; what is freed from now on is kept as before. Requires: visit_lock() held.
void ThreadCache::send_kept_home() noexcept {
    std::array<std::uint8_t, kClassCount> most{};
    for (unsigned number = 0; number < kClassCount; ++number) {
        most[number] = hands_[number].most;
    }
    empty_hands();  // what comes home to a mixed span may be kept again, but not by a hand that is closed
    for (unsigned number = 0; number < kClassCount; ++number) {
        hands_[number].most = most[number];
    }
}

/// There is no memory for a new span, but blocks that are kept may hold one. Requires: visit_lock() held, and malloc's list is empty.
HEAPWRIGHT_COLD Span* ThreadCache::take_of_hands(SizeClass size_class) noexcept {
    if (kept_ == 0 && budgets_ == 0) {
        return nullptr;
    }
    empty_hands();
    Span* const active = active_[size_class];
    if (active != &g_no_blocks && active->local_free != nullptr) {
        return active;
    }
    Span* const partial = take_partial(size_class);
    return partial != nullptr ? partial : take_new(size_class);
}

bool ThreadCache::give_up_kept() noexcept {
    const os::LockGuard guard(visit_lock_);
    const bool any = kept_ != 0 || budgets_ != 0;
    empty_hands();
    return any;
}

}  // namespace heapwright::heap
