// Runs of slices: best fit by length, merged when freed, memory given back later.
#include <heapwright/alloc/heap/detail/region.hpp>

#include <algorithm>
#include <bit>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/probes.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::heap {

constinit const char* g_first_base = nullptr;
constinit std::size_t g_first_bytes = 0;
constinit Span* g_first_records = nullptr;
constinit Region g_region;
constinit std::atomic<std::uint32_t> g_turn{1};
constinit std::atomic<std::uint64_t> g_given_back{0};

namespace {

/// Memory becomes usable in steps that grow with the heap: few system calls, and a small program's pages stay small.
constexpr std::uint32_t kLeastStep = 16;  // 1 MiB
constexpr std::uint32_t kMostStep = 512;  // 32 MiB
/// One madvise frees so much at most, and so many at once, so that what they hold is not missed for long.
constexpr std::uint32_t kPurgeSlices = 256;  // 16 MiB
constexpr std::size_t kPurgedAtOnce = 64;

}  // namespace

bool Region::reserve(std::size_t bytes) noexcept {
    bytes &= ~(kSliceBytes - 1);
    void* const start = os::reserve(bytes, kSliceBytes, "heapwright heap");
    if (start == nullptr) {
        return false;
    }
    const auto slices = static_cast<std::uint32_t>(bytes / kSliceBytes);
    base_ = static_cast<char*>(start);
    bytes_ = bytes;
    slices_ = slices;
    first_ = static_cast<std::uint32_t>((std::size_t{slices} * sizeof(Span) + kSliceBytes - 1) / kSliceBytes);
    used_ = first_;
    committed_ = first_;
    return true;
}

/// The first slice from `index` on whose address is a multiple of `alignment` slices.
std::uint32_t Region::aligned(std::uint32_t index, std::uint32_t alignment) const noexcept {
    const auto slice = reinterpret_cast<std::uintptr_t>(start_of(index)) >> kSliceLog2;
    return index + static_cast<std::uint32_t>((alignment - slice) & (alignment - 1));
}

std::uint32_t Region::bin_of(std::uint32_t slices) noexcept {
    if (slices <= kExactBins) {
        return slices - 1;
    }
    const auto doubling = static_cast<std::uint32_t>(std::bit_width(slices)) - 1;  // at least 6
    const std::uint32_t bin = kExactBins + (doubling - 6) * 4 + ((slices >> (doubling - 2)) & 3);
    return bin < kBins ? bin : kBins - 1;
}

void Region::insert(std::uint32_t first, std::uint32_t slices) noexcept {
    Span* const run = records() + first;
    Span* const last = run + (slices - 1);
    run->slices = slices;
    last->slices = slices;
    run->owner.store(owner::kFree, std::memory_order_relaxed);  // under the lock; others only compare it
    last->owner.store(owner::kFree, std::memory_order_relaxed);
    const std::uint32_t bin = bin_of(slices);
    ListChain::push(bins_[bin], run);
    bin_used_[bin / 64] |= std::uint64_t{1} << (bin % 64);
    free_ += slices;
}

void Region::remove(Span* run) noexcept {
    const std::uint32_t bin = bin_of(run->slices);
    ListChain::erase(bins_[bin], run);
    if (bins_[bin] == nullptr) {
        bin_used_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
    }
    free_ -= run->slices;
}

void Region::insert_merged(std::uint32_t first, std::uint32_t slices) noexcept {
    Span* const run = records() + first;
    if (first > first_ && (run - 1)->owner.load(std::memory_order_relaxed) == owner::kFree) {  // under the lock
        const std::uint32_t before = (run - 1)->slices;
        remove(run - before);
        first -= before;
        slices += before;
    }
    const std::uint32_t end = first + slices;
    if (end < used_ && records()[end].owner.load(std::memory_order_relaxed) == owner::kFree) {  // under the lock
        slices += records()[end].slices;
        remove(records() + end);
    }
    insert(first, slices);
}

Span* Region::find(std::uint32_t slices) noexcept {
    std::uint32_t bin = bin_of(slices);
    if (bin >= kExactBins) {
        // Runs of one list differ in length: the shortest that is long enough.
        Span* best = nullptr;
        for (Span* run = bins_[bin]; run != nullptr; run = run->next) {
            if (run->slices >= slices && (best == nullptr || run->slices < best->slices)) {
                best = run;
            }
        }
        if (best != nullptr) {
            return best;
        }
        ++bin;
    }
    for (std::uint32_t word = bin / 64; word < bin_used_.size(); ++word) {
        const std::uint64_t used = word == bin / 64 ? bin_used_[word] & (~std::uint64_t{0} << (bin % 64)) : bin_used_[word];
        if (used != 0) {
            return bins_[word * 64 + static_cast<std::uint32_t>(std::countr_zero(used))];
        }
    }
    return nullptr;
}

bool Region::commit_records(std::uint32_t slices) noexcept {
    const std::size_t wanted = std::size_t{slices} * sizeof(Span);
    if (wanted <= records_committed_bytes_) {
        return true;
    }
    const std::size_t most = std::size_t{first_} * kSliceBytes;
    const std::size_t step = std::min(most, (wanted + kSliceBytes - 1) & ~(kSliceBytes - 1));
    if (!os::commit(base_ + records_committed_bytes_, step - records_committed_bytes_)) {
        return false;
    }
    records_committed_bytes_ = step;
    return true;
}

/// Moves used_ on by `slices`, and what is readable and writable with it.
bool Region::use_more(std::uint32_t slices) noexcept {
    if (slices > slices_ - used_ || !commit_records(used_ + slices)) {
        return false;
    }
    const std::uint32_t end = used_ + slices;
    if (end > committed_) {
        const std::uint32_t step = std::clamp((used_ - first_) / 4, kLeastStep, kMostStep);
        std::uint32_t goal = std::min(slices_, std::max(end, committed_ + step));
        const auto commit_to = [&](std::uint32_t to) {
            return os::commit(start_of(committed_), std::size_t{to - committed_} * kSliceBytes);
        };
        if (!commit_to(goal)) {
            goal = end;  // a step ahead is too much; what is needed may not be
            if (!commit_to(goal)) {
                return false;
            }
        }
        committed_ = goal;
    }
    used_ = end;
    return true;
}

/// Makes [first, first + slices) a span; says whether all of it is clean.
Span* Region::claim(std::uint32_t first, std::uint32_t slices, bool& is_zero) noexcept {
    Span* const head = records() + first;
    std::uint32_t dirty = 0;
    for (std::uint32_t i = 0; i < slices; ++i) {
        dirty += head[i].is_dirty ? 1U : 0U;
    }
    is_zero = dirty == 0;
    set_dirty_slices(dirty_slices() - dirty);
    head->slices = slices;
    head->start = start_of(first);
    // Under the lock; others only compare it. The last one first: it may be the only one.
    head[slices - 1].owner.store(owner::kInterior, std::memory_order_relaxed);
    head->owner.store(owner::kMetadata, std::memory_order_relaxed);  // the caller says what it is
    return head;
}

Span* Region::take(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept {
    const os::LockGuard guard(lock_);
    if (base_ == nullptr || slices == 0 || slices > slices_) {
        return nullptr;
    }
    Span* const run = find(slices + (alignment - 1));
    std::uint32_t begin = used_;
    std::uint32_t end = used_;
    if (run != nullptr) {
        remove(run);
        begin = index_of(run);
        end = begin + run->slices;
    } else {
        // The last free run may reach to what was never used: begin there.
        if (used_ > first_ && records()[used_ - 1].owner.load(std::memory_order_relaxed) == owner::kFree) {  // under the lock
            begin = used_ - records()[used_ - 1].slices;
        }
        const std::uint32_t needed = aligned(begin, alignment) + slices;
        if (needed < slices || (needed > used_ && !use_more(needed - used_))) {
            return nullptr;
        }
        if (begin != end) {
            remove(records() + begin);
        }
        end = used_;  // beyond what is needed where an aligned place lies in the middle of the last free run
    }
    const std::uint32_t first = aligned(begin, alignment);
    if (first != begin) {
        insert(begin, first - begin);
    }
    if (first + slices != end) {
        insert(first + slices, end - first - slices);
    }
    return claim(first, slices, is_zero);
}

bool Region::has_addresses(std::uint32_t slices) noexcept {
    const os::LockGuard guard(lock_);
    return slices <= slices_ - used_;
}

void Region::give_locked(Span* head, std::uint32_t slices) noexcept {
    const std::uint32_t turn = g_turn.load(std::memory_order_relaxed);  // a stamp, read through nothing
    for (std::uint32_t i = 0; i < slices; ++i) {
        head[i].owner.store(owner::kFree, std::memory_order_relaxed);  // under the lock; others only compare it
        head[i].is_dirty = true;
        head[i].stamp = turn;
    }
    set_dirty_slices(dirty_slices() + slices);
    insert_merged(index_of(head), slices);
}

void Region::give(Span* head, std::uint32_t slices) noexcept {
    const os::LockGuard guard(lock_);
    give_locked(head, slices);
}

void Region::shorten(Span* head, std::uint32_t wanted) noexcept {
    const os::LockGuard guard(lock_);  // the clock walks from head to head by their lengths
    const std::uint32_t rest = head->slices - wanted;
    head->slices = wanted;
    if (wanted > 1) {
        head[wanted - 1].owner.store(owner::kInterior, std::memory_order_relaxed);  // others only compare it
    }
    give_locked(head + wanted, rest);
}

bool Region::extend(Span* head, std::uint32_t slices, std::uint32_t wanted, bool& is_zero) noexcept {
    const os::LockGuard guard(lock_);
    const std::uint32_t end = index_of(head) + slices;
    const std::uint32_t more = wanted - slices;
    std::uint32_t there = 0;
    if (end < used_) {
        if (records()[end].owner.load(std::memory_order_relaxed) != owner::kFree) {  // under the lock
            return false;
        }
        there = records()[end].slices;
    }
    if (there < more) {
        if (end + there != used_ || !use_more(more - there)) {
            return false;
        }
    }
    if (there != 0) {
        remove(records() + end);
    }
    if (there > more) {
        insert(end + more, there - more);
    }
    static_cast<void>(claim(end, more, is_zero));
    records()[end].owner.store(owner::kInterior, std::memory_order_relaxed);  // under the lock
    head->slices = wanted;
    return true;
}

/// Takes stretches of dirty slices that are old enough out of their runs, so that nobody uses them while the kernel does.
std::uint32_t Region::take_old(std::uint32_t before, bool all, std::span<Stretch> stretches) noexcept {
    const os::LockGuard guard(lock_);
    const auto is_old = [&](const Span& slice) { return slice.is_dirty && (all || static_cast<std::int32_t>(slice.stamp - before) < 0); };
    std::uint32_t count = 0;
    std::uint32_t index = first_;
    while (dirty_slices() != 0 && index < used_ && count < stretches.size()) {
        Span* const run = records() + index;
        const std::uint32_t end = index + run->slices;
        if (run->owner.load(std::memory_order_relaxed) != owner::kFree) {  // under the lock
            index = end;
            continue;
        }
        std::uint32_t first = index;
        while (first < end && !is_old(records()[first])) {
            ++first;
        }
        std::uint32_t last = first;
        while (last < end && last - first < kPurgeSlices && is_old(records()[last])) {
            ++last;
        }
        if (first == last) {
            index = end;
            continue;
        }
        remove(run);
        if (first != index) {
            insert(index, first - index);
        }
        if (last != end) {
            insert(last, end - last);
        }
        bool is_zero = false;
        static_cast<void>(claim(first, last - first, is_zero));
        stretches[count++] = {.first = first, .slices = last - first};
        index = last;
    }
    return count;
}

void Region::put_back(const Stretch& stretch, bool is_clean) noexcept {
    const os::LockGuard guard(lock_);
    for (std::uint32_t i = stretch.first; i < stretch.first + stretch.slices; ++i) {
        records()[i].is_dirty = !is_clean;
        records()[i].owner.store(owner::kFree, std::memory_order_relaxed);  // under the lock
    }
    set_dirty_slices(dirty_slices() + (is_clean ? 0 : stretch.slices));
    insert_merged(stretch.first, stretch.slices);
}

std::size_t Region::purge(std::uint32_t before, bool all) noexcept {
    std::size_t given = 0;
    std::array<Stretch, kPurgedAtOnce> stretches;
    bool can_give = true;
    while (can_give) {
        const std::uint32_t count = take_old(before, all, stretches);
        for (const Stretch& stretch : std::span(stretches).first(count)) {
            const std::size_t bytes = std::size_t{stretch.slices} * kSliceBytes;
            const bool is_clean = os::discard(start_of(stretch.first), bytes);
            put_back(stretch, is_clean);
            given += is_clean ? bytes : 0;
            can_give = can_give && is_clean;
        }
        can_give = can_give && count != 0;
    }
    g_given_back.fetch_add(given, std::memory_order_relaxed);  // a figure
    HEAPWRIGHT_PROBE2(purge, given, dirty_bytes());
    return given;
}

const char* Region::broken_invariant() const noexcept {
    std::uint32_t index = first_;
    std::uint32_t dirty = 0;
    std::uint32_t free = 0;
    bool after_free = false;
    while (index < used_) {
        const Span& span = records()[index];
        const bool is_free = span.owner.load(std::memory_order_relaxed) == owner::kFree;  // under the lock
        if (is_free && after_free) {
            return "RG1: two free runs touch";
        }
        if (is_free) {
            const std::uint32_t bin = bin_of(span.slices);
            const Span* listed = bins_[bin];
            while (listed != nullptr && listed != &span) {
                listed = listed->next;
            }
            if (listed == nullptr) {
                return "RG2: a free run is in no list";
            }
            free += span.slices;
            for (std::uint32_t i = index; i < index + span.slices; ++i) {
                dirty += records()[i].is_dirty ? 1U : 0U;
            }
        }
        after_free = is_free;
        if (span.slices == 0) {
            return "RG2: a span without slices";
        }
        index += span.slices;
    }
    if (free != free_) {
        return "RG2: the lists hold other runs than there are";
    }
    return dirty != dirty_slices() ? "RG3: the count of dirty slices is wrong" : nullptr;
}

}  // namespace heapwright::heap
