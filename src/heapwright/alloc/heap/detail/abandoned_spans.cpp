// The spans that nobody owns: who takes them over, and who only frees into them.
//
// Who frees into such a span now and then leaves it to those who need room; who frees many of its blocks adopts it. Until then its
// countdown tells how many are left.
#include <algorithm>
#include <bit>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::heap {

namespace {

/// Whoever frees so many blocks into an abandoned span adopts it; of a span of few blocks, the first.
constexpr std::uint32_t kMostBeforeAdoption = 64;
constexpr std::uint32_t kShareBeforeAdoption = 8;
/// A class counts as wanted until so many spans of others became mixed.
constexpr std::uint32_t kLately = 64;
/// So many spans leave a list at once because their blocks rest.
constexpr unsigned kRestedAtOnce = 8;
/// So many spans of a list are looked at.
constexpr unsigned kLookedAt = 4;
/// Who goes through all of them looks at so many, and takes home so many blocks, before others may have the lock. The blocks may be in no
/// cache of the processor.
constexpr unsigned kSweptAtOnce = 32;
constexpr std::uint32_t kTakenAtOnce = 512;
/// So long is waited where somebody waits for the lock, which is not fair.
constexpr std::uint64_t kPauseNs = 20'000;

std::uint32_t frees_before_adoption(const Span* span) noexcept {
    return std::min({span->live(), kMostBeforeAdoption, std::max(span->capacity / kShareBeforeAdoption, 1U)});
}

/// Something was freed into an ordinary span since it was seen last: told once, where so much is free that pages may be.
void tell_freed(Span* span) noexcept {
    if (span->stamp == 0 && span->live() * 2 <= span->capacity) {
        note_put_aside(span);
        note_stirred();
    }
}

}  // namespace

void HeapCore::link(Span* span) noexcept {
    CacheChain::push(all_abandoned_, span);
    span->next = nullptr;
    span->previous = nullptr;
    if (span->is_mixed()) {
        pay_owed(span);
        settle_freed(span);
    } else {
        // One with nothing to hand out waits until somebody frees into it.
        const bool has_room = span->local_free != nullptr || span->has_uncarved() || absent_blocks(span) > resting_blocks(span);
        span->state = has_room ? SpanState::dense : SpanState::full;
    }
    span->set_live(span->live(), span->live() - frees_before_adoption(span));
    note_put_aside(span);
    note_stirred();
    offer(span);
}

/// Puts a span into the list for those who need its room, if it has some.
void HeapCore::offer(Span* span) noexcept {
    if (span->is_mixed()) {
        MixedRecord* const record = mixed_record_of(span);
        record->bin = static_cast<SizeClass>(std::bit_width(record->longest_free()));
        ListChain::push(abandoned_mixed_[record->bin], span);
        offered_mixed_.set(record->bin, true);
    } else if (span->state == SpanState::dense) {
        ListChain::push(abandoned_[span->size_class], span);
        offered_.set(span->size_class, true);
    }
}

/// Takes it out of that list.
void HeapCore::withdraw(Span* span) noexcept {
    if (span->is_mixed()) {
        const SizeClass bin = mixed_record_of(span)->bin;
        ListChain::erase(abandoned_mixed_[bin], span);
        offered_mixed_.set(bin, abandoned_mixed_[bin] != nullptr);
    } else if (span->state == SpanState::dense) {
        ListChain::erase(abandoned_[span->size_class], span);
        offered_.set(span->size_class, abandoned_[span->size_class] != nullptr);
    }
}

/// Its longest gap became longer, or is known better.
void HeapCore::offer_anew(Span* span) noexcept {
    const MixedRecord* const record = mixed_record_of(span);
    if (record->bin != static_cast<SizeClass>(std::bit_width(record->longest_free()))) {
        withdraw(span);
        offer(span);
    }
}

void HeapCore::put_abandoned(Span* span) noexcept {
    const os::LockGuard guard(lock_);
    link(span);
    span->owner.store(owner::kAbandoned, std::memory_order_release);  // pairs with the acquire in claim()
}

/// Takes home what was freed into the next few. Those that are empty come into the list, and are in no other. Returns whether there
/// are more to look at. `is_wanted`: somebody waits for the lock.
bool HeapCore::sweep_some(Span*& empty, bool& is_wanted) noexcept {
    const os::LockGuard guard(lock_);
    std::uint32_t taken = 0;
    for (unsigned swept = 0; sweep_at_ != nullptr && swept < kSweptAtOnce && taken < kTakenAtOnce; ++swept) {
        Span* const span = sweep_at_;
        sweep_at_ = span->cache_next;
        if (span->remote.load(std::memory_order_relaxed) <= kWantsNotice) {  // a hint; take_remote() acquires
            continue;
        }
        unlink(span);
        const std::uint32_t live = span->live();
        take_remote(span);
        taken += live - span->live();
        if (span->is_mixed() ? is_empty_mixed(span) : span->live() == 0) {
            span->next = empty;
            empty = span;
        } else {
            link(span);  // before the place where the sweep is
        }
    }
    is_wanted = lock_.is_contended();
    return sweep_at_ != nullptr;
}

void HeapCore::sweep_abandoned() noexcept {
    {
        const os::LockGuard guard(lock_);
        sweep_at_ = all_abandoned_;
    }
    for (bool is_any_left = true; is_any_left;) {
        Span* empty = nullptr;
        bool is_wanted = false;
        is_any_left = sweep_some(empty, is_wanted);
        while (empty != nullptr) {
            Span* const span = empty;
            empty = span->next;
            give_blocks(span);
        }
        if (is_any_left && is_wanted) {
            os::sleep_ns(kPauseNs);
        }
    }
}

void HeapCore::unlink(Span* span) noexcept {
    sweep_at_ = sweep_at_ == span ? span->cache_next : sweep_at_;
    CacheChain::erase(all_abandoned_, span);
    withdraw(span);
    span->set_live(span->live(), 0);
    span->next = nullptr;
    span->previous = nullptr;
}

Span* HeapCore::claim_any(SizeClass size_class, std::uintptr_t thread) noexcept {
    if (!offered_.has(size_class)) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    Span* span = abandoned_[size_class];
    for (unsigned rested = 0; span != nullptr && span->is_meshed() && rests(span); ++rested, span = abandoned_[size_class]) {
        if (rested == kRestedAtOnce) {
            return nullptr;
        }
        withdraw(span);  // it was meshed since it was offered
        span->state = SpanState::full;
    }
    if (span != nullptr) {
        is_claimed_[size_class] = true;
        unlink(span);
        span->owner.store(thread, std::memory_order_relaxed);  // the lock orders all that the last owner wrote
    }
    return span;
}

Span* HeapCore::claim_resting(SizeClass size_class, std::uintptr_t thread) noexcept {
    const os::LockGuard guard(lock_);
    for (Span* span = all_abandoned_; span != nullptr; span = span->cache_next) {
        if (span->size_class == size_class && span->is_meshed() && absent_blocks(span) != 0) {
            unlink(span);
            span->owner.store(thread, std::memory_order_relaxed);  // as in claim_any()
            return span;
        }
    }
    return nullptr;
}

Span* HeapCore::claim_mixed(std::uint32_t granules, std::uintptr_t thread) noexcept {
    const auto least = static_cast<unsigned>(std::bit_width(granules));
    if (!offered_mixed_.has_from(least)) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    for (unsigned bin = least; bin < kGapBins; ++bin) {
        Span* following = nullptr;
        unsigned looked_at = 0;
        for (Span* span = abandoned_mixed_[bin]; span != nullptr && looked_at < kLookedAt; span = following, ++looked_at) {
            following = span->next;
            if (mixed_record_of(span)->find(granules) != kGranulesOfSlice) {
                unlink(span);
                span->owner.store(thread, std::memory_order_relaxed);  // as in claim_any()
                return span;
            }
            offer_anew(span);
        }
    }
    return nullptr;
}

Span* HeapCore::claim_to_mix(std::uintptr_t thread) noexcept {
    if (!offered_.has_from(0)) {
        return nullptr;
    }
    const os::LockGuard guard(lock_);
    if (++claims_to_mix_ == kLately) {
        claims_to_mix_ = 0;
        is_claimed_.fill(false);
    }
    for (unsigned number = kClassCount; number-- > 1;) {
        Span* span = is_claimed_[number] || slices_of(static_cast<SizeClass>(number)) != 1 ? nullptr : abandoned_[number];
        for (unsigned looked_at = 0; span != nullptr && looked_at < kLookedAt; span = span->next, ++looked_at) {
            if (span->live() * 2 <= span->capacity && !span->is_meshed()) {
                unlink(span);
                span->owner.store(thread, std::memory_order_relaxed);  // as in claim_any()
                return span;
            }
        }
    }
    return nullptr;
}

bool HeapCore::put_into_abandoned(Span* span, FreeBlock* block) noexcept {
    const os::LockGuard guard(lock_);
    if (span->owner.load(std::memory_order_relaxed) != owner::kAbandoned || span->countdown <= 1) {  // under the lock it stays so
        return false;
    }
    const std::uint32_t floor = span->floor;
    bool has_room = true;
    if (span->is_mixed()) {
        put_home_mixed(span, block, 1);
        offer_anew(span);
    } else if (span->is_meshed()) {
        has_room = put_home_meshed(span, block, 1) != 0;
    } else {
        put_home(span, block, block, 1);
        tell_freed(span);
    }
    span->set_live(span->live(), floor);
    if (span->state == SpanState::full && has_room) {
        span->state = SpanState::dense;
        offer(span);
    }
    return true;
}

bool HeapCore::claim(Span* span, std::uintptr_t thread) noexcept {
    const os::LockGuard guard(lock_);
    if (span->owner.load(std::memory_order_acquire) != owner::kAbandoned) {  // pairs with put_abandoned()
        return false;
    }
    unlink(span);
    span->owner.store(thread, std::memory_order_relaxed);  // only this thread compares for equality
    return true;
}

}  // namespace heapwright::heap
