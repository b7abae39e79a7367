// Mixed spans of a thread: where malloc finds room in them, and what becomes of what is freed there.
//
//   airy, of a class that does not need it ──► mixed: its free blocks are gaps, and gaps that touch are one ──► empty ──► region
//
// A thread that would take a new span from the region looks into its mixed spans before: the smallest gap that is long enough, and in
// it the first place. What it frees into such a span waits in the span's list, as always, whatever its size, until there are enough:
// then blocks of sizes that malloc asks for stay at hand (hand.cpp), and the others are told in bits.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

namespace heapwright::heap {

namespace {

/// Blocks that are taken from a mixed span at once, and their bytes.
constexpr std::size_t kKeptAtOnce = 16;
constexpr std::size_t kKeptBytesAtOnce = 4096;
/// A list of blocks at hand is looked through so far.
constexpr std::uint32_t kMostWalked = 8192;

/// The largest class of which a block fits into so many granules.
SizeClass bin_of(std::uint32_t granules) noexcept {
    const std::size_t bytes = granules * kGranuleBytes;
    const SizeClass size_class = class_of(bytes);
    return size_class != 0 && bytes_of(size_class) > bytes ? static_cast<SizeClass>(size_class - 1) : size_class;
}

/// Of blocks up to this, the class by their granules; kClassCount: no class has exactly so many.
constexpr std::uint32_t kDirectGranules = kDirectBytes / kGranuleBytes;
constexpr auto kClassOfGranules = [] {
    std::array<SizeClass, kDirectGranules + 1> classes{};
    for (std::uint32_t granules = 0; granules <= kDirectGranules; ++granules) {
        const SizeClass size_class = class_of(granules * kGranuleBytes);
        classes[granules] = granules != 0 && granules_of(size_class) == granules ? size_class : SizeClass{kClassCount};
    }
    return classes;
}();

/// The class of the blocks that have so many granules; kClassCount: none, as may be of blocks that a child of fork found half taken.
SizeClass class_of_granules(std::uint32_t granules) noexcept {
    if (granules <= kDirectGranules) {
        return kClassOfGranules[granules];
    }
    const SizeClass size_class = granules * kGranuleBytes <= kSliceBytes / 4 ? class_of(granules * kGranuleBytes) : SizeClass{kClassCount};
    return size_class != kClassCount && granules_of(size_class) == granules ? size_class : SizeClass{kClassCount};
}

/// A block of a mixed span that its owner freed, and that stays at hand: so it bears a mark, which is another each time that malloc
/// takes what is there.
struct MarkedBlock {
    FreeBlock block;
    std::uint64_t mark;
};
static_assert(sizeof(MarkedBlock) == kGranuleBytes);

std::uint64_t mark_of(SizeClass size_class, std::uint32_t turn) noexcept {
    constexpr std::uint64_t kSeldom = 0x9E3779B97F4A7C15U;  // what programs write is something else, and what is not does no harm
    return kSeldom ^ (std::uint64_t{turn} << 8U | size_class);
}

/// Bits of an address that are 0 in spans of the class: their blocks lie at multiples of their size from a multiple of 64 KiB.
constexpr auto kOffPlace = [] {
    std::array<std::uint16_t, kClassCount> bits{};
    for (unsigned number = 0; number < kClassCount; ++number) {
        bits[number] = static_cast<std::uint16_t>(
            std::min(std::size_t{1} << std::countr_zero(bytes_of(static_cast<SizeClass>(number))), kSliceBytes) - 1);
    }
    return bits;
}();

}  // namespace

void ThreadCache::enlist_mixed(Span* span) noexcept {
    MixedRecord* const record = mixed_record_of(span);
    record->bin = bin_of(record->longest_free());
    ListChain::push(mixed_[record->bin], span);
    mixed_filled_[record->bin / 64] |= std::uint64_t{1} << (record->bin % 64);
}

void ThreadCache::unlist_mixed(Span* span) noexcept {
    const SizeClass bin = mixed_record_of(span)->bin;
    if (span->previous == nullptr && mixed_[bin] != span) {
        return;  // in no list, as in the child of fork
    }
    ListChain::erase(mixed_[bin], span);
    span->next = nullptr;
    span->previous = nullptr;
    if (mixed_[bin] == nullptr) {
        mixed_filled_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
    }
}

/// Stops the program where what was freed of a mixed span lies at hand already: it was freed before.
HEAPWRIGHT_COLD void ThreadCache::stop_if_kept(SizeClass size_class, const FreeBlock* block) const noexcept {
    for (const FreeBlock* kept : kept_lists(size_class)) {
        for (std::uint32_t left = kMostWalked; kept != nullptr && left != 0; --left, kept = kept->next) {
            if (kept == block) {
                stop_not_a_block("free", block);
            }
        }
    }
}

/// Keeps at hand what was freed of a mixed span, if malloc asks for blocks of its class. Stops the program where it lies there already.
/// Requires: the span has none of its owner's frees in its list, and is not armed.
HEAPWRIGHT_ALWAYS_INLINE bool ThreadCache::keep_freed(Span* span, SizeClass size_class, FreeBlock* block, bool is_wanted) noexcept {
    if (HEAPWRIGHT_UNLIKELY(size_class == kClassCount)) {
        return false;
    }
    auto* const marked = reinterpret_cast<MarkedBlock*>(block);  // which is its first member
    const std::uint64_t mark = mark_of(size_class, hands_[size_class].turn);
    if (HEAPWRIGHT_UNLIKELY(marked->mark == mark)) {
        stop_if_kept(size_class, block);
    }
    if (!is_wanted || !may_keep(size_class)) {
        return false;
    }
    marked->mark = mark;
    span->set_live(span->live() + 1, 0);  // and then, so that a child of fork finds too many rather than too few
    return keep(size_class, block);
}

/// What the thread freed of a mixed span: blocks of classes that malloc asks for stay at hand, and count as live again, so that not each
/// pair of a malloc and a free searches, unless all was freed, or room is what is wanted; the others are room from now on.
void ThreadCache::settle_mixed(Span* span, bool is_wanted) noexcept {
    FreeBlock* block = span->local_free;
    if (block == nullptr) {
        return;
    }
    MixedRecord* const record = mixed_record_of(span);
    is_wanted = is_wanted && span->live() != 0;
    span->local_free = nullptr;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses blocks rather than have them twice
    while (block != nullptr) {
        FreeBlock* const following = block->next;
        const std::uint32_t granules = granules_of_freed(span, record, block);
        const SizeClass size_class = class_of_granules(granules);
        if (!keep_freed(span, size_class, block, is_wanted)) {
            give_freed(span, record, block, granules);
        }
        block = following;
    }
    tell_freed_mixed(span, record);
}

bool ThreadCache::place_mixed(Span* span) noexcept {
    note_put_aside(span);
    while (!ask_for_notice(span)) {
        bring_home(span);
    }
    pay_owed(span);
    settle_mixed(span, true);
    if (is_empty_mixed(span)) {
        release(span);
        return false;
    }
    enlist_mixed(span);
    arm_mixed(span);
    span->sink = span->home();
    span->owner.store(thread(), std::memory_order_relaxed);  // only this thread compares it for equality
    return true;
}

std::size_t ThreadCache::visit_mixed(Span* span, bool is_alone) noexcept {
    if (is_alone) {
        unlist(span);
        if (!place_mixed(span)) {
            return 0;
        }
        span->stamp = 0;
        return return_mixed_pages(span);
    }
    if (settle_remote(span)) {
        unlist(span);
        enlist_mixed(span);  // its longest gap may be longer
    }
    if (is_dead_mixed(span)) {
        unlist(span);
        release(span);
        return 0;
    }
    if (mixed_record_of(span)->owed == 0) {
        span->stamp = 0;
    } else {
        note_put_aside(span);  // its owner's frees of the rest may tell nobody: it is looked at in each round
    }
    return return_mixed_pages(span);
}

/// The list of the smallest gaps that may be long enough, from this bin on; kClassCount: none.
unsigned ThreadCache::filled_bin(unsigned bin) const noexcept {
    for (unsigned word = bin / 64; word < mixed_filled_.size(); ++word) {
        const std::uint64_t bits = mixed_filled_[word] & (word == bin / 64 ? ~std::uint64_t{0} << (bin % 64) : ~std::uint64_t{0});
        if (bits != 0) {
            return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
        }
    }
    return kClassCount;
}

/// More of a class's blocks at hand, so that not each malloc has to search. In their span they are as any that live.
void ThreadCache::keep_some(Span* mixed, SizeClass size_class) noexcept {
    const std::uint32_t granules = granules_of(size_class);
    for (std::size_t kept = 1; kept < std::min(kKeptAtOnce, kKeptBytesAtOnce / bytes_of(size_class)) && may_keep(size_class); ++kept) {
        FreeBlock* const block = take_of_mixed(mixed, granules);
        if (block == nullptr) {
            return;
        }
        if (size_class >= kDirectClasses) {
            put_into(hands_[size_class], block);
            continue;
        }
        put_first(lists_[size_class].first, block);  // without a countdown, since nobody freed it
    }
}

/// A block that lies as in a span of its class, for who needs it at a multiple of more than 16: what lies otherwise in a mixed span goes home.
FreeBlock* ThreadCache::take_of_class(SizeClass size_class, bool& is_zero) noexcept {
    while (true) {
        FreeBlock* const block = take_of_own_class(size_class, is_zero);
        if (HEAPWRIGHT_LIKELY((reinterpret_cast<std::uintptr_t>(block) & kOffPlace[size_class]) == 0)) {  // or there is none
            return block;
        }
        const os::LockGuard guard(visit_lock_);
        block->next = nullptr;
        FreeBlock* list = block;
        bool may_be_free = false;
        static_cast<void>(send_run_home(list, false, may_be_free));
    }
}

FreeBlock* ThreadCache::take_of_listed(SizeClass size_class) noexcept {
    const std::uint32_t granules = granules_of(size_class);
    const unsigned least = std::max<unsigned>(size_class, 1);
    for (unsigned bin = filled_bin(least); bin < kClassCount; bin = filled_bin(least)) {
        Span* const span = mixed_[bin];
        FreeBlock* block = take_of_mixed(span, granules);
        if (block == nullptr && span->local_free != nullptr) {
            settle_mixed(span, false);
            block = take_of_mixed(span, granules);
        }
        if (block != nullptr) {
            keep_some(span, size_class);
            return block;
        }
        unlist_mixed(span);  // its gaps are shorter than was known
        enlist_mixed(span);
    }
    return nullptr;
}

}  // namespace heapwright::heap
