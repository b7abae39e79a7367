// Turns the merged timeline into a plan: addresses become slots, threads become lanes, sites of an experiment are placed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <heapwright/study/replay/held_pages.hpp>
#include <heapwright/study/replay/placement.hpp>
#include <heapwright/study/replay/plan_writer.hpp>
#include <heapwright/study/replay/slot_book.hpp>
#include <heapwright/study/timeline/address_map.hpp>
#include <heapwright/study/timeline/tick_clock.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/read/metadata.hpp>

namespace heapwright::study {

/// What the planner met.
struct PlanCounts {
    std::uint64_t events = 0;         ///< of the timeline
    std::uint64_t replayed = 0;       ///< that have an operation in the plan, or stand for one that a placement removed
    std::uint64_t refused = 0;        ///< requests that the recorded allocator refused: left out
    std::uint64_t unknown_frees = 0;  ///< of blocks that were never seen
    std::uint64_t lost_frees = 0;     ///< an address came again without its release: freed just before
    std::uint64_t placed = 0;         ///< allocations that the placement took
    std::uint64_t placed_bytes = 0;
    std::uint64_t peak_live_bytes = 0;  ///< requested, as in the recording
    std::uint64_t live_bytes = 0;
};

/// What a memory map of the recording says: resident memory in all, and the part of it that no allocator changes.
struct RecordedMoment {
    std::uint64_t events = 0;  ///< replayed before it
    std::uint64_t resident_bytes = 0;
    std::uint64_t other_bytes = 0;  ///< files, stacks, what the program mapped by itself
};

/// A sink's core: hands events on, one by one, in timeline order.
///
/// Memory: 24 bytes a live block and 4 a free slot, the words of one epoch, a few dozen bytes a live block above 64 KiB.
/// Thread safety: one caller.
class Planner {
public:
    /// `expected_events` sets how long an epoch is; 0: unknown.
    Planner(PlanWriter& writer, const Placement& placement, std::uint64_t expected_events);

    void use_clock(const TickClock& clock) { clock_ = clock; }
    /// Whether the recorded allocator maps each large block for itself and unmaps it with its release, as glibc does.
    /// Others keep large blocks among their own mappings, and those mappings after the blocks.
    void set_large_blocks_alone(bool alone) { large_blocks_alone_ = alone; }
    /// The file of a preloaded allocator, as the recording names it: what that writes in its own data is the heap's, as it is
    /// in a replay. Not for glibc, whose data every process has.
    void set_allocator_file(const std::string& path) { allocator_file_ = path.substr(path.rfind('/') + 1); }
    void add_threads(std::span<const trace::ThreadInfo> threads);
    /// Has the place in the table of live blocks fetched that this event will look at.
    void fetch(const trace::Event& event) const { live_.prefetch(event.address); }
    void on_event(const trace::Event& event);
    /// Large blocks whose release is never recorded were touched at least as far as their mapping is resident.
    /// Requires: lines in order of addresses.
    void on_mappings(std::span<const trace::MapLine> lines);

    [[nodiscard]] Result<plan::PlanHeader> finish();
    [[nodiscard]] const PlanCounts& counts() const { return counts_; }
    [[nodiscard]] const std::vector<RecordedMoment>& moments() const { return moments_; }

private:
    enum class Home : std::uint8_t { allocator, wide, arena, pool, reserve, frame, nowhere };
    struct Block {
        std::uint64_t address = 0;
        std::uint64_t size : 48 = 0;
        std::uint64_t home : 8 = 0;     // Home
        std::uint64_t waiting : 1 = 0;  // it is the newest block of its lane and may be the next link of a growing one
        std::uint64_t spare : 7 = 0;
        std::uint32_t slot = 0;
        std::uint32_t lane = 0;  // that allocated it
    };
    static_assert(sizeof(Block) == 24);
    static constexpr std::uint64_t kSizeMask = (std::uint64_t{1} << 48) - 1;  // no request is larger than kLargestRequest

    /// What may still be corrected about a block above kWholeBytes, or about one whose growth is foreseen.
    struct Correction {
        PatchId size = PatchId::none;
        PatchId touched = PatchId::none;
        std::uint64_t address = 0;
        std::uint64_t written_from = 0;  // resize: bytes that came over
        std::uint64_t largest = 0;       // reserve: what the block has grown to
        std::uint64_t seen_touched = 0;  // from mappings
    };
    struct LaneState {
        std::optional<Block> resizing;  // between resize_from and resize_to
        std::uint64_t resizing_touched = trace::kTouchedUnknown;
        std::uint64_t waiting_address = 0;  // block that may turn out to be the next link of a growing one
        trace::StackId waiting_stack{};
    };

    [[nodiscard]] std::uint32_t lane_of(trace::ThreadIndex thread);
    [[nodiscard]] bool is_placed(trace::StackId stack) const {
        const auto index = static_cast<std::size_t>(stack);
        return index < placed_.size() && placed_[index];
    }
    void begin_event(std::uint32_t lane, trace::Tick tick);
    void allocate(std::uint32_t lane, const trace::Event& event);
    void release(std::uint32_t lane, const trace::Event& event);
    void resize_from(std::uint32_t lane, const trace::Event& event);
    void resize_to(std::uint32_t lane, const trace::Event& event);
    void resize_block(std::uint32_t lane, const trace::Event& event, const Block& old);

    void append_step(std::uint32_t lane, plan::Op op, std::uint32_t slot, std::uint64_t size_field);
    void append_after(std::uint32_t lane, plan::Op op, std::uint32_t slot);
    [[nodiscard]] Block place(std::uint32_t lane, const trace::Event& event);
    void emit_allocation(std::uint32_t lane, Block& block, trace::Call call, unsigned alignment_log2);
    void emit_wide(std::uint32_t lane, const Block& block, plan::WideKind kind, unsigned alignment_log2);
    void emit_reserve(std::uint32_t lane, Block& block);
    void emit_release(std::uint32_t lane, const Block& block, std::uint64_t touched);
    void settle(const Block& block, std::uint64_t touched);
    void grow_reserved(std::uint32_t lane, const Block& block, std::uint64_t size);
    [[nodiscard]] bool continues_chain(std::uint32_t lane, const Block& released);
    void settle_waiting(std::uint32_t lane);
    void drop_stale(std::uint32_t lane, std::uint64_t address);
    /// Returns: the live block, no longer waiting, or nullptr.
    [[nodiscard]] Block* find_settled(std::uint64_t address);
    void drop(Block* block, std::uint32_t lane, std::uint64_t touched);
    void insert(const Block& block);
    void note_touched(std::span<const trace::MapLine> lines);
    void note_residency(std::span<const trace::MapLine> lines);
    [[nodiscard]] bool stands_alone(std::uint64_t address, std::uint64_t size) const;
    void count_live(std::int64_t change, std::uint32_t lane);

    PlanWriter& writer_;
    Placement placement_;
    std::vector<bool> placed_;  // by StackId
    std::uint32_t group_ = 0;
    AddressMap<Block> live_;
    SlotBook slots_;
    std::vector<std::uint16_t> steps_;                           // by slot: what was done to it so far
    std::unordered_map<std::uint32_t, Correction> corrections_;  // by slot
    std::vector<std::uint32_t> lane_by_thread_;
    std::vector<LaneState> lanes_;
    std::vector<trace::ThreadInfo> threads_;
    TickClock clock_;
    std::uint64_t epoch_limit_ = 0;  // events of an epoch
    std::uint64_t epoch_bytes_ = 0;  // allocated in this one
    std::uint64_t trim_high_ = 0;    // live bytes: the highest since the last trim
    std::uint64_t last_ns_ = 0;
    PlanCounts counts_;
    std::vector<RecordedMoment> moments_;
    HeldPages held_;
    bool large_blocks_alone_ = true;
    std::string allocator_file_;  // without folders; empty: libc
};

}  // namespace heapwright::study
