// Blocks at hand: what this thread freed of other threads' spans, and long blocks of its own, for its next malloc of their size, while
// they are in the processor's cache. Nothing about their spans changes, no lock is taken, and nobody is told.
#include <algorithm>
#include <array>

#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

namespace {

/// So many blocks of a class are kept at most, and so many bytes: of short ones, and of long ones.
constexpr std::size_t kMostShort = 128;
constexpr std::size_t kMostShortBytes = std::size_t{16} << 10;
constexpr std::size_t kMostLong = 32;
constexpr std::size_t kMostLongBytes = std::size_t{256} << 10;
/// So often none is kept where malloc's list was found full of them.
constexpr std::uint8_t kRefusals = 64;
constexpr std::uint8_t kLeastToSort = 16;
/// With no room for so many pages, some long block is not kept.
constexpr std::uint32_t kPagesOfRoom = 16;

constexpr std::uint8_t most_of(SizeClass size_class) noexcept {
    const std::size_t bytes = bytes_of(size_class);
    const bool is_short = size_class < kDirectClasses;
    return static_cast<std::uint8_t>(is_short ? std::min(kMostShortBytes / bytes, kMostShort)
                                              : std::clamp<std::size_t>(kMostLongBytes / bytes, 1, kMostLong));
}
constexpr auto kMostOfClass = [] {
    std::array<std::uint8_t, kClassCount> most{};
    for (unsigned number = 0; number < kClassCount; ++number) {
        most[number] = most_of(static_cast<SizeClass>(number));
    }
    return most;
}();
static_assert(most_of(0) == kMostShort && most_of(kClassCount - 1) == 4);

}  // namespace

std::uintptr_t counting(const Span& span) noexcept {
    return span.size_class >= kFirstLongClass && !may_mesh() ? owner::kHandBits : owner::kCountedBit;
}

/// Malloc found nothing in the list that it takes from: a block that is kept, and of short ones, all others become that list.
/// Requires: there is one.
FreeBlock* ThreadCache::hand_out_kept(SizeClass size_class) noexcept {
    Span* const active = active_[size_class];
    Hand& hand = hands_[size_class];
    if (size_class >= kDirectClasses || active == &g_no_blocks) {
        return take_kept(size_class);
    }
    FreeBlock* const block = hand.first;
    const std::uint8_t count = hand.count.load(std::memory_order_relaxed);  // only this thread writes it
    hand.first = nullptr;
    hand.count.store(0, std::memory_order_relaxed);  // as above
    hand.handed_out = static_cast<std::uint8_t>(count - 1);
    ++hand.turn;
    --kept_;
    // A child of fork loses the blocks rather than have them twice, and knows that the list may hold some.
    std::atomic_signal_fence(std::memory_order_acq_rel);
    active->free = block->next;
    return block;
}

/// Malloc's list holds as many kept blocks as may be, as far as is known: what malloc takes is not counted. Counts them, and puts the
/// active span's own aside, so that no block is looked at again that was not freed since. Returns whether another may be kept; if not,
/// then not for a while, because this thread frees more than it needs.
HEAPWRIGHT_NOINLINE bool ThreadCache::sort_out(SizeClass size_class) noexcept {
    Hand& hand = hands_[size_class];
    Span* const active = active_[size_class];
    if (hand.refusals != 0 || hand.handed_out < kLeastToSort) {
        hand.refusals = static_cast<std::uint8_t>(std::max<int>(hand.refusals, 1) - 1);
        return false;
    }
    FreeBlock* block = active->free;
    active->free = nullptr;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the blocks rather than have them twice
    std::uint8_t kept = 0;
    FreeBlock* first = nullptr;
    FreeBlock** last = &first;
    FreeBlock* rest = hand.rest.load(std::memory_order_relaxed);  // only this thread writes it
    while (block != nullptr) {
        FreeBlock* const following = block->next;
        if (record_of_first(find_span(block)) == active) {
            block->next = rest;
            rest = block;
        } else if (kept == hand.handed_out) {
            stop_not_a_block("free", block);  // more than were put there: one was freed twice, and the list has no end
        } else {
            *last = block;
            last = &block->next;
            ++kept;
        }
        block = following;
    }
    *last = nullptr;
    hand.rest.store(rest, std::memory_order_relaxed);  // as above
    kept_ -= hand.handed_out - kept;
    hand.handed_out = kept;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // as above
    active->free = first;
    const bool may_keep = kept <= hand.most - hand.most / 4 && kept_ < kept_most_;
    hand.refusals = may_keep ? 0 : kRefusals;
    return may_keep;
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
    const std::uint32_t count = kept_blocks(size_class);
    std::uint32_t stay = 0;
    FreeBlock** link = &hand.first;
    for (; *link != nullptr && *link != last_first_[size_class]; ++stay) {
        link = &(*link)->next;
    }
    FreeBlock* block = *link;
    *link = nullptr;
    last_first_[size_class] = hand.first;
    hand.count.store(static_cast<std::uint8_t>(stay), std::memory_order_relaxed);  // only this thread writes it
    kept_ -= (count - stay) * hand.pages;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the blocks rather than have them twice
    while (block != nullptr) {
        FreeBlock* const following = block->next;
        send_home(block);
        block = following;
    }
}

/// Malloc found nothing at all: from now on blocks of the class are kept.
void ThreadCache::open_hand(SizeClass size_class) noexcept {
    // Where spans are meshed, blocks of sparse spans had better not live again.
    hands_[size_class].most = may_mesh() ? std::uint8_t{0} : kMostOfClass[size_class];
    hands_[size_class].pages = static_cast<std::uint8_t>((bytes_of(size_class) + os::kPageBytes - 1) / os::kPageBytes);
}

/// Requires: visit_lock() held.
void ThreadCache::send_home(FreeBlock* block) noexcept {
    Span* const span = record_of_first(find_span(block));
    ThreadCache* const cache = span->cache.load(std::memory_order_relaxed);  // only this thread makes it its own
    if (cache == this) {
        take_home_locked(span, block, block, 1);
        return;
    }
    // Whoever looks at the clock as well may take a turn of it, and need the lock that is held.
    static_cast<void>(push_remote_quietly(span, block, block));
    if (cache == nullptr) {
        note_stirred();  // nobody but the clock comes by
    }
}

/// Sends home what is kept, and keeps nothing until malloc needs it. Requires: visit_lock() held.
void ThreadCache::empty_hands() noexcept {
    for (unsigned number = 0; number < kClassCount; ++number) {
        Hand& hand = hands_[number];
        hand.most = 0;
        ++hand.turn;
        while (FreeBlock* const block = hand.first) {
            hand.first = block->next;
            std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the block rather than have it twice
            send_home(block);
        }
        hand.count.store(0, std::memory_order_relaxed);  // this thread's own, or nobody's
        Span* const active = active_[number];
        FreeBlock* const rest = hand.rest.load(std::memory_order_relaxed);  // as above
        hand.rest.store(nullptr, std::memory_order_relaxed);                // as above
        if ((hand.handed_out != 0 || rest != nullptr) && active != &g_no_blocks) {
            FreeBlock** link = &active->free;
            while (FreeBlock* const block = *link) {
                if (record_of_first(find_span(block)) == active) {
                    link = &block->next;
                } else {
                    *link = block->next;
                    std::atomic_signal_fence(std::memory_order_acq_rel);  // as above
                    send_home(block);
                }
            }
            *link = rest;
        }
        hand.handed_out = 0;
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
    if (kept_ == 0) {
        return nullptr;
    }
    empty_hands();
    Span* const active = active_[size_class];
    if (active != &g_no_blocks && (active->free != nullptr || hand_out_freed(active))) {
        return active;
    }
    Span* const partial = take_partial(size_class);
    return partial != nullptr ? partial : take_new(size_class);
}

bool ThreadCache::give_up_kept() noexcept {
    const os::LockGuard guard(visit_lock_);
    const bool any = kept_ != 0;
    empty_hands();
    return any;
}

}  // namespace heapwright::heap
