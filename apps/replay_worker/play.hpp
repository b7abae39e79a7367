// Carries out the operations of a plan: the calls into the allocator under test, and the writes into its blocks.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/study/replay/plan/format.hpp>

#include "lane.hpp"
#include "placement.hpp"

namespace heapwright::replay_worker {

/// The slots of all lanes.
///
/// A slot holds 0 while it is empty, kRefused after a request that came back empty, else the block's address with bit 0
/// set when the block carries a mark in its first four bytes (the mark is how a block that another one overlaps is
/// noticed when it is freed).
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

    [[nodiscard]] const Placement& placement() const noexcept { return placement_; }

private:
    using Slot = std::atomic<std::uintptr_t>;

    [[nodiscard]] void* take(Lane& lane, std::uint32_t slot) noexcept;
    [[nodiscard]] std::uintptr_t wait_for(std::uint32_t slot) noexcept;
    void keep(Lane& lane, std::uint32_t slot, void* block, std::uint64_t from, std::uint64_t to) noexcept;
    void give_back(Lane& lane, std::uint32_t slot) noexcept;
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
