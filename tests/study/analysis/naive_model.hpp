// The analysis once more, written to be obviously right: lists instead of tables, everything recomputed after each event.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include <heapwright/trace/event.hpp>

#include <tests/study/analysis/random_trace.hpp>

namespace heapwright::test {

struct NaiveBlock {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    trace::Call call{};
    std::uint32_t stack = 0;
    std::uint32_t thread = 0;
    std::size_t entered = 0;  // index of the event that made it what it is
    trace::Tick born = 0;     // of its first allocation
    std::uint64_t resizes = 0;

    [[nodiscard]] std::uint64_t end() const { return address + (test_usable(size) > 0 ? test_usable(size) : 1); }
};

struct NaiveAmount {
    std::uint64_t blocks = 0;
    std::uint64_t requested = 0;
    std::uint64_t usable = 0;
};

struct NaiveSite {
    std::array<std::uint64_t, trace::kCallCount> calls{};
    std::uint64_t allocations = 0, allocated = 0, frees = 0, temporary = 0, short_lived = 0, same_frame = 0, cross = 0;
    std::uint64_t reallocs = 0, copied = 0, chain_max = 0, chains = 0, over_aligned = 0, drains = 0, min_size = ~0ULL, max_size = 0;
    std::uint64_t lifetime_total = 0, lifetime_max = 0, peak = 0, touched = 0, touched_blocks = 0;
    std::map<std::uint32_t, int> threads;
    std::map<std::size_t, std::uint64_t> lifetimes, sizes;
    NaiveAmount at_peak, leaked;
    std::uint64_t pinned_peak = 0, pinned_end = 0, pinned_free_peak = 0, pinned_free_end = 0;
};

struct NaiveHeap {
    std::vector<NaiveBlock> blocks;  // at one moment
    NaiveAmount live;
    std::uint64_t occupied_pages = 0, free_bytes = 0, largest_gap = 0;
    std::array<std::uint64_t, 11> occupancy{};
    std::map<std::uint32_t, std::uint64_t> pinned, pinned_free;  // by stack
};

struct NaiveResult {
    std::map<std::uint32_t, NaiveSite> sites;  // by stack
    std::map<std::uint64_t, std::uint64_t> allocations_by_size;
    std::map<std::uint32_t, std::array<std::uint64_t, 4>> threads;  // allocations, bytes, frees, cross-thread frees
    std::map<std::uint32_t, std::uint64_t> thread_bytes_at_peak;
    std::uint64_t allocations = 0, frees = 0, reallocs = 0, failed = 0, bytes = 0, temporary = 0, cross = 0, over_aligned = 0;
    std::uint64_t unknown = 0, mismatched = 0;
    trace::Tick peak_tick = 0;
    NaiveHeap at_peak, at_end;
    struct State {
        trace::Tick tick = 0;
        NaiveAmount live;
        std::uint64_t occupied_pages = 0;
        bool allocated = false, freed = false;
    };
    std::vector<State> states;  // after each event
};

[[nodiscard]] NaiveHeap look_at(const std::vector<NaiveBlock>& blocks);
[[nodiscard]] NaiveResult analyse_naively(const RandomTrace& trace);

}  // namespace heapwright::test
