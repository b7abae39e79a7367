// Carries out the operations of a plan: the calls into the allocator under test, and the writes into its blocks.
#pragma once

#include <atomic>
#include <cstdint>

#include "lane.hpp"
#include "placement.hpp"

#include <heapwright/study/replay/plan/format.hpp>

namespace heapwright::replay_worker {

/// The slots of all lanes.
///
///   bit 63    48 47                1     0
///      |  step  |  address, or 0  | marked |
///
/// The address is 0 while the slot is empty and kRefused after a request that came back empty. The step counts what was
/// done to the slot; whoever works on a block knows after which step. Marked: the block carries the slot's number in its
/// first four bytes, which is how an allocator that hands out overlapping blocks is noticed when one of them is freed.
///
/// Thread safety: a slot is filled by one lane at a time (the planner sees to it); any lane may empty it.
class Player {
public:
    /// Takes the slot table.
    void prepare(const study::plan::PlanHeader& header) noexcept;

    /// Replays the words dealt to this lane.
    void run(Lane& lane) noexcept;

    /// Frees everything that is still held.
    void free_everything() noexcept;

    [[nodiscard]] Placement& placement() noexcept { return placement_; }
    [[nodiscard]] const Placement& placement() const noexcept { return placement_; }

private:
    using Slot = std::atomic<std::uint64_t>;

    [[nodiscard]] std::uint64_t await(std::uint32_t slot, std::uint32_t step) noexcept;
    [[nodiscard]] std::uint64_t await_slow(std::uint32_t slot, std::uint32_t step) noexcept;
    [[nodiscard]] void* take(Lane& lane, std::uint32_t slot, std::uint32_t step) noexcept;
    void keep(Lane& lane, std::uint32_t slot, void* block, std::uint64_t from, std::uint64_t to) noexcept;
    void give_back(Lane& lane, std::uint32_t slot, std::uint32_t step) noexcept;
    void allocate_wide(Lane& lane, const study::plan::Word* word) noexcept;
    void resize(Lane& lane, const study::plan::Word* word) noexcept;
    void touch(const study::plan::Word* word) noexcept;
    void run_rare(Lane& lane, const study::plan::Word* word) noexcept;

    Slot* slots_ = nullptr;
    std::uint32_t slot_count_ = 0;
    Placement placement_;
};

/// Asks the allocator under test to give back what it holds for nothing, in whichever way it offers.
///
/// Returns:  false when it offers none that is known here.
bool trim_allocator() noexcept;

}  // namespace heapwright::replay_worker
