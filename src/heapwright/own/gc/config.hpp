// What a collected heap is told at its making, and what it tells of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heapwright::gc {

class Heap;

/// Where references are looked for besides Root, Local and collected objects.
enum class StackScan : std::uint8_t {
    conservative,  // every word of the stacks and registers of attached threads that could be an address, also of an interior
    none,          // nowhere: what an allocation may not lose is in a Root or a Local
};

/// Why a collection ran.
enum class Reason : std::uint8_t { nursery_full, threshold, exhaustion, requested, interval, stress };
[[nodiscard]] std::string_view name_of(Reason reason) noexcept;

/// What a collection did.
enum class Cycle : std::uint8_t {
    minor,  // looked at what was allocated since the last one
    begin,  // a minor one, after which marking of everything began
    step,   // marked for as long as the budget allowed
    end,    // finished marking, and freed
    full,   // all of it with the world stopped
};
[[nodiscard]] std::string_view name_of(Cycle cycle) noexcept;

/// One pause, as the event stream tells it.
struct GcEvent {
    std::uint64_t number;  // counts pauses of this heap
    Cycle cycle;
    Reason reason;
    std::uint64_t pause_ns;  // from the request until the world goes on
    std::uint64_t mark_ns;   // of it, spent marking
    std::size_t used_before_bytes;
    std::size_t used_after_bytes;
    std::size_t returned_bytes;  // to the system
    std::size_t moved_bytes;     // by evacuation
};

struct GcConfig {
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    StackScan stack = StackScan::conservative;
    // Allocated between two minor collections. It grows while their pauses are short and the next look at everything is far,
    // up to the second number; where they are long it shrinks, to a quarter of the first.
    std::size_t nursery_bytes = std::size_t{4} << 20;
    std::size_t nursery_most_bytes = std::size_t{24} << 20;
    std::size_t threshold_bytes = std::size_t{8} << 20;  // in use before everything is marked for the first time
    double growth = 1.5;                                 // and then: when this many times what survived is in use
    std::size_t limit_bytes = kUnlimited;                // memory that the heap may take from the system
    std::uint64_t interval_ns = 0;                       // Heap::tick() collects when so long ago; 0: never
    bool generational = true;                            // false: every collection looks at everything
    bool incremental = true;                             // marks everything in steps between allocations; false: in one pause
    std::uint64_t pause_budget_ns = 3'000'000;           // of one step; a minor collection takes two thirds more at most
    std::size_t step_bytes = std::size_t{256} << 10;     // allocated between two steps
    unsigned markers = 0;                                // threads that mark in a long pause; 0: as many cores as may be used, 2 at most
    bool compaction = false;                             // full collections move what they may out of sparse blocks
    // Addresses of 8 bytes, with memory where it is needed; what does not fit is found again by a look at the marks.
    std::size_t mark_stack_entries = std::size_t{1} << 20;
    std::uint32_t stress = 0;    // collects at every so many allocations, 0: as HEAPWRIGHT_GC_STRESS says
    bool verify_always = false;  // Heap::verify() after each pause; a broken invariant stops the program
    /// Called when even a full collection found no memory. True: something was let go, try again.
    bool (*on_exhaustion)(Heap& heap, std::size_t wanted_bytes, void* context) noexcept = nullptr;
    /// Called after each pause, on the thread that collected; must not allocate from this heap.
    void (*on_event)(const GcEvent& event, void* context) noexcept = nullptr;
    void* context = nullptr;  // for the two calls

    /// Short pauses first: steps and nurseries of about a millisecond.
    [[nodiscard]] static constexpr GcConfig short_pauses() noexcept {
        GcConfig config;
        config.nursery_bytes = std::size_t{512} << 10;
        config.nursery_most_bytes = std::size_t{4} << 20;
        config.pause_budget_ns = 600'000;
        config.step_bytes = std::size_t{128} << 10;
        return config;
    }
};

struct GcStats {
    std::uint64_t minor_collections;
    std::uint64_t promotions;        // of them, those that kept all new objects: most lived, or the time was over
    std::uint64_t full_collections;  // completed, in steps or in one pause
    std::uint64_t steps;
    std::uint64_t pauses;
    std::uint64_t pause_total_ns;
    std::uint64_t pause_longest_ns;
    std::size_t allocated_bytes;  // since the beginning, in lines given to threads
    std::size_t used_bytes;       // lines that are not free
    std::size_t live_bytes;       // lines that were found live by the last collection of everything
    std::size_t committed_bytes;  // taken from the system and not given back, tables included
    std::size_t peak_bytes;       // the most committed_bytes was
    std::size_t external_bytes;   // as told by adjust_external_bytes
    std::uint64_t finalised;
    std::uint64_t destroyed;
    std::uint64_t resurrected;  // finalised objects that were found reachable again
    std::uint64_t weak_cleared;
    std::uint64_t evacuated_objects;
    std::uint64_t pinned_by_words;  // objects that ambiguous words held in the last collection
    std::uint64_t mark_overflows;   // times that the mark stack was too small
    std::uint64_t refusals;         // requests that failed
    std::uint32_t threads;
    std::uint32_t roots;
};

}  // namespace heapwright::gc
