// Compactions from beginning to end: budgets, what goes back to the system, what is counted.
#include <algorithm>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/handle/detail/compaction.hpp>

namespace heapwright::movable {

namespace {

constexpr std::uint64_t kPauseNs = 100'000;          // after a step that Borrows did not let begin
constexpr std::int64_t kCreditMostNs = 500'000'000;  // what ticks that had nothing to do may save up
/// What ticks save up before they do anything: after each pause memory has to be fetched again, from the kernel's lists of pages
/// to the objects, so that few long turns take half the time of many short ones.
constexpr std::int64_t kCreditLeastNs = 4'000'000;
constexpr unsigned kRefusalsInARow = 8;

/// Whether no bit from `begin` to `end` is set.
bool is_vacant(const std::uint64_t* bits, std::uint32_t begin, std::uint32_t end) noexcept {
    for (std::uint32_t slot = begin; slot < end; ++slot) {
        if ((bits[slot / kBitsPerWord] >> slot % kBitsPerWord & 1) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

/// Gives back the pages behind the last live slot, and those between that pinned objects left empty.
void Compaction::shrink(Chunk& chunk) noexcept {
    const std::uint64_t* const bits = store_.chunks.bits_of(chunk);
    std::byte* const start = store_.chunks.start_of(chunk);
    std::uint32_t end = chunk.touched;
    while (end > 0 && is_vacant(bits, end - 1, end)) {
        --end;
    }
    const std::uint32_t pages = chunk.pages_for(end);
    const std::uint32_t before = chunk.granted_pages - chunk.hole_pages;
    if (pages < chunk.granted_pages && os::discard(start + pages * os::kPageBytes, (chunk.granted_pages - pages) * os::kPageBytes)) {
        chunk.granted_pages = pages;
        chunk.touched = end;
    }
    // Between live slots, which pins have kept. What was given back before is given back again, which is cheap: hole_pages
    // says how many they were, and taking a slot makes them count again.
    std::uint32_t holes = 0;
    for (std::uint32_t page = chunk.pages_for(0); page < pages; ++page) {
        std::uint32_t last = page;
        while (last < pages &&
               is_vacant(bits, chunk.slot_at(last * os::kPageBytes), std::min(end, chunk.slot_at((last + 1) * os::kPageBytes - 1) + 1))) {
            ++last;
        }
        if (last > page && os::discard(start + page * os::kPageBytes, (last - page) * os::kPageBytes)) {
            holes += last - page;
        }
        page = last;
    }
    const std::uint32_t after = std::min(before, chunk.granted_pages - holes);
    const std::uint32_t returned = before - after;
    chunk.hole_pages = chunk.granted_pages - after;
    store_.chunks.revoke(returned);
    result.returned_bytes += std::size_t{returned} * os::kPageBytes;
}

void Compaction::give_back() noexcept {
    for (std::size_t i = 0; i < pending_count_; ++i) {
        const Pending& pending = pending_[i];
        if (pending.is_empty) {
            store_.chunks.give(pending.chunk, 1);
            continue;
        }
        const os::LockGuard guard(store_.classes_[pending.size_class].lock);
        Chunk& chunk = store_.chunks[pending.chunk];
        if (chunk.state() == ChunkState::slots && chunk.size_class() == pending.size_class && chunk.live != 0) {
            shrink(chunk);
        }
    }
    pending_count_ = 0;
    result.returned_bytes += store_.chunks.trim(0, deadline_ns_);
}

/// Steps until everything was looked at, or the time is over, or Borrows let none begin.
void Store::run(Compaction& compaction, std::uint64_t deadline_ns) noexcept {
    unsigned refused = 0;
    std::uint64_t now_ns = os::monotonic_ns();
    while ((next_class_ < kClassCount || next_page_ != Names::kNoPage) && now_ns < deadline_ns && refused < kRefusalsInARow) {
        const bool moves = next_class_ < kClassCount;
        if (moves ? compaction.step() : compaction.pack_names()) {
            refused = 0;
            compaction.give_back();
        } else {
            ++refused;
            os::sleep_ns(std::min(kPauseNs, deadline_ns - std::min(deadline_ns, os::monotonic_ns())));
        }
        if (moves && next_class_ == kClassCount) {
            next_page_ = names.is_sparse() && may_make_records() ? 0 : Names::kNoPage;
        }
        now_ns = os::monotonic_ns();
    }
}

/// Records count against the limit, pages of the name table do not: near the limit that would be a bad bargain.
bool Store::may_make_records() const noexcept { return chunks.granted_bytes() <= chunks.limit_bytes() / 8 * 7; }

/// What is free goes back. Where there is no time for all of it, the next call goes on with that.
void Store::finish(DefragmentationResult& result, std::uint64_t deadline_ns) noexcept {
    result.returned_bytes += chunks.trim(0, deadline_ns) + chunks.trim_records(next_record_, deadline_ns) + names.trim();
    is_compacted_ = next_record_ == kNoChunk && (chunks.dirty_bytes() == 0 || os::monotonic_ns() < deadline_ns);
    result.is_finished = is_compacted_;
}

void Store::add_to_totals(const DefragmentationResult& result) noexcept {
    const os::LockGuard guard(totals_lock_);
    is_unfinished_ = !is_compacted_;
    totals_.compactions += result.is_finished ? 1 : 0;
    totals_.steps += result.steps;
    totals_.refused_steps += result.refused_steps;
    totals_.longest_step_ns = std::max(totals_.longest_step_ns, result.longest_step_ns);
    totals_.moved_objects += result.moved_objects;
    totals_.moved_bytes += result.moved_bytes;
    totals_.returned_bytes += result.returned_bytes;
}

Result<DefragmentationResult> Store::compact(std::uint64_t budget_ns) noexcept {
    if (gate.is_inside()) {
        return fail_with(Errc::timed_out, 0);
    }
    if (!compacting_.try_lock()) {
        return fail_with(Errc::limit_reached, 1);
    }
    const std::uint64_t begin_ns = os::monotonic_ns();
    const std::uint64_t deadline_ns = budget_ns > UINT64_MAX - begin_ns ? UINT64_MAX : begin_ns + budget_ns;
    if (is_compacted_) {
        is_compacted_ = false;
        next_class_ = 0;
        next_record_ = 0;
        pass_.fetch_add(1, std::memory_order_relaxed);  // as relist() says
    }
    Compaction compaction(*this, deadline_ns);
    DefragmentationResult& result = compaction.result;
    result.largest_free_run_before = chunks.largest_free_run();
    run(compaction, deadline_ns);
    if (next_class_ == kClassCount && next_page_ == Names::kNoPage) {
        finish(result, deadline_ns);
    }
    result.largest_free_run_after = chunks.largest_free_run();
    result.elapsed_ns = os::monotonic_ns() - begin_ns;
    add_to_totals(result);
    compacting_.unlock();
    if (result.steps == 0 && result.refused_steps != 0) {
        return fail_with(Errc::timed_out, result.elapsed_ns);
    }
    return result;
}

void Store::tick() noexcept {
    const std::uint64_t now_ns = os::monotonic_ns();
    std::int64_t budget_ns = 0;
    bool is_going_on = false;
    {
        const os::LockGuard guard(totals_lock_);
        if (ticked_ns_ != 0) {
            const std::uint64_t earned_ns = (now_ns - ticked_ns_) / 1000 * options.cpu_millionths / 1000;
            credit_ns_ = std::min(kCreditMostNs, credit_ns_ + static_cast<std::int64_t>(earned_ns));
        }
        ticked_ns_ = now_ns;
        budget_ns = credit_ns_;
        is_going_on = is_unfinished_;
    }
    if (!options.auto_compaction || budget_ns < kCreditLeastNs) {
        return;
    }
    const std::uint64_t begin_ns = os::thread_cpu_ns();
    static_cast<void>(chunks.trim(0, now_ns + static_cast<std::uint64_t>(budget_ns)));
    if (is_going_on || stats().vacant_millionths() > options.threshold_millionths) {
        static_cast<void>(compact(static_cast<std::uint64_t>(budget_ns)));  // what it could not do, the next tick may
    }
    const std::uint64_t spent_ns = os::thread_cpu_ns() - begin_ns;
    const os::LockGuard guard(totals_lock_);
    credit_ns_ -= static_cast<std::int64_t>(spent_ns);  // a debt is paid by the ticks that follow
}

bool Store::move_everything() noexcept {
    if (gate.is_inside()) {
        return false;
    }
    if (!compacting_.try_lock()) {
        return false;
    }
    pass_.fetch_add(1, std::memory_order_relaxed);  // as relist() says
    next_class_ = kClassCount;
    next_page_ = Names::kNoPage;
    is_compacted_ = true;
    Compaction compaction(*this, UINT64_MAX);
    while (!compaction.has_moved_everything() && compaction.move_some()) {
        compaction.give_back();
    }
    const bool moved = compaction.has_moved_everything();
    add_to_totals(compaction.result);
    compacting_.unlock();
    return moved;
}

}  // namespace heapwright::movable
