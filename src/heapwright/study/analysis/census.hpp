// Follows every block from its allocation to its release and tells each analysis what happens to it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <heapwright/study/analysis/analyse.hpp>
#include <heapwright/study/analysis/facts.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/heap_map.hpp>
#include <heapwright/study/analysis/lifetimes.hpp>
#include <heapwright/study/analysis/live_totals.hpp>
#include <heapwright/study/analysis/memory_maps.hpp>
#include <heapwright/study/analysis/moments.hpp>
#include <heapwright/study/analysis/page_table.hpp>
#include <heapwright/study/analysis/sites.hpp>
#include <heapwright/study/analysis/sizes.hpp>
#include <heapwright/study/analysis/threads.hpp>
#include <heapwright/study/timeline/live_blocks.hpp>
#include <heapwright/study/timeline/stamp.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::study {

/// The state of the heap at the present event, and all counters.
///
/// A block that is being resized stays live until its resize_to, or until its address is handed out again: the allocator
/// has freed it then. An allocation on top of a live block is counted and believed; the block under it is let go.
///
///   C1  totals are the sums over the table's blocks and those that are being resized
///   C2  every block that is counted on OS pages is counted there with its covered bytes
///
/// Cost:          O(1) an event, apart from stacks, which cost their frames that changed.
/// Thread safety: one caller.
class Census {
public:
    /// Requires: `facts` are settled and outlive the census.
    Census(const Facts& facts, const AnalysisOptions& options);

    /// Requires: ticks do not run backwards.
    void on_events(std::span<const trace::Event> events);
    void on_mappings(trace::Tick tick, std::span<const trace::MapLine> lines) { map_history_.add(tick, lines, pages_); }

    /// Everything but names, provenance and health. Call once, at the end.
    void finish(Findings& findings);

    [[nodiscard]] const LiveTotals& totals() const { return totals_; }
    [[nodiscard]] const PageTable& pages() const { return pages_; }
    [[nodiscard]] const LiveBlocks& live() const { return live_; }
    /// The first invariant that does not hold, or nullptr. Cost: O(live blocks).
    [[nodiscard]] const char* broken_invariant() const;

private:
    void apply(const trace::Event& event);
    void allocate(const trace::Event& event, ThreadState& thread);
    void release(const trace::Event& event, ThreadState& thread);
    void resize_from(const trace::Event& event, ThreadState& thread);
    void resize_to(const trace::Event& event, ThreadState& thread);
    void resize_succeeded(const trace::Event& event, ThreadState& thread, const PendingResize& old);

    BlockRecord* enter(const trace::Event& event, ThreadState& thread);
    void make_way_slow(std::uint64_t address, std::uint64_t covered);
    void leave(const BlockRecord& block, bool by_release = false);
    void count_release(const BlockRecord& block, std::uint64_t born, const trace::Event& event, ThreadState& thread);
    void count_unknown(const trace::Event& event);
    void put_back(PendingResize& resize);
    void unmap(const trace::Event& event, ThreadState& thread);
    void note_mapping(const trace::Event& event);
    void cut_mappings(std::uint64_t from, std::uint64_t to, const trace::Event* release, ThreadState* thread);
    void put_piece(const BlockRecord& whole, std::uint64_t begin, std::uint64_t end);
    [[nodiscard]] bool has_room_slow(std::uint64_t address, std::uint64_t bytes);
    void stop_slow(trace::Tick tick);
    void set_next_stop();
    void choose_bounds();
    void measure_bounds_of(const Snapshot& moment, trace::Tick tick, const char* label);
    // Memory is fetched in three steps, since what each needs stands in what the one before it fetches.
    static constexpr std::size_t kFetchFar = 28;
    static constexpr std::size_t kFetchNear = 16;
    static constexpr std::size_t kFetchLast = 6;
    struct Fetching {
        std::uint32_t site = SiteTable::kNoSite;
        bool is_birth = false;
        std::uint64_t lifetime_ns = 0;
    };
    void fetch_far(const trace::Event& event) const;
    [[nodiscard]] Fetching fetch_near(const trace::Event& event) const;
    void fetch_last(const trace::Event& event, const Fetching& fetching) const;

    [[nodiscard]] Snapshot take_peak();
    [[nodiscard]] Snapshot take_present() const;
    [[nodiscard]] std::vector<Amount> attribute(const Snapshot& moment, bool is_peak);
    [[nodiscard]] Fragmentation fragmentation_of(const Snapshot& moment, const LiveTotals& totals, const TouchedShares& touched,
                                                 trace::Tick tick, std::uint64_t resident) const;
    void finish_totals(Findings& findings);

    /// How often a live block was resized, and when it was first allocated.
    struct Chain {
        std::uint64_t address = 0;
        std::uint64_t born = 0;
        std::uint64_t resizes = 0;
    };

    const Facts& facts_;
    const Scale& scale_;
    const UsableSizes& usable_;
    const AnalysisOptions options_;

    StampClock stamps_;
    LiveBlocks live_;
    AddressMap<Chain> chains_;
    std::map<std::uint64_t, std::uint64_t> mappings_;  // live blocks of Call::map: address -> end
    PageTable pages_;
    LiveTotals totals_;
    Peak peak_;
    ThreadTable threads_;
    SiteTable sites_;
    SizeTable sizes_;
    Lifetimes lifetimes_;
    MomentLog moments_;
    MapHistory map_history_;
    std::vector<HeapMap> key_maps_;
    std::vector<trace::Tick> bounds_ticks_;  // ascending
    std::size_t bounds_next_ = 0;            // of them
    std::vector<MemoryBounds> bounds_;
    std::vector<ThreadState*> resizing_;  // those whose resize holds a live block

    Totals counts_;  // counters in the Scale's units, except those of events themselves
    trace::Tick now_ = 0;
    trace::Tick next_stop_ = 0;  // the next moment, key map or bounds
    trace::Tick next_map_ = 0;
    trace::Tick next_bounds_ = 0;
};

}  // namespace heapwright::study
