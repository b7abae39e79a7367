#include "stage.hpp"

#include "fixed_memory.hpp"

#include <heapwright/os/thread.hpp>

namespace heapwright::replay_worker {

namespace plan = study::plan;

namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10;
// Deep enough for use_frame() and for what allocators do on a thread's way in and out.
constexpr std::size_t kTouchedStackBytes = std::size_t{112} << 10;

Stage* the_stage = nullptr;  // pthread_create carries one pointer, and that is the lane

HEAPWRIGHT_NOINLINE void touch_own_stack() noexcept {
    volatile char frame[kTouchedStackBytes];
    for (std::size_t at = 0; at < sizeof(frame); at += 4096) {
        frame[at] = 0;
    }
}

std::uint64_t empty_measurement() noexcept {
    std::uint64_t least = UINT64_MAX;
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t before = os::ticks();
        const std::uint64_t ticks = os::ticks() - before;
        least = ticks < least ? ticks : least;
    }
    return least;
}

}  // namespace

void Stage::prepare(const char* plan_path, double pace) noexcept {
    the_stage = this;
    pace_ = pace;
    reader_.open(plan_path);
    const plan::PlanHeader& header = reader_.header();
    player_.prepare(header);
    const std::uint32_t lanes = header.lanes == 0 ? 1 : header.lanes;
    lanes_ = fixed_array<Lane>(lanes, "heapwright lanes");
    for (std::uint32_t i = 0; i < lanes; ++i) {
        new (static_cast<void*>(&lanes_[i])) Lane{};
        lanes_[i].number = i;
    }
    exited_ = fixed_array<std::uint32_t>(lanes, "heapwright lanes");
    // Lane 0 has the stack that the program began with; a dealer on its way out keeps its own for one epoch more.
    const std::uint32_t stacks = header.lanes_at_once;
    stacks_ = fixed_array<char*>(stacks, "heapwright stacks");
    free_stacks_ = fixed_array<std::uint32_t>(stacks, "heapwright stacks");
    for (std::uint32_t i = 0; i < stacks && lanes > 1; ++i) {
        stacks_[i] = static_cast<char*>(fixed_stack(kStackBytes, kTouchedStackBytes, "heapwright stacks"));
        free_stacks_[free_stack_count_++] = stacks - 1 - i;
    }
    curve_ = fixed_array<plan::CurvePoint>(plan::kMaxCurvePoints, "heapwright curve");
    events_per_point_ = header.events / (plan::kMaxCurvePoints - 4) + 1;
    touch_own_stack();
    timer_ticks_ = empty_measurement();
    meter_.start();
}

void Stage::play() noexcept {
    first_point_ = os::tick_point();
    begin_ns_ = os::monotonic_ns();
    lanes_[0].running = true;
    deal();
    run_lane(lanes_[0]);
    end_ns_ = os::monotonic_ns();
    join_exited();
    sample(reader_.header().events);
    const os::TickPoint last = os::tick_point();
    const std::uint64_t ticks = last.ticks - first_point_.ticks;
    ns_per_tick_ = ticks == 0 ? 0 : static_cast<double>(last.monotonic_ns - first_point_.monotonic_ns) / static_cast<double>(ticks);
}

void* Stage::thread_main(void* lane) noexcept {
    the_stage->run_lane(*static_cast<Lane*>(lane));
    return nullptr;
}

void Stage::run_lane(Lane& lane) noexcept {
    for (;;) {
        std::uint32_t turn = 0;
        while ((turn = lane.turn.load(std::memory_order_acquire)) == lane.seen_turn) {  // pairs with the store in wake()
            os::futex_wait(&lane.turn, turn);
        }
        lane.seen_turn = turn;
        if (turn == kDismissed) {
            return;
        }
        take_turn(lane);
        const bool exits = lane.exits;
        // Release: what this lane did is seen by the dealer; acquire: the dealer sees what all others did.
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            deal();
        }
        if (exits && lane.number != 0) {
            return;
        }
    }
}

void Stage::take_turn(Lane& lane) noexcept {
    const ThreadUse before = thread_use();
    player_.run(lane);
    const ThreadUse after = thread_use();
    ThreadUse& use = lane.counts.use;
    use.cpu_ns += after.cpu_ns - before.cpu_ns;
    use.minor_faults += after.minor_faults - before.minor_faults;
    use.major_faults += after.major_faults - before.major_faults;
    use.voluntary_switches += after.voluntary_switches - before.voluntary_switches;
    use.involuntary_switches += after.involuntary_switches - before.involuntary_switches;
}

void Stage::deal() noexcept {
    const std::uint64_t begin = os::monotonic_ns();
    Epoch epoch;
    const bool more = reader_.next(epoch);
    if (more && epoch.header->events_before >= next_point_) {
        sample(epoch.header->events_before);
        next_point_ = epoch.header->events_before + events_per_point_;
    }
    if (more && pace_ > 0) {
        keep_pace(epoch);
    }
    join_exited();
    ++epoch_number_;
    dealing_ns_ += os::monotonic_ns() - begin;
    if (!more) {
        wake(lanes_[0], kDismissed);
        return;
    }
    deal_blocks(epoch);
}

void Stage::deal_blocks(const Epoch& epoch) noexcept {
    if (epoch.header->blocks == 0) {
        give_up("the plan of this replay is damaged: an epoch without operations");
    }
    // Relaxed: the turns' release below publishes it to every lane that will count it down.
    left_.store(epoch.header->blocks, std::memory_order_relaxed);
    const plan::Word* words = epoch.words;
    const std::uint32_t turn = epoch_number_;
    for (std::uint32_t i = 0; i < epoch.header->blocks; ++i) {
        const plan::LaneBlock& block = epoch.blocks[i];
        Lane& lane = lanes_[block.lane];
        lane.words = words;
        lane.word_count = block.words;
        lane.exits = (block.flags & plan::kExits) != 0;
        words += block.words;
        if (lane.exits && block.lane != 0) {
            exited_[exited_count_++] = block.lane;
        }
        if (!lane.running) {
            start_thread(lane);
        }
    }
    // Header and blocks belong to the next dealer as soon as the last lane here was woken, so nothing is read after that.
    const std::uint32_t blocks = epoch.header->blocks;
    for (std::uint32_t i = 0; i < blocks; ++i) {
        wake(lanes_[epoch.blocks[i].lane], turn);
    }
}

void Stage::start_thread(Lane& lane) noexcept {
    if (free_stack_count_ == 0) {
        give_up("the plan of this replay is damaged: more threads at once than promised");
    }
    lane.stack = free_stacks_[--free_stack_count_];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stacks_[lane.stack], kStackBytes);
    if (pthread_create(&lane.thread, &attributes, &thread_main, &lane) != 0) {
        give_up("cannot replay: the kernel refuses another thread");
    }
    pthread_attr_destroy(&attributes);
    lane.running = true;
}

void Stage::join_exited() noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < exited_count_; ++i) {
        Lane& lane = lanes_[exited_[i]];
        if (pthread_equal(lane.thread, pthread_self()) != 0) {
            exited_[kept++] = exited_[i];  // the dealer itself is on its way out; the next dealer joins it
            continue;
        }
        pthread_join(lane.thread, nullptr);
        lane.running = false;
        free_stacks_[free_stack_count_++] = lane.stack;
    }
    exited_count_ = kept;
}

void Stage::keep_pace(const Epoch& epoch) noexcept {
    const auto due = begin_ns_ + static_cast<std::uint64_t>(static_cast<double>(epoch.header->recorded_ns) * pace_);
    const std::uint64_t now = os::monotonic_ns();
    if (due > now) {
        os::sleep_ns(due - now);
    }
}

void Stage::sample(std::uint64_t events) noexcept {
    const std::uint64_t resident = meter_.resident_bytes();
    player_.placement().note_use();
    highest_seen_ = resident > highest_seen_ ? resident : highest_seen_;
    if (points_ < plan::kMaxCurvePoints) {
        curve_[points_++] = {.events = events, .wall_ns = os::monotonic_ns() - begin_ns_ - dealing_ns_, .resident_bytes = resident};
    }
}

void Stage::wake(Lane& lane, std::uint32_t turn) noexcept {
    lane.turn.store(turn, std::memory_order_release);  // pairs with the load in run_lane()
    os::futex_wake(&lane.turn, 1);
}

void Stage::dismiss() noexcept {
    for (std::uint32_t i = 1; i < reader_.header().lanes; ++i) {
        if (lanes_[i].running) {
            wake(lanes_[i], kDismissed);
            pthread_join(lanes_[i].thread, nullptr);
            lanes_[i].running = false;
        }
    }
}

void Stage::fill(plan::WorkerResult& result) const noexcept {
    std::uint64_t timed_calls = 0;
    std::uint64_t timed_ticks = 0;
    std::uint64_t slowest = 0;
    for (std::uint32_t i = 0; i < reader_.header().lanes; ++i) {
        const LaneCounts& counts = lanes_[i].counts;
        result.cpu_ns += counts.use.cpu_ns;
        result.minor_faults += counts.use.minor_faults;
        result.major_faults += counts.use.major_faults;
        result.voluntary_switches += counts.use.voluntary_switches;
        result.involuntary_switches += counts.use.involuntary_switches;
        result.calls += counts.calls;
        result.refused += counts.refused;
        result.damaged += counts.damaged;
        timed_calls += counts.timed_calls;
        timed_ticks += counts.timed_ticks;
        slowest = counts.slowest_ticks > slowest ? counts.slowest_ticks : slowest;
    }
    const std::uint64_t empty = timed_calls * timer_ticks_;
    const double inside = timed_ticks > empty ? static_cast<double>(timed_ticks - empty) * ns_per_tick_ : 0;
    result.allocator_ns =
        timed_calls == 0 ? 0 : static_cast<std::uint64_t>(inside * static_cast<double>(result.calls) / static_cast<double>(timed_calls));
    result.slowest_call_ns = static_cast<std::uint64_t>(static_cast<double>(slowest) * ns_per_tick_);
    result.wall_ns = end_ns_ - begin_ns_ - dealing_ns_;
    result.events = reader_.header().events;
    result.points = points_;
    result.arena_peak_bytes = player_.placement().peak_bytes();
}

}  // namespace heapwright::replay_worker
