// The threads of a replay and the turns they take.
#pragma once

#include <atomic>
#include <cstdint>

#include "lane.hpp"
#include "meter.hpp"
#include "plan_reader.hpp"
#include "play.hpp"

#include <heapwright/os/clock.hpp>
#include <heapwright/study/replay/plan/result.hpp>

namespace heapwright::replay_worker {

/// Deals epochs out to lanes.
///
/// There is no dealer thread: the lane that leaves an epoch last reads the next one and wakes those who take part. So a
/// program of one thread is replayed without a single switch, and the time the dealing takes is simply taken off.
///
/// `left_` lanes have not yet left the epoch in play. Only the dealer, the one lane that brought it to 0, touches the
/// reader, the curve and other lanes' words.
class Stage {
public:
    /// Makes lanes, stacks and everything else that takes memory. `pace`: 0 replays without pauses, 1 as long as recorded.
    void prepare(const char* plan_path, double pace) noexcept;

    /// Replays the whole plan; the caller is lane 0. Returns when every operation was carried out; threads that did not
    /// end in the recording still wait.
    void play() noexcept;

    /// Lets those threads go.
    void dismiss() noexcept;

    [[nodiscard]] Player& player() noexcept { return player_; }
    [[nodiscard]] Meter& meter() noexcept { return meter_; }
    [[nodiscard]] std::uint64_t highest_seen() const noexcept { return highest_seen_; }

    /// Adds up what the lanes counted.
    void fill(study::plan::WorkerResult& result) const noexcept;
    [[nodiscard]] const study::plan::CurvePoint* curve() const noexcept { return curve_; }

private:
    static void* thread_main(void* lane) noexcept;
    void run_lane(Lane& lane) noexcept;
    void take_turn(Lane& lane) noexcept;
    void deal() noexcept;
    void deal_blocks(const Epoch& epoch) noexcept;
    void start_thread(Lane& lane) noexcept;
    void join_exited() noexcept;
    void keep_pace(const Epoch& epoch) noexcept;
    void sample(std::uint64_t events) noexcept;
    void wake(Lane& lane, std::uint32_t turn) noexcept;

    PlanReader reader_;
    Player player_;
    Meter meter_;
    Lane* lanes_ = nullptr;
    char** stacks_ = nullptr;  // every stack
    std::uint32_t* free_stacks_ = nullptr;
    std::uint32_t free_stack_count_ = 0;
    std::uint32_t* exited_ = nullptr;  // lanes to join before the next epoch
    std::uint32_t exited_count_ = 0;
    study::plan::CurvePoint* curve_ = nullptr;
    std::uint32_t points_ = 0;
    std::uint64_t events_per_point_ = 1;
    std::uint64_t next_point_ = 0;
    std::uint64_t highest_seen_ = 0;
    std::uint32_t epoch_number_ = 0;
    alignas(kCacheLineBytes) std::atomic<std::uint32_t> left_{0};
    std::uint64_t begin_ns_ = 0;
    std::uint64_t end_ns_ = 0;
    std::uint64_t dealing_ns_ = 0;
    double pace_ = 0;
    double ns_per_tick_ = 0;
    std::uint64_t timer_ticks_ = 0;  // what an empty measurement shows
    os::TickPoint first_point_{};
};

}  // namespace heapwright::replay_worker
