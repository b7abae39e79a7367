// Which spans become mixed: where the mix of sizes changes, sparse ones of sizes that nobody asks for any more.
//
// Where a thread's mixed spans have no gap that is long enough, one more sparse span becomes mixed: the thread's own, or one that nobody
// owns. The thread does it by itself, where it is in the middle of no free; so nobody else has to be stopped.
//
// A census tells which spans are too many. It begins when the cache has grown by a thirty-second, and counts some hundred spans in each
// malloc that would take a new one, so that none takes long.
#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>

namespace heapwright::heap {

namespace {

/// A census is taken after so many new spans, or so many of the cache's. Before the first nothing is mixed: a thread that needs little
/// shall not be slow.
constexpr std::uint32_t kLeastBetweenCensuses = 16;
constexpr std::uint32_t kShareBetweenCensuses = 32;
/// So many spans are counted in one malloc.
constexpr unsigned kCountedAtOnce = 512;
/// A class keeps so many airy spans for each that it took since the last census.
constexpr std::uint32_t kKeptForEachTaken = 8;
/// Mixing begins where a sixteenth of the cache's spans is idle in spans that are too many.
constexpr std::uint32_t kWorthwhileShare = 16;
/// A full span is worth coming back to at a census when one block in so many is free.
constexpr std::uint32_t kCensusShare = 64;
/// A span is sparse when one part of so many is free.
constexpr std::uint32_t kSparseShare = 3;
/// So many spans of a list are looked at.
constexpr unsigned kLookedAt = 8;
/// So many spans are tried in one malloc, of which at most one becomes mixed.
constexpr unsigned kTriedAtOnce = 4;
/// One that has no gap for what was asked for goes so many steps back in its list, so that others are tried before it is again.
constexpr unsigned kStepsBack = 64;

constexpr std::uint32_t kMostWords = (kGranulesOfSlice + 63) / 64;
using BlockBits = std::array<std::uint64_t, kMostWords>;

/// Whether it may become mixed: its blocks begin at granules, and enough of it is free.
bool is_sparse(const Span& span) noexcept {
    return span.slices == 1 && span.block_bytes % kGranuleBytes == 0 && !span.is_meshed() && !span.is_mixed() &&
           (span.carved - span.live()) * kSparseShare >= span.capacity;
}

/// The first sparse one of the first few of a list; nullptr: none of them is.
Span* first_sparse(Span* span) noexcept {
    for (unsigned looked_at = 0; span != nullptr && looked_at < kLookedAt; span = span->next, ++looked_at) {
        if (is_sparse(*span)) {
            return span;
        }
    }
    return nullptr;
}

/// A bit for each block that lives. Returns false where the list is not to be believed.
bool find_live(const Span* span, BlockBits& live) noexcept {
    for (std::uint32_t word = 0; word < live.size(); ++word) {
        live[word] = blocks_made(span, word);
    }
    clear_absent_blocks(span, live.data());
    for (std::uint32_t index = 0; index < span->carved; ++index) {
        __builtin_prefetch(span->start + std::size_t{index} * span->block_bytes);  // so that the walk waits for memory once
    }
    for (const FreeBlock* block = span->local_free; block != nullptr; block = block->next) {
        const auto offset = static_cast<std::size_t>(reinterpret_cast<const char*>(block) - span->start);
        const std::size_t index = offset / span->block_bytes;
        if (index >= span->carved || offset % span->block_bytes != 0 || (live[index / 64] >> (index % 64) & 1) == 0) {
            return false;
        }
        live[index / 64] &= ~(std::uint64_t{1} << (index % 64));
    }
    std::uint32_t count = 0;
    for (const std::uint64_t word : live) {
        count += static_cast<std::uint32_t>(std::popcount(word));
    }
    return count == span->live();
}

/// The longest run of bytes in which no block lives, in granules.
std::uint32_t longest_gap(const Span* span, const BlockBits& live) noexcept {
    std::size_t longest = 0;
    std::size_t begin = 0;
    for (std::uint32_t index = 0; index < span->carved; ++index) {
        if ((live[index / 64] >> (index % 64) & 1) != 0) {
            longest = std::max(longest, std::size_t{index} * span->block_bytes - begin);
            begin = (std::size_t{index} + 1) * span->block_bytes;
        }
    }
    return static_cast<std::uint32_t>(std::max(longest, kSliceBytes - begin) / kGranuleBytes);
}

/// Makes a span mixed that is in no list. Returns false, and leaves it as it was, where no gap has so many granules, where its list is
/// not to be believed, or where memory is exhausted.
bool mix(Span* span, std::uint32_t granules) noexcept {
    BlockBits live;
    if (!find_live(span, live) || longest_gap(span, live) < granules) {
        return false;
    }
    MixedRecord* const record = make_mixed_record(span);
    if (record == nullptr) {
        return false;
    }
    record->describe(live.data(), span->carved, span->block_bytes);
    span->set_live(span->live(), 0);
    set_mixed_record(span, record);
    return true;
}

}  // namespace

/// What a census has counted so far, of each class: its sparse spans, and what is free in them. Only a cache that grew has one.
struct ThreadCache::CensusCounts {
    std::array<std::uint32_t, kClassCount> airy{};
    std::array<std::size_t, kClassCount> idle_bytes{};
};

/// Does nothing where memory is exhausted.
void ThreadCache::begin_census() noexcept {
    if (census_counts_ == nullptr) {
        void* const room = allocate_metadata(sizeof(CensusCounts));
        if (room == nullptr) {
            return;
        }
        census_counts_ = static_cast<CensusCounts*>(room);
    }
    send_kept_home();  // as it grows, the thread needs other sizes than it keeps
    new (census_counts_) CensusCounts;
    census_.at = all_;
}

/// Counts the next spans. Full ones of which some blocks are free are listed by the way.
void ThreadCache::go_on_with_census() noexcept {
    for (unsigned counted = 0; census_.at != nullptr && counted < kCountedAtOnce; ++counted) {
        Span* const span = census_.at;
        census_.at = span->cache_next;
        const std::uint32_t idle = span->carved - span->live();
        const SpanState state = span->state;
        if ((state == SpanState::airy || state == SpanState::dense) && is_sparse(*span)) {
            ++census_counts_->airy[span->size_class];
            census_counts_->idle_bytes[span->size_class] += std::size_t{idle} * span->block_bytes;
        } else if (state == SpanState::full && idle >= std::max(span->capacity / kCensusShare, 1U) && !span->is_meshed()) {
            enlist(span, SpanState::dense, span->capacity / 2, counting(*span));
        }
    }
    if (census_.at == nullptr) {
        end_census();
    }
}

/// Which classes have more airy spans than they will take soon.
void ThreadCache::end_census() noexcept {
    const auto& [airy, idle_bytes] = *census_counts_;
    std::size_t worthwhile = 0;
    for (unsigned number = 0; number < kClassCount; ++number) {
        const std::uint32_t kept = std::min(census_.taken[number] * kKeptForEachTaken, airy[number]);
        census_.surplus[number] = airy[number] - kept;
        worthwhile += airy[number] == 0 ? 0 : idle_bytes[number] / airy[number] * census_.surplus[number];
    }
    if (worthwhile * kWorthwhileShare < std::size_t{spans_.load(std::memory_order_relaxed)} * kSliceBytes) {  // a figure
        census_.surplus.fill(0);
    }
    census_.taken.fill(0);
    census_.fresh = 0;
    census_.unfit = kClassCount;
    census_.is_patient = false;
}

/// A span that its class does not need, of the largest blocks first: in no list any more, and not empty.
Span* ThreadCache::choose_to_mix() noexcept {
    for (unsigned number = kClassCount; number-- > 1;) {
        while (census_.surplus[number] != 0) {
            --census_.surplus[number];
            Span* const span = first_sparse(listed_[number].airy != nullptr ? listed_[number].airy : listed_[number].dense);
            if (span == nullptr) {
                census_.surplus[number] = 0;
                break;
            }
            unlist(span);
            take_remote(span);
            if (span->live() != 0) {
                return span;
            }
            release(span);
        }
    }
    Span* const span = heap_->claim_to_mix(thread());
    if (span == nullptr) {
        return nullptr;
    }
    add(span);
    take_remote(span);
    if (span->live() == 0) {
        release(span);
        return nullptr;
    }
    return span;
}

/// Room that a thread left behind.
FreeBlock* ThreadCache::take_of_inherited(SizeClass size_class) noexcept {
    Span* const span = heap_->claim_mixed(granules_of(size_class), thread());
    if (span == nullptr) {
        return nullptr;
    }
    add(span);
    return place_mixed(span) ? take_of_listed(size_class) : nullptr;
}

/// One more span becomes mixed, if it has a gap that is long enough.
FreeBlock* ThreadCache::take_of_sparse(SizeClass size_class) noexcept {
    for (unsigned tries = 0; tries < kTriedAtOnce && size_class < census_.unfit; ++tries) {
        Span* const span = choose_to_mix();
        if (span == nullptr) {
            return nullptr;
        }
        const bool is_fit = mix(span, granules_of(size_class));
        const bool is_listed = place(span) && list_of(*span) != nullptr;
        if (is_fit) {
            return take_of_listed(size_class);
        }
        if (is_listed) {
            ListChain::move_back(*list_of(*span), span, kStepsBack);
        }
        census_.unfit = tries + 1 == kTriedAtOnce ? size_class : census_.unfit;
    }
    return nullptr;
}

FreeBlock* ThreadCache::take_mixed(SizeClass size_class) noexcept {
    if (!may_mix() || slices_of(size_class) != 1) {
        return nullptr;
    }
    if (FreeBlock* const block = take_of_listed(size_class); block != nullptr) {
        return block;
    }
    if (may_mesh()) {
        return nullptr;  // sparse spans are better shared: that leaves less, and mixed ones are not
    }
    const std::uint32_t between =
        std::max(kLeastBetweenCensuses, spans_.load(std::memory_order_relaxed) / kShareBetweenCensuses);  // a figure
    if (census_.at == nullptr && census_.fresh >= between) {
        begin_census();
    }
    if (census_.at != nullptr) {
        go_on_with_census();
    }
    if (census_.is_patient) {
        return nullptr;
    }
    FreeBlock* const block = take_of_inherited(size_class);
    return block != nullptr ? block : take_of_sparse(size_class);
}

}  // namespace heapwright::heap
