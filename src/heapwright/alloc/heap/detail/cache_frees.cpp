// What comes home to a thread's spans: when a countdown ends, out of lists, and what others freed; and a thread that shrinks.
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>

namespace heapwright::heap {

namespace {

/// An active span goes back when it is empty, if more than this of it was used, and more than one block.
constexpr std::uint32_t kKeptBytes = 16384;
/// A thread has shrunk when a ninth of its spans is gone, of so many at least.
constexpr std::uint32_t kLeastToShrink = 16;
constexpr std::uint32_t kShrunkShare = 9;
/// Of what others freed, a span counts as so many blocks.
constexpr std::uint32_t kBlocksForSpan = 64;

}  // namespace

bool ThreadCache::on_due(Span* span, Sink* sink) noexcept {
    return sink == span->home() ? on_countdown(span) : end_epoch(*static_cast<ClassList*>(sink));
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
    if (span->carved * span->block_bytes <= kKeptBytes || span->carved == 1 || span->size_class < kDirectClasses) {
        ClassList& list = lists_[span->size_class];
        if (list.is_empty()) {
            list.first = hand_out_freed(span);
            list.is_handed_out = true;
        }
        return false;
    }
    active_[span->size_class] = &g_no_blocks;
    release(span);
    return true;
}

bool ThreadCache::take_home(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept {
    const os::LockGuard guard(visit_lock_);
    return take_home_locked(span, first, last, count);
}

/// Requires: visit_lock() held.
bool ThreadCache::take_home_locked(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept {
    ++passages_;
    if (HEAPWRIGHT_UNLIKELY(span->is_meshed()) && span->state != SpanState::active) {
        return take_home_meshed(span, first, count);
    }
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        put_home_mixed(span, first, count);
    } else {
        put_home(span, first, last, count);
    }
    if (span->state == SpanState::active) {
        return false;
    }
    unlist(span);
    place(span);
    return true;
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
    for (Span* span = all_; span != nullptr; span = span->cache_next) {
        span->sink = span->home();
    }
    for (unsigned number = 0; number < kClassCount; ++number) {
        const auto size_class = static_cast<SizeClass>(number);
        if (Span* const span = active_[size_class]; span != &g_no_blocks) {
            active_[size_class] = &g_no_blocks;
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
