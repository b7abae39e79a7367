// What malloc takes short blocks from: one list for each class, onto which a thread frees blocks of all spans but its sparse ones. What was
// freed last is used first, while it is in the processor's cache.
//
//   a free ──► first ── an epoch's frees ──► old ── another epoch, and malloc did not need it ──► home, to each block's span
//                ▲                            │
//                └──── malloc finds it empty ─┴──── rest: what a span handed out and malloc has not taken
//
// In its span a block of these lists counts as live. An epoch is counted in frees, so that malloc need not count.
#include <algorithm>
#include <atomic>

#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

namespace {

/// Frees of an epoch: at first, and at most, by number and by bytes.
constexpr std::uint32_t kFirstBudget = 16;
constexpr std::uint32_t kMostBudget = 128;
constexpr std::uint32_t kMostBudgetBytes = std::uint32_t{16} << 10;
static_assert(kMostBudgetBytes / kDirectBytes == kFirstBudget);
constexpr auto kMostBudgetOf = [] {
    std::array<std::uint8_t, kDirectClasses> most{};
    for (unsigned number = 0; number < kDirectClasses; ++number) {
        const auto bytes = static_cast<std::uint32_t>(bytes_of(static_cast<SizeClass>(number)));
        most[number] = static_cast<std::uint8_t>(std::min(kMostBudget, kMostBudgetBytes / bytes));
    }
    return most;
}();
/// Where blocks of a class were freed many in a row, malloc finds nothing so often before those of other spans than the active one are
/// kept again. Until then an epoch is so many times as long, of frees that are nearly all of the active span.
constexpr std::uint8_t kRefillsInBulk = 128;
constexpr std::uint32_t kEpochsInBulk = 8;
/// Epochs do not grow where those of all classes come to more, because a thread that sleeps keeps what is in its lists. Of classes of which
/// malloc took one by one what was freed, it may keep kMostBudget blocks each.
constexpr std::uint32_t kMostBudgets = 2048;
/// So many blocks that malloc did not need go home in one free.
constexpr std::uint32_t kSentAtOnce = 256;
/// After so many epochs a list is measured that malloc did not empty: it is too long with the frees of so many.
constexpr std::uint8_t kEpochsUnmeasured = 8;
constexpr std::uint32_t kEpochsTooLong = 4;

/// A child of fork loses blocks rather than have them twice.
void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_acq_rel); }

/// Whether a list has so many blocks.
bool has(const FreeBlock* block, std::uint32_t count) noexcept {
    for (; block != nullptr && count != 0; block = block->next) {
        --count;
    }
    return count == 0;
}

bool is_of_one_slice(const FreeBlock* one, const FreeBlock* other) noexcept {
    return ((reinterpret_cast<std::uintptr_t>(one) ^ reinterpret_cast<std::uintptr_t>(other)) >> kSliceLog2) == 0;
}

/// The span of blocks that this one lies in.
HEAPWRIGHT_ALWAYS_INLINE Span* span_of(const FreeBlock* block) noexcept {
    const auto offset = static_cast<std::size_t>(reinterpret_cast<const char*>(block) - g_first_base);
    return record_of_first(HEAPWRIGHT_LIKELY(offset < g_first_bytes) ? g_first_records + (offset >> kSliceLog2) : find_span(block));
}

}  // namespace

#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
std::array<const FreeBlock*, 4>
ThreadCache::kept_lists(SizeClass size_class) const noexcept {
    const ClassList& list = lists_[size_class];
    return {list.first, list.old, list.rest, hands_[size_class].first};
}

std::uint32_t ThreadCache::kept_blocks(SizeClass size_class) const noexcept {
    if (size_class >= kDirectClasses) {
        return hands_[size_class].count.load(std::memory_order_relaxed);  // the thread's own
    }
    std::uint32_t count = 0;
    for (const FreeBlock* block : kept_lists(size_class)) {
        for (; block != nullptr; block = block->next) {
            ++count;
        }
    }
    return count;
}

/// Malloc found nothing in the list that it takes from: the first of what was freed before, and the others become that list.
FreeBlock* ThreadCache::take_waiting(SizeClass size_class) noexcept {
    if (size_class >= kDirectClasses) {
        return take_kept(size_class);
    }
    ClassList& list = lists_[size_class];
    FreeBlock* block = list.old;
    if (block != nullptr) {
        list.old = nullptr;
    } else if (block = list.rest; block != nullptr) {
        list.rest = nullptr;
        list.is_handed_out = true;
    } else {
        return nullptr;
    }
    ++hands_[size_class].turn;
    in_this_order();
    list.first = block->next;
    list.first_before = list.first;
    return block;
}

/// The first of a list of blocks that a span handed out; malloc takes from the others. Requires: malloc found the class's lists empty.
FreeBlock* ThreadCache::hand_out(Span* span, FreeBlock* blocks) noexcept {
    ClassList& list = lists_[span->size_class];
    if (span->size_class < kDirectClasses) {
        span->sink = &list;
    }
    list.is_handed_out = list.rest == nullptr;  // mixed spans may have brought an epoch's blocks since malloc found nothing
    FreeBlock* last = list.first;
    if (HEAPWRIGHT_LIKELY(last == nullptr)) {
        list.first = blocks->next;
        list.first_before = list.first;
        return blocks;
    }
    while (last->next != nullptr) {  // what mixed spans brought since: no more than an epoch's
        last = last->next;
    }
    last->next = blocks->next;
    return blocks;
}

/// Malloc found nothing at all: from now on it takes what is freed.
void ThreadCache::open_list(ClassList& list) noexcept {
    list.keeps_others = !may_mesh();  // blocks of sparse spans that may be meshed had better not live again
    set_budget(list, kFirstBudget);
}

std::uint32_t ThreadCache::most_budget_of(const ClassList& list) const noexcept {
    return kMostBudgetOf[static_cast<std::size_t>(&list - lists_.data())];
}

/// Malloc found nothing.
void ThreadCache::begin_epoch(ClassList& list) noexcept {
    charged_ -= list.has_others ? list.budget : 0U;
    list.has_others = false;
    list.epochs = 0;
    list.bulk = static_cast<std::uint8_t>(std::max<int>(list.bulk, 1) - 1);
    list.countdown = list.bulk != 0 ? most_budget_of(list) * kEpochsInBulk : list.budget;
    list.first_before = nullptr;
}

/// Frees of an epoch from now on, if so many may be.
void ThreadCache::set_budget(ClassList& list, std::uint32_t budget) noexcept {
    budget = std::min(budget, most_budget_of(list));
    if (budget <= std::max<std::uint32_t>(list.budget, kFirstBudget) || budgets_ + budget - list.budget <= kMostBudgets) {
        budgets_ += budget - list.budget;  // modulo 2^32
        charged_ += list.has_others ? budget - list.budget : 0;
        list.budget = static_cast<std::uint8_t>(budget);
    }
}

/// An epoch's frees are over. What malloc did not need of the frees before goes home, some of it, and what it did not take of these waits
/// behind what is freed from now on. Returns whether memory may have become free.
HEAPWRIGHT_NOINLINE bool ThreadCache::end_epoch(ClassList& list) noexcept {
    const bool was_needed = list.old == nullptr && list.budget != 0;
    if (was_needed && list.first->next == list.first_before) {  // malloc took all others that were freed: it takes them one by one
        set_budget(list, list.budget * 2U);
        list.countdown = list.has_others ? list.budget : kMostBudget;  // so that a pair costs the same, however long its block
        return false;
    }
    const bool is_bulk = list.budget == kFirstBudget && was_only_freed(list);
    const bool is_unmeasured = list.is_handed_out || ++list.epochs % kEpochsUnmeasured != 0;
    if (was_needed && (is_unmeasured || !has(list.first, list.budget * kEpochsTooLong))) {
        if (is_bulk) {
            const os::LockGuard guard(visit_lock_);  // who visits these spans took their lists for the visitor's own until now
            ++passages_;
            free_at_home(list);
        } else {
            set_budget(list, list.budget * 2U);
        }
        put_behind(list);
        return false;
    }
    const os::LockGuard guard(visit_lock_);
    ++passages_;
    list.bulk = is_bulk ? kRefillsInBulk : list.bulk;
    const std::uint32_t most = was_needed ? list.budget * kEpochsUnmeasured * 2U : kSentAtOnce;
    FreeBlock*& sent = list.old == nullptr ? list.first : list.old;
    bool may_be_free = false;
    for (std::uint32_t count = 0; sent != nullptr && count < most;) {
        count += send_run_home(sent, is_bulk, may_be_free);
    }
    if (list.budget == 0) {
        list.countdown = kFirstBudget;
    } else {
        set_budget(list, kFirstBudget);
        put_behind(list);
    }
    put_actives_aside_if_shrunk();
    return may_be_free;
}

/// Whether malloc took nothing in the epoch that ends. Of one that was longer than the budget it seldom says so: then the next one is seen.
bool ThreadCache::was_only_freed(const ClassList& list) noexcept {
    const FreeBlock* block = list.first;
    std::uint32_t freed = list.budget;
    for (; freed != 0 && block != nullptr; --freed) {
        block = block->next;
    }
    return freed == 0 && block == list.first_before;
}

/// Many blocks are freed in a row: what follows of these spans goes home by itself. Requires: visit_lock() held.
void ThreadCache::free_at_home(ClassList& list) noexcept {
    list.bulk = kRefillsInBulk;
    const FreeBlock* before = nullptr;
    const FreeBlock* block = list.first;
    for (std::uint32_t left = kFirstBudget; left != 0; --left, before = block, block = block->next) {
        if (before == nullptr || !is_of_one_slice(before, block)) {
            Span* const span = span_of(block);
            if (span->cache.load(std::memory_order_relaxed) == this) {  // only this thread makes it its own
                span->sink = span->home();
            }
        }
    }
}

/// The next epoch begins.
void ThreadCache::put_behind(ClassList& list) noexcept {
    list.countdown = list.budget;
    FreeBlock*& behind = list.is_handed_out ? list.rest : list.old;
    if (behind == nullptr) {
        FreeBlock* const first = list.first;
        list.first = nullptr;
        in_this_order();
        behind = first;
        list.is_handed_out = false;
    }
    list.first_before = list.first;
}

/// An epoch's frees are over but for one, in the middle of something that must not be sent home. Returns whether the next one begins.
bool ThreadCache::begin_anew(ClassList& list) noexcept {
    if (list.old != nullptr) {
        return false;
    }
    put_behind(list);
    return true;
}

/// Sends the first blocks of a list home that lie in one span: their number. `is_bulk`: what is freed into it from now on goes home by
/// itself. `may_be_free` is set where memory may have become free. Requires: visit_lock() held, and there is one.
std::uint32_t ThreadCache::send_run_home(FreeBlock*& list, bool is_bulk, bool& may_be_free) noexcept {
    FreeBlock* const first = list;
    FreeBlock* last = first;
    std::uint32_t count = 1;
    while (last->next != nullptr && is_of_one_slice(first, last->next)) {
        last = last->next;
        if (++count > kSliceBytes / kSmallestBytes) {
            stop_not_a_block("free", first);  // one was freed twice, and the list has no end
        }
    }
    list = last->next;
    __builtin_prefetch(list);
    in_this_order();
    Span* const span = span_of(first);
    ThreadCache* const cache = span->cache.load(std::memory_order_relaxed);  // only this thread makes it its own
    if (cache == this) {
        if (is_bulk || span->state == SpanState::airy) {
            span->sink = span->home();
        }
        // Relaxed: only this thread compares it for equality.
        if (span->owner.load(std::memory_order_relaxed) == thread() && span->countdown > count) {
            push_all(span->home(), first, last, count);
        } else {
            take_home_locked(span, first, last, count);
            may_be_free = true;
        }
        return count;
    }
    // Whoever looks at the clock as well may take a turn of it, and need the lock that is held.
    static_cast<void>(push_remote_quietly(span, first, last));
    if (cache == nullptr) {
        note_stirred();  // nobody but the clock comes by
    }
    return count;
}

/// Requires: visit_lock() held.
void ThreadCache::send_list_home(FreeBlock*& list) noexcept {
    bool may_be_free = false;
    while (list != nullptr) {
        static_cast<void>(send_run_home(list, true, may_be_free));
    }
}

/// What is in it goes home. Requires: visit_lock() held.
void ThreadCache::close_list(ClassList& list) noexcept {
    budgets_ -= list.budget;
    charged_ -= list.has_others ? list.budget : 0U;
    list.budget = 0;  // so that nothing is kept in it meanwhile
    list.has_others = false;
    list.is_handed_out = false;
    list.countdown = kFirstBudget;
    send_list_home(list.first);
    send_list_home(list.old);
    send_list_home(list.rest);
}

}  // namespace heapwright::heap
