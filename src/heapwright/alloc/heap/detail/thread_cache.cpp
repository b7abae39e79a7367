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
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

constinit Span g_no_blocks;
constinit Sink g_nothing;
constinit std::array<bool, kDirectSteps> g_planned_steps{};

namespace {

/// So many blocks of a class come from a larger one before it has a span of its own, up to this size; a block that the larger class
/// has not at hand counts as several.
constexpr std::uint8_t kBorrowedMost = 128;
constexpr std::uint8_t kBorrowedNew = 16;
constexpr std::size_t kBorrowedBytes = 1024;
/// So many spans of a list are compared before one is taken.
constexpr unsigned kLookedAt = 3;
/// So many meshed spans leave a list in one malloc, because what is free of them rests.
constexpr unsigned kRestedAtOnce = 8;

/// What malloc can take from a span: what was freed first, then what was given back, then what never was a block. `is_zero`: it is
/// fresh, so that its blocks read as zero but for their first word.
FreeBlock* bring_blocks(Span* span, bool& is_zero) noexcept {
    FreeBlock* blocks = hand_out_freed(span);
    if (blocks == nullptr && span->absent() != 0 && take_units_back(span)) {
        blocks = hand_out_freed(span);
    }
    if (blocks == nullptr) {
        is_zero = span->is_fresh;
        blocks = carve(span);
    }
    return blocks;
}

/// Free blocks that make a full span worth coming back to: one of 64, or four, but no more than one of 16 where it has few.
std::uint32_t worthwhile_blocks(const Span& span) noexcept { return std::max({span.capacity / 64, std::min(span.capacity / 16, 4U), 1U}); }

}  // namespace

FreeBlock* ThreadCache::refill(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept {
    is_zero = false;
    ClassList& list = lists_[size_class];
    if (FreeBlock* const kept = take_waiting(size_class); kept != nullptr) {
        return kept;
    }
    if (HEAPWRIGHT_UNLIKELY(size_class < kDirectClasses ? list.budget == 0 : hands_[size_class].most == 0)) {
        open_hand(size_class);
    }
    if (mail.has_mail()) {
        open_mail();
        FreeBlock* const at_hand = pop(list);
        if (FreeBlock* const block = at_hand != nullptr ? at_hand : take_waiting(size_class); block != nullptr) {
            return block;
        }
    }
    if (size_class < kDirectClasses) {
        begin_epoch(list);
    }
    Span* const active = active_[size_class];
    if (active != &g_no_blocks) {
        if (FreeBlock* const blocks = hand_out_freed(active); blocks != nullptr) {
            return hand_out(active, blocks);
        }
    }
    if (active == &g_no_blocks && may_borrow) {
        if (const SizeClass lender = lender_of(size_class); lender != size_class) {
            FreeBlock* const lent = take_of_own_class(lender, is_zero);
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
    return hand_out(span, bring_blocks(span, is_zero));
}

/// What malloc would take of the class itself, and of no larger one.
FreeBlock* ThreadCache::take_of_own_class(SizeClass size_class, bool& is_zero) noexcept {
    FreeBlock* const block = pop(lists_[size_class]);
    return block != nullptr ? block : refill(size_class, false, is_zero);
}

void ThreadCache::replace_active(Span* active, Span* span) noexcept {
    const bool was_dense = span->state == SpanState::dense;
    active_[span->size_class] = span;
    span->state = SpanState::active;
    // Only this thread compares it for equality.
    span->owner.store(thread() | counting(*span), std::memory_order_relaxed);
    if (active != &g_no_blocks) {
        place(active);
    }
    lists_[span->size_class].is_steady = was_dense && lists_[span->size_class].bulk == 0;
}

/// The class whose span serves the first few blocks of this one, or this one itself: the next power of two, so that the sizes
/// from one to the next share a page. Many small programs need few blocks of many sizes, and each span costs a page.
SizeClass ThreadCache::lender_of(SizeClass size_class) noexcept {
    if (borrowed_[size_class] >= kBorrowedMost || bytes_of(size_class) > kBorrowedBytes) {
        return size_class;
    }
    const SizeClass lender = class_of(std::bit_ceil(bytes_of(size_class) + (size_class == 0 ? 1 : 0)));
    const bool is_at_hand = !lists_[lender].is_empty() || active_[lender]->local_free != nullptr;
    borrowed_[size_class] = static_cast<std::uint8_t>(borrowed_[size_class] + (is_at_hand ? 1 : kBorrowedNew));
    return lender;
}

/// A listed span with blocks at hand: of those that came last, the fullest, so that the others empty.
Span* ThreadCache::take_partial(SizeClass size_class) noexcept {
    const Lists& lists = listed_[size_class];
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
        return fullest;
    }
    return nullptr;
}

/// A span of the class that this cache did not allocate from last: put aside, or abandoned by another thread.
Span* ThreadCache::take_known(SizeClass size_class) noexcept {
    if (Span* const carving = listed_[size_class].carving; carving != nullptr) {
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
    span->local_free = nullptr;
    span->state = SpanState::full;
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

/// Puts a span that is in no list where it belongs, unless it goes back. `is_alone`: the caller is the thread. Requires: it is not active.
bool ThreadCache::place(Span* span, bool is_alone) noexcept {
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        return place_mixed(span);
    }
    note_put_aside(span);
    const bool is_short = span->size_class < kDirectClasses;
    const bool goes_home = !is_short || span->sink == span->home();
    const bool asks = HEAPWRIGHT_UNLIKELY(span->is_meshed()) || (!is_alone && goes_home);
    const std::uintptr_t manner = asks ? owner::kAskBit : counting(*span);
    const bool was_active = span->state == SpanState::active;
    if (is_alone && (asks || may_mesh() || span->state == SpanState::leaving || (was_active && !lists_[span->size_class].is_steady))) {
        span->sink = span->home();
    }
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
        span->sink = is_alone ? span->home() : span->sink;
        note_stirred();
    } else if (idle >= worthwhile) {
        enlist(span, SpanState::dense, std::min(span->capacity / 2, live - 1), manner);  // of a meshed one many more may be free
    } else {
        span->state = SpanState::full;
        const bool is_first_told = idle == 0 && span->sink == span->home();
        span->set_live(live, is_first_told || span->is_meshed() ? 0 : span->capacity - worthwhile);
        // Only this thread compares it for equality.
        span->owner.store(thread() | (is_first_told ? owner::kAskBit : manner), std::memory_order_relaxed);
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

}  // namespace heapwright::heap
