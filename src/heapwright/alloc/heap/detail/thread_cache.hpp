// What a thread owns of a heap: the spans that it allocates from and frees into without asking anybody.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/mailbox.hpp>
#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/alloc/heap/evacuation_figures.hpp>
#include <heapwright/alloc/heap/size_class.hpp>
#include <heapwright/base/heap_descriptor.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

class HeapCore;

/// The empty span: what a class without an active span allocates from, in vain.
extern constinit Span g_no_blocks;
/// The empty list: what malloc takes from, in vain, in a thread without a cache.
extern constinit Sink g_nothing;
/// Sizes that a placement plan names, by (bytes + 7) / 8: malloc does not find their spans before it has asked the plan.
/// Changes before the first of the threads that follow the plan.
extern constinit std::array<bool, kDirectSteps> g_planned_steps;

/// From this class on a thread keeps what it frees of its own spans at hand. They hold so few blocks that most are full, where each free
/// would list a span and each malloc take it again; of shorter blocks, what is done for the first serves many.
inline constexpr SizeClass kFirstLongClass = class_of(2048) + 1;
/// How a thread frees into a span that it counts: long blocks stay at hand, but not where sparse spans had better stay so to be meshed.
[[nodiscard]] std::uintptr_t counting(const Span& span) noexcept;

/// Spans of one thread, by class. Objects of this type are never unmapped: a thread that comes takes over what one that
/// went left behind.
///
///   TC1  every span of the cache is in its list of all spans, and names the cache
///   TC2  spans in state dense or airy are in the list of their class and state, mixed ones in that of their longest gap; no others are
///        in one
///   TC3  blocks that are at hand, in the list of a class or its hand, are of the class, or as long and in a mixed span; what hands hold,
///        and the epochs of lists, are as much as counted
///
/// Thread safety: the owning thread, except where a member says otherwise.
class ThreadCache {
public:
    constexpr ThreadCache() noexcept { active_.fill(&g_no_blocks); }
    ThreadCache(const ThreadCache&) = delete;
    ThreadCache& operator=(const ThreadCache&) = delete;

    /// Begins to serve a thread (by its thread pointer, or owner::kNobody for all under a lock). `direct`: the thread's
    /// table to keep up to date, or nullptr.
    void attach(HeapCore& heap, std::uintptr_t thread, Sink** direct) noexcept;
    /// Gives every span away: empty ones to the region, the others to whoever frees into them or needs one.
    void detach() noexcept;
    /// For who reads the process from outside.
    [[nodiscard]] static consteval HeapDescriptor::CacheOffsets describe() noexcept;

    /// Gives every span back, whatever is in it: the heap ends.
    void discard() noexcept;
    /// In the child of fork, of a thread that is not there: it may have been changing its lists of spans, so nobody follows them any more.
    void forget_lists() noexcept;

    /// A block of the class, when the list that malloc takes from is empty.
    ///
    /// `may_borrow`: a block of a larger class does as well; it is aligned to 16 bytes only.
    ///
    /// Returns: nullptr when memory is exhausted. `is_zero`: but for its first word, the block reads as zero.
    [[nodiscard]] FreeBlock* refill(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept;
    /// A block of the class: at hand, or by refill(). `is_zero` is written only there.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE FreeBlock* take(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept {
        if (HEAPWRIGHT_UNLIKELY(!may_borrow)) {
            return take_of_class(size_class, is_zero);
        }
        FreeBlock* const block = pop(lists_[size_class]);
        return HEAPWRIGHT_LIKELY(block != nullptr) ? block : refill(size_class, may_borrow, is_zero);
    }

    /// A block of the class, or nullptr where neither its list has one, nor the hand one of a class that is not direct.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE FreeBlock* take_at_hand(SizeClass size_class) noexcept {
        if (size_class >= kDirectClasses) {
            if (FreeBlock* const block = take_kept(size_class); HEAPWRIGHT_LIKELY(block != nullptr)) {
                return block;
            }
        }
        return pop(lists_[size_class]);
    }
    /// Keeps a block that this thread freed for the next malloc of its class, if it allocates that class and keeps few: a block of
    /// another thread, or a long one of its own. In its span it goes on to count as live. Returns whether it did.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool keep(SizeClass size_class, FreeBlock* block) noexcept {
        if (!may_keep(size_class)) {
            return false;
        }
        if (size_class < kDirectClasses) {
            return !push(&lists_[size_class], block);  // never due
        }
        put_into(hands_[size_class], block);
        return true;
    }
    /// keep() of a block of another thread's span. Requires: the span is not private.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool keep_of_other(Span* span, FreeBlock* block) noexcept {
        if (span->state >= SpanState::leaving) {
            return false;  // those had better not live again; mixed: of any size
        }
        const SizeClass size_class = span->size_class;
        if (size_class >= kDirectClasses) {
            return keep(size_class, block);
        }
        ClassList& list = lists_[size_class];
        if (list.budget == 0 || !list.keeps_others) {
            return false;
        }
        if (HEAPWRIGHT_UNLIKELY(!list.has_others)) {
            list.has_others = true;
            charged_ += list.budget;
            list.countdown = std::min<std::uint32_t>(list.countdown, list.budget);
        }
        if (HEAPWRIGHT_UNLIKELY(push(&list, block))) {
            static_cast<void>(end_epoch(list));
        }
        return true;
    }
    /// Whether keep() would keep a block. What was kept before may wait behind it.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool may_keep(SizeClass size_class) noexcept {
        if (size_class < kDirectClasses) {
            ClassList& list = lists_[size_class];
            return list.budget != 0 && (list.countdown > 1 || begin_anew(list));
        }
        const Hand& hand = hands_[size_class];
        return hand.count.load(std::memory_order_relaxed) < hand.most &&
               kept_ + charged_ / 8 + hand.pages <= kept_most_;  // only this thread writes it
    }
    /// Lists of free blocks of the class that its next mallocs take from, and that count as live in their spans. Any thread: who walks
    /// them while theirs goes on checks each step.
    [[nodiscard]] std::array<const FreeBlock*, 4> kept_lists(SizeClass size_class) const noexcept;
    /// Their length; of long blocks, without what a span handed out. The owning thread.
    [[nodiscard]] std::uint32_t kept_blocks(SizeClass size_class) const noexcept;

    /// The owner frees a list of blocks, also into a span that was full. Returns whether the span was placed, or given back.
    /// Requires: this cache's span.
    bool take_home(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept;
    /// What came of a block whose span asks. Memory may have become free but where nothing came of it.
    enum class Came : std::uint8_t { nothing, freed, placed };
    /// The same of one block into a span whose owner's word asks: a long one is kept, if it may.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Came take_home_asking(Span* span, FreeBlock* block, std::uintptr_t strangeness) noexcept {
        if (span->size_class >= kFirstLongClass && span->state < SpanState::leaving && keep(span->size_class, block)) {
            return Came::nothing;
        }
        if (strangeness == owner::kHandBits) {
            return push(span->home(), block) && on_countdown(span) ? Came::placed : Came::nothing;
        }
        return take_home(span, block, block, 1) ? Came::placed : Came::freed;
    }
    /// Takes home what lies in the mailbox, in portions.
    void open_mail() noexcept;
    /// Sends what lies in the mailbox on to the spans, because the thread is gone or sleeps. Any thread; `adopter`: its cache, if
    /// it has one, takes over the spans that nobody owns.
    void forward_mail(ThreadCache* adopter) noexcept;
    /// As forward_mail(), where the thread did not empty its mailbox since the last call. One thread at a time.
    void forward_stale_mail() noexcept;
    /// The countdown of a span ran out. Returns whether memory may have become free.
    bool on_countdown(Span* span) noexcept;
    /// The same of where a block of the span was put.
    bool on_due(Span* span, Sink* sink) noexcept;
    /// Sends home the blocks that are kept at hand. Returns whether there were any.
    bool give_up_kept() noexcept;
    /// Puts aside the spans that malloc takes from, gives back those that are empty, and leaves those that have room to whoever needs it:
    /// this thread may sleep from now on.
    void shed() noexcept;
    /// Takes a span over that nobody owns. Returns false when another thread was faster.
    [[nodiscard]] bool adopt(Span* span) noexcept;

    /// Chooses the sparsest spans, nobody's included, whose blocks have room in the others: malloc takes none from them until
    /// end_evacuation(). What an earlier call chose is chosen anew.
    EvacuationFigures begin_evacuation() noexcept;
    void end_evacuation() noexcept;

    /// Another thread freed into a span of this cache that wants notice. Any thread.
    static void notify(Span* span) noexcept;

    /// Does what can be done about a span of this cache while its thread may sleep: gives free pages back, and the span where
    /// all of it is free. `is_alone`: the caller is the thread.
    ///
    /// Requires: visit_lock() held, and the span is this cache's.  Returns: bytes of pages given back.
    std::size_t visit(Span* span, bool is_alone) noexcept;
    /// Held by the thread while it changes spans that it does not allocate from, and by who visits them. Before lock().
    [[nodiscard]] os::SpinLock& visit_lock() noexcept { return visit_lock_; }

    // For who meshes spans (mesher.cpp). Requires: visit_lock() held.
    /// From now on the thread asks before it frees into the span, but for a free that it is in the middle of.
    void make_ask(Span* span) noexcept;
    /// Whether the thread came by since the last make_ask(): then it is in the middle of no such free.
    [[nodiscard]] bool has_passed() const noexcept { return passages_ != passages_when_asked_; }

    /// Puts a span into the list of all, and takes it out. Any thread that holds the span alone.
    void add(Span* span) noexcept;
    void drop(Span* span) noexcept;

    /// Any thread may ask; it is its own pointer only if it attached the cache itself, so no order is needed.
    [[nodiscard]] std::uintptr_t thread() const noexcept { return thread_.load(std::memory_order_relaxed); }
    /// Whether it is nobody's now. Sequentially consistent, because of who puts something into its mailbox meanwhile.
    [[nodiscard]] bool is_left() const noexcept { return thread_.load(std::memory_order_seq_cst) == 0; }
    [[nodiscard]] HeapCore* heap() const noexcept { return heap_; }
    /// Whether it serves whoever holds a lock, and not one thread.
    [[nodiscard]] bool serves_everybody() const noexcept { return thread() == owner::kNobody; }
    [[nodiscard]] bool is_attached() const noexcept { return heap_ != nullptr; }

    /// Visits all spans. Requires: lock() held. Any thread.
    template <class Visitor>
    void for_each_span(Visitor visit) const noexcept {
        for (const Span* span = all_; span != nullptr; span = span->cache_next) {
            visit(*span);
        }
    }
    [[nodiscard]] os::SpinLock& lock() noexcept { return lock_; }
    /// The name of the first invariant that does not hold, or nullptr. The owning thread, or while it stands still.
    [[nodiscard]] const char* broken_invariant() const noexcept;

    ThreadCache* next = nullptr;         ///< all caches of the heap, for ever
    ThreadCache* parked_next = nullptr;  ///< those without a thread
    ThreadCache* thread_next = nullptr;  ///< those of one thread in Heap objects
    Mailbox mail;                        ///< what other threads freed into its spans

private:
    struct Lists {
        Span* carving = nullptr;
        Span* dense = nullptr;
        Span* airy = nullptr;
    };

    /// Blocks that are kept at hand, whosever they are.
    struct Hand {
        FreeBlock* first = nullptr;
        std::atomic<std::uint8_t> count{0};  // changed by the thread alone, and looked at by statistics: no order is needed
        std::uint8_t most = 0;               // 0 until malloc finds nothing
        std::uint8_t pages = 1;              // that one block may keep resident
        std::uint32_t turn = 0;              // how often all that was kept went away: of a mark on blocks (cache_mixed.cpp)
    };
    /// What malloc takes from in a class (class_lists.cpp). Of long blocks: what a span handed out.
    struct ClassList : Sink {
        std::uint8_t budget = 0;         // frees of an epoch; 0: malloc found nothing yet
        std::uint8_t epochs = 0;         // since malloc found nothing
        bool is_handed_out : 1 = false;  // `first` has what a span handed out, and `rest` is empty
        bool is_steady : 1 = false;      // malloc came back to the active span when it was dense: its blocks come and go one by one
        bool keeps_others : 1 = false;   // blocks of other threads
        bool has_others : 1 = false;
        std::uint8_t bulk = 0;  // many were freed in a row: so often malloc finds nothing before those of more spans are kept again
        FreeBlock* old = nullptr;
        FreeBlock* rest = nullptr;
        const FreeBlock* first_before = nullptr;  // as the epoch began; compared only
        [[nodiscard]] bool is_empty() const noexcept { return first == nullptr && old == nullptr && rest == nullptr; }
    };
    static_assert(sizeof(void*) != 8 || sizeof(ClassList) == 40);
    [[nodiscard]] static HEAPWRIGHT_ALWAYS_INLINE FreeBlock* pop(ClassList& list) noexcept {
        FreeBlock* const block = list.first;
        if (HEAPWRIGHT_LIKELY(block != nullptr)) {
            list.first = block->next;
        }
        return block;
    }
    /// Pages of all classes, in hands and in lists, because a thread that sleeps keeps them: so many, or so many for each of its spans.
    static constexpr std::uint32_t kKeptMost = 512;
    static constexpr std::uint32_t kKeptOfSpan = 2;
    /// So often malloc finds no long block at hand, though no more can be kept, before what it does not come to makes room.
    static constexpr std::uint32_t kMissesBetweenLooks = 1024;
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE FreeBlock* take_kept(SizeClass size_class) noexcept {
        Hand& hand = hands_[size_class];
        FreeBlock* const block = hand.first;
        if (block != nullptr) {
            hand.first = block->next;
            kept_ -= hand.pages;
            const std::uint8_t count = hand.count.load(std::memory_order_relaxed);              // only this thread writes it
            hand.count.store(static_cast<std::uint8_t>(count - 1), std::memory_order_relaxed);  // as above
        }
        return block;
    }
    HEAPWRIGHT_ALWAYS_INLINE void put_into(Hand& hand, FreeBlock* block) noexcept {
        const std::uint8_t count = hand.count.load(std::memory_order_relaxed);  // only this thread writes it
        kept_ += hand.pages;
        put_first(hand.first, block);
        hand.count.store(static_cast<std::uint8_t>(count + 1), std::memory_order_relaxed);  // as above
    }
    [[nodiscard]] FreeBlock* take_waiting(SizeClass size_class) noexcept;
    [[nodiscard]] FreeBlock* take_of_own_class(SizeClass size_class, bool& is_zero) noexcept;
    [[nodiscard]] FreeBlock* hand_out(Span* span, FreeBlock* blocks) noexcept;
    void make_room() noexcept;
    void send_idle_home(SizeClass size_class) noexcept;
    void bound_kept() noexcept;
    void open_hand(SizeClass size_class) noexcept;
    void open_list(ClassList& list) noexcept;
    void close_list(ClassList& list) noexcept;
    void begin_epoch(ClassList& list) noexcept;
    bool end_epoch(ClassList& list) noexcept;
    [[nodiscard]] std::uint32_t most_budget_of(const ClassList& list) const noexcept;
    void set_budget(ClassList& list, std::uint32_t budget) noexcept;
    void put_behind(ClassList& list) noexcept;
    [[nodiscard]] bool begin_anew(ClassList& list) noexcept;
    [[nodiscard]] static bool was_only_freed(const ClassList& list) noexcept;
    void free_at_home(ClassList& list) noexcept;
    std::uint32_t send_run_home(FreeBlock*& list, bool is_bulk, bool& may_be_free) noexcept;
    void send_list_home(FreeBlock*& list) noexcept;
    void send_kept_home() noexcept;
    void empty_hands() noexcept;
    [[nodiscard]] Span* take_resting(SizeClass size_class) noexcept;
    [[nodiscard]] Span* take_of_hands(SizeClass size_class) noexcept;

    void forget() noexcept;
    void replace_active(Span* active, Span* span) noexcept;
    bool place(Span* span, bool is_alone = true) noexcept;
    [[nodiscard]] Span** list_of(const Span& span) noexcept;
    void enlist(Span* span, SpanState state, std::uint32_t floor, std::uintptr_t manner) noexcept;
    void unlist(Span* span) noexcept;
    [[nodiscard]] bool ask_for_notice(Span* span) noexcept;
    [[nodiscard]] Span* take_partial(SizeClass size_class) noexcept;
    [[nodiscard]] SizeClass lender_of(SizeClass size_class) noexcept;
    [[nodiscard]] Span* take_known(SizeClass size_class) noexcept;
    [[nodiscard]] Span* take_new(SizeClass size_class) noexcept;
    void bring_home(Span* span) noexcept;
    /// What others freed into spans is taken home in one malloc or free until it is so much: blocks, and each span counts as some.
    static constexpr std::uint32_t kAnsweredAtOnce = 256;
    void answer_notices(std::uint32_t most) noexcept;
    bool take_home_locked(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept;
    bool take_home_meshed(Span* span, FreeBlock* first, std::uint32_t count) noexcept;
    void release(Span* span) noexcept;
    bool settle(Span* span) noexcept;
    void put_actives_aside() noexcept;
    void put_actives_aside_if_shrunk() noexcept;
    void adopt_all() noexcept;
    void take_leaving_back() noexcept;
    void leave(Span* span) noexcept;

    // Mixed spans: cache_mixed.cpp, and which become so: cache_mixing.cpp.
    void enlist_mixed(Span* span) noexcept;
    void unlist_mixed(Span* span) noexcept;
    bool place_mixed(Span* span) noexcept;
    void settle_mixed(Span* span, bool is_wanted) noexcept;
    void stop_if_kept(SizeClass size_class, const FreeBlock* block) const noexcept;
    [[nodiscard]] bool keep_freed(Span* span, SizeClass size_class, FreeBlock* block, bool is_wanted) noexcept;
    std::size_t visit_mixed(Span* span, bool is_alone) noexcept;
    [[nodiscard]] unsigned filled_bin(unsigned bin) const noexcept;
    [[nodiscard]] FreeBlock* take_of_listed(SizeClass size_class) noexcept;
    [[nodiscard]] FreeBlock* take_of_class(SizeClass size_class, bool& is_zero) noexcept;
    void keep_some(Span* mixed, SizeClass size_class) noexcept;
    void begin_census() noexcept;
    void go_on_with_census() noexcept;
    void end_census() noexcept;
    [[nodiscard]] Span* choose_to_mix() noexcept;
    [[nodiscard]] FreeBlock* take_of_inherited(SizeClass size_class) noexcept;
    [[nodiscard]] FreeBlock* take_of_sparse(SizeClass size_class) noexcept;
    [[nodiscard]] FreeBlock* take_mixed(SizeClass size_class) noexcept;

    /// What was needed since the last census, and what it found too many.
    struct Census {
        std::array<std::uint32_t, kClassCount> taken{};    // listed spans
        std::array<std::uint32_t, kClassCount> surplus{};  // airy spans
        std::uint32_t fresh = 0;                           // spans from the region
        bool is_patient = true;                            // until the first census
        SizeClass unfit = kClassCount;                     // for blocks of this class and larger ones no gap was long enough
        Span* at = nullptr;                                // what a census that is under way counts next
    };
    struct CensusCounts;

    HeapCore* heap_ = nullptr;
    std::atomic<std::uintptr_t> thread_{0};
    Sink** direct_ = nullptr;
    std::array<Span*, kClassCount> active_{};
    std::array<ClassList, kClassCount> lists_{};
    std::array<Lists, kClassCount> listed_{};
    std::array<std::uint8_t, kClassCount> borrowed_{};
    std::array<Hand, kClassCount> hands_{};
    std::array<Span*, kClassCount> mixed_{};  // by the largest class that fits into the longest gap
    std::array<std::uint64_t, (kClassCount + 63) / 64> mixed_filled_{};
    Census census_;
    CensusCounts* census_counts_ = nullptr;  // for ever, once it is needed
    std::uint32_t kept_ = 0;                 // pages of what the hands count
    std::uint32_t kept_most_ = kKeptMost;    // pages: bound_kept()
    std::uint32_t misses_left_ = kMissesBetweenLooks;
    std::array<const FreeBlock*, kClassCount> last_first_{};  // of each hand, when make_room() looked last; compared only
    std::uint32_t budgets_ = 0;                               // of all lists
    std::uint32_t charged_ = 0;                               // of those in which blocks of other threads may be

    std::atomic<std::uint32_t> emptied_{0};       // so often was the mailbox; compared only, nothing is read through it
    std::atomic<std::uint32_t> emptied_seen_{0};  // when forward_stale_mail() looked last, as above

    os::SpinLock visit_lock_;
    std::uint32_t passages_ = 1;  // of the thread through places where it holds the lock; under it
    std::uint32_t passages_when_asked_ = 0;
    std::atomic<std::uint32_t> brought_{0};  // blocks, ever, that others freed, modulo 2^32; changes under it, and is compared only
    os::SpinLock lock_;                      // of the list of all spans and of the notices
    Span* all_ = nullptr;
    std::atomic<std::uint32_t> spans_{0};  // in that list; changes under the lock
    std::uint32_t spans_most_ = 0;         // since active spans were put aside last; the thread's own
    Span* noticed_ = nullptr;              // linked by Span::notice_next
    std::atomic<bool> has_notices_{false};
};

}  // namespace heapwright::heap
