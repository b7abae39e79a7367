#include <heapwright/study/replay/planner.hpp>

#include <algorithm>

namespace heapwright::study {

namespace {

constexpr std::uint64_t kMaxEpochEvents = 16384;
constexpr std::uint64_t kMinEpochEvents = 256;
constexpr std::uint64_t kEpochsWanted = 1000;
/// Threads may run apart by this share of what is live, and by this much at least.
constexpr std::uint64_t kSkewShare = 64;
constexpr std::uint64_t kSkewBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kTrimAtLeast = std::uint64_t{1} << 20;
constexpr std::uint32_t kNoLane = UINT32_MAX;
constexpr std::uint32_t kArenaChunkBytes = std::uint32_t{64} << 10;
constexpr std::uint64_t kLargestRequest = (std::uint64_t{1} << 47) - 1;

}  // namespace

Planner::Planner(PlanWriter& writer, const Placement& placement, std::uint64_t expected_events) : writer_(writer), placement_(placement) {
    epoch_limit_ = expected_events == 0 ? kMaxEpochEvents : std::clamp(expected_events / kEpochsWanted, kMinEpochEvents, kMaxEpochEvents);
    for (const trace::StackId stack : placement_.stacks) {
        const auto index = static_cast<std::size_t>(stack);
        if (index >= placed_.size()) {
            placed_.resize(index + 1);
        }
        placed_[index] = true;
    }
    if (placement_.kind == PlacementKind::arena) {
        group_ = writer_.add_group({plan::GroupKind::arena, 0, kArenaChunkBytes, 16});
    } else if (placement_.kind == PlacementKind::pool) {
        group_ = writer_.add_group(
            {plan::GroupKind::pool, std::max(placement_.pool_block_bytes, 8U), kArenaChunkBytes, placement_.pool_alignment});
    } else if (placement_.kind == PlacementKind::planned) {
        group_ = writer_.add_group({plan::GroupKind::planned, static_cast<std::uint32_t>(placement_.place), 0, 16});
    }
}

void Planner::add_threads(std::span<const trace::ThreadInfo> threads) { threads_.insert(threads_.end(), threads.begin(), threads.end()); }

std::uint32_t Planner::lane_of(trace::ThreadIndex thread) {
    const auto index = static_cast<std::size_t>(thread);
    if (index >= lane_by_thread_.size()) {
        lane_by_thread_.resize(index + 1, kNoLane);
    }
    if (lane_by_thread_[index] == kNoLane) {
        lane_by_thread_[index] = static_cast<std::uint32_t>(lanes_.size());
        lanes_.emplace_back();
    }
    return lane_by_thread_[index];
}

// An epoch ends when it is long enough, and earlier where several threads could otherwise run apart by so much memory
// that the peak of the replay would be another one than that of the recording.
void Planner::begin_event(std::uint32_t lane, trace::Tick tick) {
    last_ns_ = clock_.ns_at(tick);
    const std::uint64_t skew = std::max(kSkewBytes, counts_.live_bytes / kSkewShare);
    const bool several = writer_.active_lanes() > 1 || (writer_.active_lanes() == 1 && !writer_.is_active(lane));
    if (writer_.epoch_events() >= epoch_limit_ || (several && epoch_bytes_ > skew)) {
        writer_.end_epoch(last_ns_);
        slots_.end_epoch();
        epoch_bytes_ = 0;
    }
}

void Planner::on_event(const trace::Event& event) {
    ++counts_.events;
    const std::uint32_t lane = lane_of(event.thread);
    begin_event(lane, event.tick);
    switch (event.kind) {
        case trace::EventKind::allocate: allocate(lane, event); break;
        case trace::EventKind::release: release(lane, event); break;
        case trace::EventKind::resize_from: resize_from(lane, event); break;
        case trace::EventKind::resize_to: resize_to(lane, event); break;
    }
}

void Planner::allocate(std::uint32_t lane, const trace::Event& event) {
    if (event.call == trace::Call::map) {
        return;  // what a program maps by itself no allocator can change
    }
    settle_waiting(lane);
    if (event.address == 0 || event.size > kLargestRequest) {
        ++counts_.refused;
        return;
    }
    drop_stale(lane, event.address);
    insert(place(lane, event));
    writer_.count_event(lane);
    ++counts_.replayed;
    epoch_bytes_ += event.size;
    count_live(static_cast<std::int64_t>(event.size), lane);
}

// The table's own release event was lost, or overwritten in a damaged chunk.
void Planner::drop_stale(std::uint32_t lane, std::uint64_t address) {
    if (Block* const stale = find_settled(address)) {
        ++counts_.lost_frees;
        drop(stale, lane, trace::kTouchedUnknown);
    }
}

Planner::Block* Planner::find_settled(std::uint64_t address) {
    Block* const block = live_.find(address);
    if (block == nullptr || block->waiting == 0) {
        return block;
    }
    settle_waiting(block->lane);
    return live_.find(address);
}

void Planner::release(std::uint32_t lane, const trace::Event& event) {
    if (event.call == trace::Call::unmap) {
        return;
    }
    Block* const block = find_settled(event.address);
    if (block == nullptr) {
        ++counts_.unknown_frees;
        return;
    }
    ++counts_.replayed;
    writer_.count_event(lane);
    if (block->home == static_cast<std::uint64_t>(Home::reserve) && continues_chain(lane, *block)) {
        count_live(-static_cast<std::int64_t>(block->size), lane);
        live_.erase(live_.find(event.address));
        return;
    }
    settle_waiting(lane);
    drop(live_.find(event.address), lane, event.touched);
}

void Planner::resize_from(std::uint32_t lane, const trace::Event& event) {
    settle_waiting(lane);
    LaneState& state = lanes_[lane];
    state.resizing.reset();
    state.resizing_touched = event.touched;
    if (Block* const block = find_settled(event.address)) {
        state.resizing = *block;
        live_.erase(block);
    } else if (event.address != 0) {
        ++counts_.unknown_frees;
    }
}

void Planner::resize_to(std::uint32_t lane, const trace::Event& event) {
    LaneState& state = lanes_[lane];
    const std::optional<Block> old = state.resizing;
    state.resizing.reset();
    if (!old) {
        allocate(lane, event);
        return;
    }
    if (event.address == 0 || event.size > kLargestRequest) {
        Block block = *old;
        if (event.size != 0) {
            ++counts_.refused;
            insert(block);
            return;
        }
        insert(block);
        writer_.count_event(lane);
        ++counts_.replayed;
        drop(live_.find(block.address), lane, state.resizing_touched);
        return;
    }
    drop_stale(lane, event.address);
    writer_.count_event(lane);
    ++counts_.replayed;
    epoch_bytes_ += event.size;
    resize_block(lane, event, *old);
    count_live(static_cast<std::int64_t>(event.size) - static_cast<std::int64_t>(old->size), lane);
}

void Planner::resize_block(std::uint32_t lane, const trace::Event& event, const Block& old) {
    const Home home = static_cast<Home>(old.home);
    const std::uint64_t touched = lanes_[lane].resizing_touched;
    if (home == Home::arena || home == Home::pool || home == Home::frame || home == Home::nowhere ||
        (placement_.kind == PlacementKind::arena && is_placed(event.stack))) {
        // Not the allocator's before or not after: made anew, and the old one let go.
        insert(place(lane, event));
        emit_release(lane, old, touched);
        return;
    }
    Block block = old;
    block.address = event.address;
    block.size = event.size & kSizeMask;
    if (home == Home::reserve) {
        grow_reserved(lane, block, event.size);
        insert(block);
        return;
    }
    std::uint64_t from = std::min(std::uint64_t{old.size}, event.size);
    if (home == Home::wide) {
        if (touched != trace::kTouchedUnknown) {
            from = std::min(from, touched);
        }
        settle(old, touched);
    }
    const bool wide = event.size > plan::kWholeBytes;
    block.home = static_cast<std::uint64_t>(wide ? Home::wide : Home::allocator);
    append_after(lane, plan::Op::resize, block.slot);
    writer_.append(lane, event.size);
    writer_.append(lane, from);
    writer_.append(lane, std::max(from, event.size));
    if (wide) {
        corrections_[block.slot] = {.touched = writer_.mark(lane), .address = block.address, .written_from = from};
    }
    insert(block);
}

void Planner::count_live(std::int64_t change, std::uint32_t lane) {
    counts_.live_bytes = static_cast<std::uint64_t>(static_cast<std::int64_t>(counts_.live_bytes) + change);
    counts_.peak_live_bytes = std::max(counts_.peak_live_bytes, counts_.live_bytes);
    if (placement_.kind != PlacementKind::trim) {
        return;
    }
    trim_high_ = std::max(trim_high_, counts_.live_bytes);
    if (change < 0 && counts_.live_bytes < trim_high_ / 2 && trim_high_ - counts_.live_bytes >= kTrimAtLeast) {
        writer_.append(lane, plan::make_word(plan::Op::trim, 0, 0));
        ++counts_.placed;
        counts_.placed_bytes += trim_high_ - counts_.live_bytes;
        trim_high_ = counts_.live_bytes;
    }
}

void Planner::insert(const Block& block) {
    live_.insert(block);
    if (!stands_alone(block.address, block.size)) {
        held_.note(block.address);
    }
}

Result<plan::PlanHeader> Planner::finish() {
    for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
        settle_waiting(lane);
    }
    std::vector<std::pair<Block, std::uint64_t>> never_released;
    for (const auto& [slot, correction] : corrections_) {
        const Block* const block = live_.find(correction.address);
        if (block != nullptr && block->slot == slot) {
            never_released.emplace_back(*block, correction.seen_touched == 0 ? trace::kTouchedUnknown : correction.seen_touched);
        }
    }
    for (const auto& [block, touched] : never_released) {
        settle(block, touched);
    }
    for (const trace::ThreadInfo& thread : threads_) {
        const auto index = static_cast<std::size_t>(thread.index);
        if (thread.finished && index < lane_by_thread_.size() && lane_by_thread_[index] != kNoLane) {
            writer_.mark_exit(lane_by_thread_[index]);
        }
    }
    return writer_.finish(slots_.count(), last_ns_);
}

}  // namespace heapwright::study
