// Bits of granules, and the records that spans have while they are mixed; a table leads from a slice to its record.
//
// A child of fork may find each step half done: the end of a block that was never handed out, or was freed, is still used; the span's
// count of live blocks is too high; or it is without blocks whose bits are still set, because they were being freed. All three
// lose memory, none is handed out twice, and no span goes back while a block in it lives: is_empty_mixed() asks the bits.
#include <heapwright/alloc/heap/detail/mixed_record.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <new>

#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

constinit std::atomic<MixedRecord**> g_mixed_table{nullptr};

namespace {

constexpr std::uint32_t kGranulesOfPage = os::kPageBytes / kGranuleBytes;
/// An owner's frees are settled when there are so many, or about so many bytes: what is not settled is no room yet.
constexpr std::uint32_t kFreedAtOnce = 32;
constexpr std::uint32_t kFreedBytesAtOnce = 8192;
/// The clock is told when so much of a span was freed.
constexpr std::uint32_t kToldShare = 8;
static_assert(kSliceBytes / os::kPageBytes < 32);  // a bit for each page

constinit os::SpinLock g_lock;  // of what is below
constinit MixedRecord* g_spare = nullptr;
constinit std::size_t g_table_bytes = 0;

constinit std::atomic<bool> g_is_refused{false};
constinit std::atomic<bool> g_is_off{false};

void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_acq_rel); }

std::uint32_t granule_of(const Span* span, const void* block) noexcept {
    return static_cast<std::uint32_t>(static_cast<const char*>(block) - span->start) / kGranuleBytes;
}

std::uint32_t slice_of(const Span* span) noexcept { return static_cast<std::uint32_t>(span - g_region.records()); }

/// Makes the table reach the slice. Requires: g_lock.
bool extend_table(std::uint32_t slice) noexcept {
    MixedRecord** table = g_mixed_table.load(std::memory_order_relaxed);  // under the lock
    if (table == nullptr) {
        const std::size_t bytes = os::round_to_pages((g_region.reserved_bytes() >> kSliceLog2) * sizeof(MixedRecord*));
        table = static_cast<MixedRecord**>(os::reserve(bytes, os::kPageBytes, "heapwright mixed"));
        if (table == nullptr) {
            return false;
        }
        g_mixed_table.store(table, std::memory_order_relaxed);  // read where a record was put into it: set_mixed_record()
    }
    const std::size_t wanted = os::round_to_pages((std::size_t{slice} + 1) * sizeof(MixedRecord*));
    if (wanted <= g_table_bytes) {
        return true;
    }
    if (!os::commit(reinterpret_cast<char*>(table) + g_table_bytes, wanted - g_table_bytes)) {
        return false;
    }
    g_table_bytes = wanted;
    return true;
}

MixedRecord*& entry_of(const Span* span) noexcept {
    return g_mixed_table.load(std::memory_order_relaxed)[slice_of(span)];  // who sees that the span is mixed sees what it leads to
}

}  // namespace

void MixedRecord::describe(const std::uint64_t* live_bits, std::uint32_t blocks, std::uint32_t block_bytes) noexcept {
    const std::uint32_t granules = block_bytes / kGranuleBytes;
    for (std::uint32_t index = 0; index < blocks; ++index) {
        if ((live_bits[index / 64] >> (index % 64) & 1) != 0) {
            take(index * granules, granules);
        }
    }
    longest_free_ = 0;
    for (std::uint32_t first = used_.next_clear(0); first < kGranulesOfSlice;) {
        const std::uint32_t end = used_.next_set(first);
        longest_free_ = std::max(longest_free_, end - first);
        first = used_.next_clear(end);
    }
    cursor_ = 0;
    sought_ = 0;
}

std::uint32_t MixedRecord::find(std::uint32_t granules) noexcept {
    if (granules > longest_free_) {
        return kGranulesOfSlice;
    }
    // What lies before the cursor was too short for what was sought there.
    const bool is_begun = granules >= sought_ && sought_ != 0;
    std::uint32_t longest = is_begun ? sought_ - 1 : 0;
    sought_ = granules;
    for (std::uint32_t first = used_.next_clear(is_begun ? cursor_ : 0); first < kGranulesOfSlice;) {
        const std::uint32_t end = used_.next_set(first);
        if (end - first >= granules) {
            cursor_ = first;
            return first;
        }
        longest = std::max(longest, end - first);
        first = used_.next_clear(end);
    }
    cursor_ = kGranulesOfSlice;
    longest_free_ = longest;
    return kGranulesOfSlice;
}

void MixedRecord::take(std::uint32_t first, std::uint32_t granules) noexcept {
    // A child of fork may have left an end in the middle.
    last_.clear(first, granules - 1);
    last_.set(first + granules - 1);
    in_this_order();
    used_.set(first, granules);
    taken_ += granules;
}

std::uint32_t MixedRecord::free_pages() const noexcept {
    std::uint32_t pages = 0;
    for (std::uint32_t first = used_.next_clear(0); first < kGranulesOfSlice;) {
        const std::uint32_t end = used_.next_set(first);
        const std::uint32_t begin_page = (first + kGranulesOfPage - 1) / kGranulesOfPage;
        const std::uint32_t end_page = end / kGranulesOfPage;
        if (begin_page < end_page) {
            pages |= ((std::uint32_t{1} << (end_page - begin_page)) - 1) << begin_page;
        }
        first = used_.next_clear(end);
    }
    return pages;
}

bool MixedRecord::is_block(std::uint32_t first) const noexcept {
    return first < kGranulesOfSlice && used_.test(first) && (first == 0 || !used_.test(first - 1) || last_.test(first - 1));
}

void MixedRecord::give(std::uint32_t first, std::uint32_t granules) noexcept {
    taken_ -= std::min(granules, taken_);
    used_.clear(first, granules);
    in_this_order();
    last_.clear(first + granules - 1);
    const std::uint32_t begin = used_.behind_set_before(first);
    const std::uint32_t end = used_.next_set(first + granules);
    longest_free_ = std::max(longest_free_, end - begin);
    if (end - begin >= sought_) {
        cursor_ = std::min(cursor_, begin);
    }
}

const char* MixedRecord::broken_invariant() const noexcept {
    std::uint32_t ends = 0;
    std::uint32_t longest = 0;
    for (std::uint32_t first = 0; first < kGranulesOfSlice;) {
        const std::uint32_t used = used_.next_set(first);
        longest = std::max(longest, used - first);
        if (used - first >= sought_ && used != first && sought_ != 0 && first < cursor_) {
            return "MX2: room that is sought lies before the cursor";
        }
        const std::uint32_t end = used_.next_clear(used);
        for (std::uint32_t last = used; last < end; ++ends) {
            last = last_.next_set(last) + 1;
            if (last > end) {
                return "MX1: a block has free granules, or no end";
            }
        }
        first = end;
    }
    if (ends != last_.count()) {
        return "MX1: a block ends in free granules";
    }
    if (taken_ != used_.count()) {
        return "MX1: blocks have another number of granules than is known";
    }
    return longest > longest_free_ ? "MX2: a run of free granules is longer than is known" : nullptr;
}

MixedRecord* make_mixed_record(const Span* span) noexcept {
    MixedRecord* record = nullptr;
    {
        const os::LockGuard guard(g_lock);
        if (!g_region.contains(span->start) || !extend_table(slice_of(span))) {
            return nullptr;
        }
        record = g_spare;
        g_spare = record == nullptr ? nullptr : record->next;
    }
    void* const room = record != nullptr ? record : allocate_metadata(sizeof(MixedRecord));
    return room == nullptr ? nullptr : new (room) MixedRecord;
}

void set_mixed_record(Span* span, MixedRecord* record) noexcept {
    entry_of(span) = record;
    span->local_free = nullptr;
    span->is_fresh = false;
    span->state.become_mixed();
}

void drop_mixed_record(Span* span) noexcept {
    MixedRecord* const record = mixed_record_of(span);
    span->state = SpanState::full;
    span->set_absent(0);
    entry_of(span) = nullptr;
    const os::LockGuard guard(g_lock);
    record->next = g_spare;
    g_spare = record;
}

MixedRecord* mixed_record_of(const Span* span) noexcept { return entry_of(span); }

std::size_t bytes_of_block(const Span* span, const void* block, const char* what) noexcept {
    if (HEAPWRIGHT_LIKELY(!span->state.is_mixed())) {
        return span->block_bytes;
    }
    if (static_cast<std::size_t>(static_cast<const char*>(block) - span->start) % kGranuleBytes != 0) {
        stop_interior(what, block);
    }
    return mixed_record_of(span)->granules_of_block(granule_of(span, block)) * kGranuleBytes;
}

std::uint32_t granules_of_freed(const Span* span, const MixedRecord* record, const FreeBlock* block) noexcept {
    const std::uint32_t granule = granule_of(span, block);
    if (reinterpret_cast<std::uintptr_t>(block) % kGranuleBytes != 0 || !record->is_block(granule)) {
        stop_not_a_block("free", block);
    }
    return record->granules_of_block(granule);
}

void give_freed(const Span* span, MixedRecord* record, const FreeBlock* block, std::uint32_t granules) noexcept {
    record->freed += granules;
    record->give(granule_of(span, block), granules);
}

void tell_freed_mixed(Span* span, MixedRecord* record) noexcept {
    if (record->freed >= kGranulesOfSlice / kToldShare) {
        record->freed = 0;
        note_put_aside(span);
        note_stirred();
    }
}

void put_home_mixed(Span* span, FreeBlock* first, std::uint32_t count) noexcept {
    MixedRecord* const record = mixed_record_of(span);
    for (FreeBlock* block = first; count != 0; --count) {
        FreeBlock* const following = count == 1 ? nullptr : block->next;
        give_freed(span, record, block, granules_of_freed(span, record, block));
        in_this_order();
        span->set_live(span->live() - 1, 0);
        block = following;
    }
    tell_freed_mixed(span, record);
}

void settle_freed(Span* span) noexcept {
    FreeBlock* block = span->local_free;
    if (block == nullptr) {
        return;
    }
    MixedRecord* const record = mixed_record_of(span);
    span->local_free = nullptr;
    in_this_order();
    while (block != nullptr) {
        FreeBlock* const following = block->next;
        give_freed(span, record, block, granules_of_freed(span, record, block));
        block = following;
    }
    tell_freed_mixed(span, record);
}

bool settle_remote(Span* span) noexcept {
    if (span->remote.load(std::memory_order_relaxed) <= kWantsNotice) {  // a hint; the exchange acquires
        return false;
    }
    // Pairs with push_remote()'s release. Who frees next tells again.
    const std::uintptr_t word = span->remote.exchange(kWantsNotice, std::memory_order_acquire);
    MixedRecord* const record = mixed_record_of(span);
    for (const auto* block = reinterpret_cast<const FreeBlock*>(word & ~kWantsNotice); block != nullptr;) {
        const FreeBlock* const following = block->next;
        ++record->owed;
        in_this_order();
        give_freed(span, record, block, granules_of_freed(span, record, block));
        block = following;
    }
    record->freed = 0;  // whoever calls this gives the pages back
    return true;
}

void pay_owed(Span* span) noexcept {
    MixedRecord* const record = mixed_record_of(span);
    if (const std::uint32_t owed = record->owed; owed != 0) {
        record->owed = 0;
        in_this_order();
        span->set_live(span->live() - owed, 0);
    }
}

bool is_empty_mixed(Span* span) noexcept {
    pay_owed(span);
    if (span->live() != 0) {
        return false;
    }
    settle_freed(span);
    const std::uint32_t blocks = mixed_record_of(span)->blocks();
    span->set_live(blocks, 0);
    return blocks == 0;
}

void arm_mixed(Span* span) noexcept {
    const std::uint32_t live = span->live();
    // A block may be longer than the others: then so many of the others are awaited.
    const std::uint32_t mean = std::max(mixed_record_of(span)->taken_granules() / std::max(live, 1U), 1U);
    const std::uint32_t many = std::clamp(kFreedBytesAtOnce / (mean * static_cast<std::uint32_t>(kGranuleBytes)), 1U, kFreedAtOnce);
    span->set_live(live, live - std::min(live, many));
}

bool is_dead_mixed(const Span* span) noexcept {
    const auto length = [&](const FreeBlock* block) {
        std::uint32_t count = 0;
        for (; block != nullptr && count <= kGranulesOfSlice && granule_of(span, block) < kGranulesOfSlice; block = block->next) {
            ++count;
        }
        return count;
    };
    // As is_dead() in page_return.cpp. Both pair with the releases of who puts blocks there.
    const MixedRecord* const record = mixed_record_of(span);
    const std::uint32_t remote = length(reinterpret_cast<const FreeBlock*>(span->remote.load(std::memory_order_acquire) & ~kWantsNotice));
    const FreeBlock* const own = std::atomic_ref(const_cast<FreeBlock*&>(span->local_free)).load(std::memory_order_acquire);
    return remote + record->owed > span->floor && remote + length(own) == record->blocks();
}

FreeBlock* take_of_mixed(Span* span, std::uint32_t granules) noexcept {
    MixedRecord* const record = mixed_record_of(span);
    const std::uint32_t first = record->find(granules);
    if (first == kGranulesOfSlice) {
        return nullptr;
    }
    ++span->floor;
    in_this_order();
    record->take(first, granules);
    const std::uint32_t page = first / kGranulesOfPage;
    const std::uint32_t end = (first + granules - 1) / kGranulesOfPage + 1;
    span->set_absent(span->absent() & ~(((std::uint32_t{1} << (end - page)) - 1) << page));
    return reinterpret_cast<FreeBlock*>(span->start + std::size_t{first} * kGranuleBytes);
}

std::size_t return_mixed_pages(Span* span) noexcept {
    std::size_t given = 0;
    for_each_run(mixed_record_of(span)->free_pages() & ~span->absent(), [&](std::uint32_t first, std::uint32_t last) {
        const std::size_t bytes = (last - first) * os::kPageBytes;
        if (os::discard(span->start + first * os::kPageBytes, bytes)) {  // not where the program locked its memory
            span->set_absent(span->absent() | ((std::uint32_t{1} << (last - first)) - 1) << first);
            given += bytes;
        }
    });
    g_given_back.fetch_add(given, std::memory_order_relaxed);  // a figure
    return given;
}

void refuse_mixing() noexcept { g_is_refused.store(true, std::memory_order_relaxed); }  // before the first block of who needs it

void set_mixing(bool may_mix) noexcept { g_is_off.store(!may_mix, std::memory_order_relaxed); }  // a setting, read through nothing

bool may_mix() noexcept { return !g_is_off.load(std::memory_order_relaxed) && !g_is_refused.load(std::memory_order_relaxed); }  // as above

void reset_mixed_records_after_fork() noexcept { g_lock.reset_after_fork(); }

}  // namespace heapwright::heap
