// How a thread's spans change their state: active, put aside, full, listed, given back.
//
//   active ── exhausted ──► full ── an owner's free, or a notice ──► dense ── half free ──► airy ── empty ──► region
//     │  ▲                    (some must be free first)                │                     │
//     │  └───────────────────────────── taken again, the fullest first ┴─────────────────────┘
//     └── exhausted, but with slots never carved, while others have free blocks ──► carving
//
// An airy span that its class does not need may become mixed: cache_mixed.cpp. Meshed ones: cache_meshed.cpp.
#include <heapwright/alloc/heap/detail/thread_cache.hpp>

#include <algorithm>
#include <bit>
#include <utility>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

constinit Span g_no_blocks;
constinit std::array<bool, kDirectSteps> g_planned_steps{};

namespace {

/// An active span goes back when it is empty, if more than this of it was used, and more than one block.
constexpr std::uint32_t kKeptBytes = 16384;

/// So many blocks of a class come from a larger one before it has a span of its own, up to this size; a block that the larger class
/// has not at hand counts as several.
constexpr std::uint8_t kBorrowedMost = 128;
constexpr std::uint8_t kBorrowedNew = 16;
constexpr std::size_t kBorrowedBytes = 1024;
/// A thread has shrunk when a ninth of its spans is gone, of so many at least.
constexpr std::uint32_t kLeastToShrink = 16;
constexpr std::uint32_t kShrunkShare = 9;
/// So many spans of a list are compared before one is taken.
constexpr unsigned kLookedAt = 3;
/// So many meshed spans leave a list in one malloc, because what is free of them rests.
constexpr unsigned kRestedAtOnce = 8;
/// What others freed into spans is taken home in one malloc or free until it is so much: blocks, and each span counts as some.
constexpr std::uint32_t kAnsweredAtOnce = 256;
constexpr std::uint32_t kBlocksForSpan = 64;

/// Sees to it that malloc can take from an active span: what was freed first, then what was given back, then what never was a
/// block. Returns whether it is fresh, so that its blocks read as zero but for their first word.
bool bring_blocks(Span* span) noexcept {
    if (span->free != nullptr || hand_out_freed(span) || (span->absent() != 0 && take_units_back(span) && hand_out_freed(span))) {
        return false;
    }
    carve(span);
    return span->is_fresh;
}

/// Free blocks that make a full span worth coming back to: one of 64, or four, but no more than one of 16 where it has few.
std::uint32_t worthwhile_blocks(const Span& span) noexcept { return std::max({span.capacity / 64, std::min(span.capacity / 16, 4U), 1U}); }

}  // namespace

void ThreadCache::set_active(SizeClass size_class, Span* span) noexcept {
    active_[size_class] = span;
    if (direct_ != nullptr) {
        const DirectSteps steps = direct_steps_of(size_class);
        for (std::size_t step = steps.first; step <= steps.last; ++step) {
            direct_[step] = g_planned_steps[step] ? &g_no_blocks : span;
        }
    }
}

FreeBlock* ThreadCache::refill(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept {
    is_zero = false;
    Hand& hand = hands_[size_class];
    if (FreeBlock* const waiting = take_waiting(size_class); waiting != nullptr) {
        return waiting;
    }
    if (hand.first != nullptr) {
        return hand_out_kept(size_class);
    }
    if (HEAPWRIGHT_UNLIKELY(hand.most == 0)) {
        open_hand(size_class);
    }
    if (mail.has_mail()) {
        open_mail();
    }
    Span* const active = active_[size_class];
    if (active != &g_no_blocks && (active->free != nullptr || hand_out_freed(active))) {
        return pop(active);
    }
    if (hand.first != nullptr) {  // it came by mail
        return hand_out_kept(size_class);
    }
    if (active == &g_no_blocks && may_borrow) {
        if (const SizeClass lender = lender_of(size_class); lender != size_class) {
            FreeBlock* const lent = active_[lender]->free != nullptr ? pop(active_[lender]) : refill(lender, false, is_zero);
            if (HEAPWRIGHT_LIKELY(lent != nullptr)) {
                return lent;
            }
        }
    }
    const os::LockGuard guard(visit_lock_);
    ++passages_;
    answer_notices(kAnsweredAtOnce);
    if (size_class >= kDirectClasses) {
        make_room();
    }
    Span* span = take_partial(size_class);
    if (span == nullptr) {
        span = active->has_uncarved() || absent_blocks(active) > resting_blocks(active) ? active : take_known(size_class);
    }
    if (span == nullptr) {
        if (FreeBlock* const block = may_borrow ? take_mixed(size_class) : nullptr; block != nullptr) {
            return block;
        }
        span = take_new(size_class);
        span = span == nullptr ? take_of_hands(size_class) : span;
        span = span == nullptr ? take_resting(size_class) : span;
        if (span == nullptr) {  // what went home of the hands may be room
            return may_borrow && slices_of(size_class) == 1 ? take_of_listed(size_class) : nullptr;
        }
    }
    if (span != active) {
        replace_active(active, span);
    }
    is_zero = bring_blocks(span);
    return pop(span);
}

void ThreadCache::replace_active(Span* active, Span* span) noexcept {
    set_active(span->size_class, span);
    span->state = SpanState::active;
    // Only this thread compares it for equality. Where blocks are long, an active span that empties must be noticed.
    const bool is_counted = span->block_bytes > kDirectBytes;
    span->owner.store(is_counted ? thread() | counting(*span) : thread(), std::memory_order_relaxed);
    if (active != &g_no_blocks) {
        place(active);
    }
}

/// The class whose span serves the first few blocks of this one, or this one itself: the next power of two, so that the sizes
/// from one to the next share a page. Many small programs need few blocks of many sizes, and each span costs a page.
SizeClass ThreadCache::lender_of(SizeClass size_class) noexcept {
    if (borrowed_[size_class] >= kBorrowedMost || bytes_of(size_class) > kBorrowedBytes) {
        return size_class;
    }
    const SizeClass lender = class_of(std::bit_ceil(bytes_of(size_class) + (size_class == 0 ? 1 : 0)));
    const bool is_at_hand = active_[lender]->free != nullptr || active_[lender]->local_free != nullptr;
    borrowed_[size_class] = static_cast<std::uint8_t>(borrowed_[size_class] + (is_at_hand ? 1 : kBorrowedNew));
    return lender;
}

/// A listed span with blocks at hand: of those that came last, the fullest, so that the others empty.
Span* ThreadCache::take_partial(SizeClass size_class) noexcept {
    const Lists& lists = lists_[size_class];
    for (unsigned rested = 0; rested < kRestedAtOnce; ++rested) {
        Span* fullest = lists.dense != nullptr ? lists.dense : lists.airy;
        if (fullest == nullptr) {
            return nullptr;
        }
        unsigned looked_at = 1;
        for (Span* span = fullest->next; span != nullptr && looked_at < kLookedAt; span = span->next, ++looked_at) {
            fullest = span->live() > fullest->live() ? span : fullest;
        }
        unlist(fullest);
        if (HEAPWRIGHT_UNLIKELY(fullest->is_meshed()) && rests(fullest)) {
            fullest->state = SpanState::full;  // it was meshed since it came into the list
            continue;
        }
        ++census_.taken[size_class];
        static_cast<void>(hand_out_freed(fullest));
        return fullest;
    }
    return nullptr;
}

/// A span of the class that this cache did not allocate from last: put aside, or abandoned by another thread.
Span* ThreadCache::take_known(SizeClass size_class) noexcept {
    if (Span* const carving = lists_[size_class].carving; carving != nullptr) {
        unlist(carving);
        return carving;
    }
    if (Span* const abandoned = heap_->claim_any(size_class, thread()); abandoned != nullptr) {
        add(abandoned);
        return abandoned;
    }
    return nullptr;
}

Span* ThreadCache::take_new(SizeClass size_class) noexcept {
    bool is_zero = false;
    const std::uint32_t slices = slices_of(size_class);
    Span* const span = heap_->take(slices, 1, is_zero);
    if (span == nullptr) {
        return nullptr;
    }
    for (std::uint32_t i = 1; i < slices; ++i) {
        span[i].owner.store(owner::kInterior, std::memory_order_relaxed);  // nobody holds a block in it yet
        span[i].head_distance = static_cast<std::uint16_t>(i);
        span[i].slices = 0;
    }
    span->free = nullptr;
    span->local_free = nullptr;
    span->carved = 0;
    span->set_absent(0);
    span->set_live(0, 0);
    span->capacity = capacity_of(size_class);
    span->block_bytes = static_cast<std::uint32_t>(bytes_of(size_class));
    span->size_class = size_class;
    span->is_fresh = is_zero;
    span->is_private = heap_->is_private();
    span->remote.store(0, std::memory_order_relaxed);        // as above
    span->owner.store(thread(), std::memory_order_relaxed);  // as above
    add(span);
    spans_most_ = std::max(spans_most_, spans_.load(std::memory_order_relaxed));  // a figure
    ++census_.fresh;
    return span;
}

/// Whether who frees into the span next will tell; false when somebody freed into it already.
bool ThreadCache::ask_for_notice(Span* span) noexcept {
    // Relaxed: it carries no blocks, and who clears it reads none through it. Who frees after the first look finds what he shall.
    std::uintptr_t nothing = span->remote.load(std::memory_order_relaxed);
    if (nothing == kWantsNotice) {
        return true;
    }
    nothing = 0;
    return span->remote.compare_exchange_strong(nothing, kWantsNotice, std::memory_order_relaxed) || nothing == kWantsNotice;
}

/// Puts a span that is in no list where it belongs, unless it goes back. Requires: it is not active, and span->free is empty.
bool ThreadCache::place(Span* span, std::uintptr_t manner) noexcept {
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        return place_mixed(span);
    }
    note_put_aside(span);
    manner = HEAPWRIGHT_UNLIKELY(span->is_meshed()) ? owner::kFullBit : manner == owner::kCountedBit ? counting(*span) : manner;
    // Whoever frees into it from now on tells: this thread may never look at it by itself.
    while (!ask_for_notice(span)) {
        bring_home(span);
    }
    const std::uint32_t live = span->live();
    const std::uint32_t idle = span->carved - live - resting_blocks(span);
    const std::uint32_t worthwhile = worthwhile_blocks(*span);
    if (live == 0) {
        release(span);
        return false;
    }
    if (span->state == SpanState::leaving) {
        span->set_live(live, 0);
        span->owner.store(thread() | manner, std::memory_order_relaxed);  // only this thread compares it for equality
        return true;
    }
    if (span->has_uncarved()) {
        enlist(span, SpanState::carving, 0, manner);
    } else if (idle * 2 >= span->capacity) {
        enlist(span, SpanState::airy, live / 2, manner);  // looked at again when half of the rest is free
        note_stirred();
    } else if (idle >= worthwhile) {
        enlist(span, SpanState::dense, std::min(span->capacity / 2, live - 1), manner);  // of a meshed one many more may be free
    } else {
        span->state = SpanState::full;
        span->set_live(live, idle == 0 || span->is_meshed() ? 0 : span->capacity - worthwhile);
        // Only this thread compares it for equality.
        span->owner.store(thread() | (idle == 0 ? owner::kFullBit : manner), std::memory_order_relaxed);
    }
    return true;
}

void ThreadCache::enlist(Span* span, SpanState state, std::uint32_t floor, std::uintptr_t manner) noexcept {
    span->set_live(span->live(), floor);
    span->state = state;
    span->owner.store(thread() | manner, std::memory_order_relaxed);  // only this thread compares it for equality
    ListChain::push(*list_of(*span), span);
}

void ThreadCache::unlist(Span* span) noexcept {
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        unlist_mixed(span);
        return;
    }
    Span** const head = list_of(*span);
    if (head == nullptr) {
        return;
    }
    ListChain::erase(*head, span);
    span->next = nullptr;
    span->previous = nullptr;
}

bool ThreadCache::on_countdown(Span* span) noexcept {
    const os::LockGuard guard(visit_lock_);
    const bool may_be_free = settle(span);
    put_actives_aside_if_shrunk();
    return may_be_free;
}

bool ThreadCache::settle(Span* span) noexcept {
    if (span->state != SpanState::active) {
        unlist(span);
        place(span);
        answer_notices(kAnsweredAtOnce);
        return true;
    }
    // Every block that was handed out has come back.
    if (span->carved * span->block_bytes <= kKeptBytes || span->carved == 1) {
        static_cast<void>(hand_out_freed(span));
        return false;
    }
    set_active(span->size_class, &g_no_blocks);
    release(span);
    return true;
}

void ThreadCache::take_home(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept {
    const os::LockGuard guard(visit_lock_);
    take_home_locked(span, first, last, count);
}

/// Requires: visit_lock() held.
void ThreadCache::take_home_locked(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept {
    ++passages_;
    if (HEAPWRIGHT_UNLIKELY(span->is_meshed()) && span->state != SpanState::active) {
        take_home_meshed(span, first, count);
        return;
    }
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        put_home_mixed(span, first, count);
    } else {
        put_home(span, first, last, count);
    }
    if (span->state != SpanState::active) {
        unlist(span);
        place(span);
    }
}

/// A thread that gave back many of its spans may sleep from now on: the spans that it allocates from are put aside, where it is
/// noticed that they empty, and where the clock finds their pages. What it needs of them it takes again.
void ThreadCache::put_actives_aside_if_shrunk() noexcept {
    const std::uint32_t spans = spans_.load(std::memory_order_relaxed);  // a figure
    if (spans > spans_most_) {
        spans_most_ = spans;
    } else if (spans_most_ >= kLeastToShrink && spans <= spans_most_ - spans_most_ / kShrunkShare) {
        spans_most_ = spans;
        put_actives_aside();
    }
}

void ThreadCache::put_actives_aside() noexcept {
    empty_hands();
    bound_kept();
    for (unsigned number = 0; number < kClassCount; ++number) {
        const auto size_class = static_cast<SizeClass>(number);
        if (Span* const span = active_[size_class]; span != &g_no_blocks) {
            set_active(size_class, &g_no_blocks);
            take_back_unused(span);
            place(span);
        }
    }
}

/// Takes home what other threads freed into a span, and counts it: that may take long. Requires: visit_lock() held.
void ThreadCache::bring_home(Span* span) noexcept {
    brought_.fetch_add(take_remote(span), std::memory_order_relaxed);  // only compared
}

/// Takes home what other threads freed into spans that were put aside. The blocks of such a span may be in no cache of the processor: a
/// call answers until they are `most`, so that no malloc lasts long when others freed much.
void ThreadCache::answer_notices(std::uint32_t most) noexcept {
    std::uint32_t done = 0;
    while (done < most && has_notices_.load(std::memory_order_relaxed)) {  // a hint; the lock orders
        Span* span = nullptr;
        {
            const os::LockGuard guard(lock_);
            span = noticed_;
            if (span == nullptr) {
                has_notices_.store(false, std::memory_order_relaxed);  // under the lock
                return;
            }
            noticed_ = span->notice_next;
            span->is_noticed = false;
        }
        const std::uint32_t before = brought_.load(std::memory_order_relaxed);  // changes under the lock
        if (span->state != SpanState::active) {
            unlist(span);
            bring_home(span);
            place(span);
        }
        done += kBlocksForSpan + brought_.load(std::memory_order_relaxed) - before;  // as above
    }
}

void ThreadCache::release(Span* span) noexcept {
    drop(span);
    heap_->give_blocks(span);
}

}  // namespace heapwright::heap
