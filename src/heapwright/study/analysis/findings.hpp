// What one pass over a trace found out: plain numbers, no prose. Advice, reports and comparisons read this and nothing else.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <heapwright/study/symbols/frame.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::study {

/// An index into Findings::sites. A site is one distinct call stack that allocates.
enum class SiteId : std::uint32_t {};

/// Requested and usable bytes and how many blocks they stand in.
struct Amount {
    std::uint64_t blocks = 0;
    std::uint64_t requested_bytes = 0;
    std::uint64_t usable_bytes = 0;
};

inline constexpr std::size_t kLifetimeBuckets = 48;  ///< bucket b: lifetimes in [2^b, 2^(b+1)) ns
inline constexpr std::size_t kSizeBuckets = 48;      ///< bucket b: requested bytes in [2^b, 2^(b+1)); 0 goes to bucket 0

/// A program or library that code of some site lies in.
struct CodeModule {
    std::string path;
    std::vector<std::uint8_t> build_id;  ///< empty: the file has none
};

/// A place in code that any later run of the same build has again, wherever it is loaded.
struct CodeAddress {
    std::uint32_t module = 0;  ///< index into Findings::modules, or kNoModule
    std::uint64_t offset = 0;  ///< of a return address, from where the module is loaded
    friend bool operator==(const CodeAddress&, const CodeAddress&) = default;
    friend auto operator<=>(const CodeAddress&, const CodeAddress&) = default;
};
inline constexpr std::uint32_t kNoModule = UINT32_MAX;  ///< code that was made at run time
inline constexpr unsigned kReturnsKept = 6;             ///< of a site's return addresses

/// Everything known about one call stack.
struct Site {
    std::vector<FrameId> frames;       ///< innermost first
    std::vector<CodeAddress> returns;  ///< the innermost kReturnsKept return addresses; the first is that of the call of malloc
    trace::StackId stack{};
    std::array<std::uint64_t, trace::kCallCount> calls{};  ///< how often, by Call
    std::uint64_t allocations = 0;                         ///< blocks ever; a block that was resized here counts as a new one
    std::uint64_t allocated_bytes = 0;                     ///< requested bytes ever
    std::uint64_t allocated_usable_bytes = 0;
    std::uint64_t frees = 0;        ///< blocks released; those that a resize took away are not among them
    Amount live_at_peak;            ///< at the moment of the process's highest live requested bytes
    Amount leaked;                  ///< never freed
    std::uint64_t peak_bytes = 0;   ///< this site's own highest live requested bytes
    std::uint64_t drains = 0;       ///< times a release left no block of this site alive: ends of its batches
    std::uint64_t temporary = 0;    ///< blocks freed before the same thread's next allocation
    std::uint64_t short_lived = 0;  ///< blocks that lived less than 1 ms
    std::uint64_t same_frame =
        0;  ///< blocks freed while the thread made no allocation from outside the allocating function: stack candidates
    std::uint64_t cross_thread_frees = 0;
    std::uint64_t reallocs = 0;              ///< times a block of this site was resized
    std::uint64_t realloc_copied_bytes = 0;  ///< bytes moved because a resize changed the address
    std::uint64_t realloc_chain_max = 0;     ///< most resizes of one block
    std::uint64_t realloc_chains = 0;        ///< blocks resized at least twice
    std::uint64_t over_aligned = 0;          ///< requests for more than 16-byte alignment
    std::uint64_t min_size = ~std::uint64_t{0};
    std::uint64_t max_size = 0;
    std::uint64_t touched_blocks = 0;           ///< large blocks whose resident bytes were measured when they were given back
    std::uint64_t touched_requested_bytes = 0;  ///< their sizes
    std::uint64_t touched_bytes = 0;            ///< and how much of that the program had really touched
    std::uint64_t lifetime_ns_total = 0;        ///< of the freed blocks, each from its first allocation, resizes included
    std::uint64_t lifetime_ns_max = 0;
    std::uint64_t first_ns = 0;  ///< first and last allocation, ns since start
    std::uint64_t last_ns = 0;
    std::uint32_t threads = 0;               ///< distinct threads that allocated here (saturates at 64)
    std::uint64_t pinned_bytes_at_peak = 0;  ///< bytes of touched OS pages whose live blocks are all from this site
    std::uint64_t pinned_bytes_at_end = 0;
    std::uint64_t pinned_free_bytes_at_peak = 0;  ///< the free part of those pages: what this site alone keeps resident for nothing
    std::uint64_t pinned_free_bytes_at_end = 0;
    std::array<std::uint32_t, kLifetimeBuckets> lifetimes{};
    std::array<std::uint32_t, kSizeBuckets> sizes{};
};

/// One requested size.
struct SizeRow {
    std::uint64_t size = 0;
    std::uint64_t usable = 0;
    std::uint64_t allocations = 0;
    Amount live_at_peak;
    Amount leaked;
};

/// One thread.
struct ThreadRow {
    trace::ThreadIndex index{};
    std::uint32_t tid = 0;
    std::string name;
    std::uint64_t allocations = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t frees = 0;
    std::uint64_t cross_thread_frees = 0;  ///< blocks of other threads that this one freed
    std::uint64_t live_bytes_at_peak = 0;
};

/// One of at most kTimelinePoints moments, evenly spaced in time.
struct Moment {
    std::uint64_t time_ns = 0;         ///< since the first event
    std::uint64_t live_requested = 0;  ///< bytes, the highest inside the interval
    std::uint64_t live_usable = 0;
    std::uint64_t live_blocks = 0;
    std::uint64_t occupied_page_bytes = 0;  ///< OS pages that hold at least one byte of a live block
    std::uint64_t resident_bytes = 0;       ///< RSS; 0 where nothing was sampled
    std::uint64_t file_bytes = 0;
    std::uint64_t allocations = 0;  ///< in this interval
    std::uint64_t frees = 0;
    double fragmentation = 0;  ///< external: 1 - live_usable / occupied_page_bytes, in [0, 1]
};
inline constexpr std::size_t kTimelinePoints = 1000;

/// The heap's address space at one moment, as rows of cells.
struct HeapMap {
    std::string label;  ///< "peak", "end", or a time
    std::uint64_t time_ns = 0;
    struct Run {  ///< a stretch of address space that held blocks; gaps over 1 MiB start a new one
        std::uint64_t begin = 0;
        std::uint32_t cell_bytes = 0;         ///< 4096 or a larger power of two
        std::vector<std::uint8_t> occupancy;  ///< one a cell: 0 empty, 1 to 255 = share of live bytes
    };
    std::vector<Run> runs;
};

/// External and internal fragmentation at one moment.
struct Fragmentation {
    std::uint64_t time_ns = 0;
    std::uint64_t live_requested = 0;
    std::uint64_t live_usable = 0;
    std::uint64_t live_blocks = 0;
    std::uint64_t occupied_pages = 0;           ///< OS pages with at least one live byte
    std::uint64_t internal_bytes = 0;           ///< usable minus requested
    std::uint64_t external_bytes = 0;           ///< free bytes on occupied pages
    std::uint64_t largest_free_run = 0;         ///< bytes, between two live blocks of one mapping
    double internal_ratio = 0;                  ///< internal_bytes / live_usable, in [0, 1]
    double external_ratio = 0;                  ///< external_bytes / (occupied_pages * 4096), in [0, 1]
    std::uint64_t resident_bytes = 0;           ///< highest sample around the peak; at the end, the last
    std::uint64_t retained_bytes = 0;           ///< resident bytes of pages that held blocks but hold no live byte
    std::uint64_t non_heap_bytes = 0;           ///< resident bytes of pages that never held a block: files, stacks ...
    std::array<std::uint64_t, 11> occupancy{};  ///< pages by share of live bytes: [0] (0,10 %), ... [9] [90,100 %), [10] full
};

/// With how much memory the live blocks of one moment could do. Blocks count whole, touched or not.
struct MemoryBounds {
    std::string label;  ///< "peak", "end", or empty: one of those that were asked for
    std::uint64_t time_ns = 0;
    std::uint64_t live_blocks = 0;
    std::uint64_t live_requested = 0;
    std::uint64_t page_floor_bytes = 0;  ///< OS pages with a live byte: what is left where blocks and pages stay
    std::uint64_t meshed_bytes = 0;      ///< where pages share memory whose blocks do not collide, as far as a search finds
    std::uint64_t mesh_bound_bytes = 0;  ///< no search finds less
    std::uint64_t moved_bytes = 0;       ///< where blocks move until they lie side by side
};

/// A stack whose temporary, leaked ... numbers are worth showing is found by sorting `sites`; totals stand here.
struct Totals {
    std::uint64_t events = 0;
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
    std::uint64_t reallocs = 0;  ///< resizes of a block; each is an allocation, too, and no free
    std::uint64_t failed = 0;    ///< requests that the allocator refused
    std::uint64_t allocated_bytes = 0;
    std::uint64_t temporary = 0;
    std::uint64_t cross_thread_frees = 0;
    std::uint64_t over_aligned = 0;
    std::uint64_t unknown_frees = 0;    ///< blocks from before the recording, or lost
    std::uint64_t inherited_frees = 0;  ///< in a forked child: blocks of the parent
    std::uint64_t mismatched = 0;       ///< new freed by free, malloc by delete, new[] by delete ...
    std::uint64_t overlaps = 0;         ///< blocks that were handed out on top of a live one: the trace is not to be trusted there
    std::uint64_t duration_ns = 0;
    std::uint64_t cpu_ns = 0;
    std::uint64_t peak_requested = 0;
    std::uint64_t peak_usable = 0;
    std::uint64_t peak_time_ns = 0;
    std::uint64_t peak_resident = 0;  ///< highest sample, or the kernel's high-water mark when the trace has its end
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    Amount leaked;
};

/// How far the trace itself can be trusted.
struct TraceHealth {
    bool complete = false;  ///< the program ended in an orderly way
    std::uint64_t file_bytes = 0;
    std::uint64_t used_bytes = 0;             ///< whole, valid chunks
    std::uint64_t dropped_events = 0;         ///< lost by the recorder, or hidden by damage
    std::uint64_t sample_interval_bytes = 0;  ///< 0: every event was kept
    std::string note;                         ///< a sentence when anything is missing, else empty
};

/// The result of Analysis over one trace.
struct Findings {
    std::map<std::string, std::string> provenance;  ///< the trace's info lines: program, arguments, allocator, kernel ...
    TraceHealth health;
    Totals totals;
    std::vector<Frame> frames;
    std::vector<CodeModule> modules;  ///< that Site::returns names
    std::vector<Site> sites;
    std::vector<SizeRow> sizes;  ///< by allocations, largest first
    std::vector<ThreadRow> threads;
    std::vector<Moment> timeline;
    std::vector<HeapMap> maps;  ///< peak, end, then key moments in time order
    Fragmentation at_peak;
    Fragmentation at_end;
    std::vector<MemoryBounds> bounds;                         ///< in time order; empty unless they were asked for
    std::array<std::uint64_t, kLifetimeBuckets> lifetimes{};  ///< blocks
    std::array<std::uint64_t, kLifetimeBuckets> lifetime_bytes{};
    /// Blocks by lifetime bucket (row) and size bucket (column).
    std::array<std::array<std::uint64_t, kSizeBuckets>, kLifetimeBuckets> lifetime_by_size{};
};

}  // namespace heapwright::study
