// Where the blocks of chosen call sites go: the placement plan of a memory.toml, acted on by the heap behind malloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright::placement {

/// A destination of blocks, by number; counted from 1 in the order of add_place().
enum class PlaceId : std::uint32_t { by_default = 0 };

/// What became of a destination's blocks, since the start. Bytes, unless a name says otherwise.
struct PlaceStatistics {
    std::string_view name;  ///< of the plan; lives as long as the process
    SitePlace kind = SitePlace::by_default;
    std::uint64_t sites = 0;             ///< entries of the plan that lead here
    std::uint64_t sites_found = 0;       ///< of these, whose code is loaded now
    std::uint64_t blocks = 0;            ///< given so far
    std::uint64_t bytes = 0;             ///< asked for so far
    std::uint64_t live_blocks = 0;       ///< that the program holds
    std::uint64_t live_bytes = 0;        ///< in those, rounded as the place rounds
    std::uint64_t chunk_bytes = 0;       ///< in slices of the place: live_bytes, what is not given yet, what is held back
    std::uint64_t chunks = 0;            ///< spans or bump chunks
    std::uint64_t chunks_held_back = 0;  ///< bump: filled, and still held by a live block
    std::uint64_t bets_won = 0;          ///< bump: filled chunks whose blocks all died, so that the memory was reused
    std::uint64_t bets_lost = 0;         ///< bump: of chunks_held_back, those that eight chunks were filled after by the same thread
};

/// What became of the blocks of one entry of the plan, since the start. Bytes, unless a name says otherwise.
struct SiteStatistics {
    std::string_view file;            ///< of the module that asks; empty: not known. All texts live as long as the process.
    std::uint64_t offset = 0;         ///< in it: of the return address
    std::string_view caller_file;     ///< of the outermost caller that the entry names; empty: not known
    std::uint64_t caller_offset = 0;  ///< 0: it names no callers
    std::string_view place;           ///< its name
    SitePlace kind = SitePlace::by_default;
    bool is_found = false;  ///< all of its code is loaded
    bool knows_blocks =
        false;  ///< what follows `bytes` is known: blocks of bump places tell who made them, and those of a place of one entry
    std::uint64_t blocks = 0;  ///< given so far
    std::uint64_t bytes = 0;   ///< asked for so far
    std::uint64_t live_blocks = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t chunks_held_back = 0;  ///< filled bump chunks in which a block of it lives
    std::uint64_t bets_won = 0;          ///< bump: of its blocks, those that were freed
    std::uint64_t bets_lost = 0;         ///< bump: those that live in chunks that eight were filled after by the same thread
};

/// Adds a destination. Two with the same name and kind are one; without a name each is its own.
///
/// Requires: before begin().
/// Returns:  by_default for SitePlace::by_default, and when there is no memory or there are kMostPlaces.
[[nodiscard]] PlaceId add_place(SitePlace kind, std::string_view name) noexcept;
inline constexpr std::uint32_t kMostPlaces = 1024;

/// How to get from a return address to the next one out: as an unwind table says it. CFA is rsp as the caller sees it after
/// the return; the return address lies below it. Its base is the rbp of the frame, or else its rsp.
struct FrameStep {
    bool by_rbp = false;
    bool saves_rbp = false;       ///< the caller's rbp lies at base + rbp_offset; otherwise it is the same
    std::int32_t cfa_offset = 0;  ///< CFA = base + this
    std::int32_t rbp_offset = 0;
};
using StepSource = bool (*)(std::uintptr_t code, FrameStep& step) noexcept;
/// Who knows how to leave frames, for entries with several return addresses: without, they have no effect. Called while the
/// heap's locks are held, also from inside malloc; it returns false where it does not know.
///
/// Requires: before begin().
void set_step_source(StepSource source) noexcept;

/// Adds an entry of the plan, and its destination. It has an effect once begin() and resolve() found its code. Where
/// entries overlap, the first decides.
///
/// Requires: before begin().
/// Returns:  false when there is no memory.
[[nodiscard]] bool add_site(const PlannedSite& site) noexcept;

/// From now on the heap behind malloc asks the plan. Without a place it does nothing.
///
/// Requires: at most once. The calling thread, and those that allocate for the first time afterwards, follow the plan;
///           threads that allocated before do not.
/// Returns:  whether a plan is in force.
bool begin() noexcept;
[[nodiscard]] bool is_in_force() noexcept;

/// Looks for the plan's modules among those that are loaded now; entries of others rest until the next look.
///
/// Returns:  whether the loader's list had changed since the last look.
/// Cost:     nothing but a walk over the loader's first entry if it had not; else O(modules + sites).
/// Thread safety: any thread that may take the loader's lock; never from inside malloc.
bool resolve() noexcept;

/// Appends one line when the plan was made for another build of something that is loaded (its entries tell the file), or, where
/// entries tell no file, when nothing of the plan is loaded at all.
///
/// Requires: after resolve().
void append_absent(TextBuffer& text) noexcept;

// With the place told by number, for who replays a plan or knows where its blocks belong; by_default is malloc. A program
// that has libheapwright.so preloaded finds these as heapwright_add_place(int kind, const char* name),
// heapwright_malloc_at(unsigned place, size_t), heapwright_calloc_at(unsigned place, size_t, size_t),
// heapwright_realloc_at(unsigned place, void*, size_t), heapwright_memalign_at(unsigned place, size_t, size_t) and
// heapwright_follow_plan(void), which is begin().

/// A block of at least `bytes` bytes, aligned as malloc's. Any form of free takes it.
///
/// Returns:  nullptr when memory is exhausted. What a place cannot hold (bump: more than kMostBumpBytes; all: more than 64 KiB)
///           comes from the default heap.
/// Thread safety: any thread.
[[nodiscard]] void* allocate_at(PlaceId place, std::size_t bytes) noexcept;
[[nodiscard]] void* allocate_zeroed_at(PlaceId place, std::size_t bytes) noexcept;
/// Requires: alignment is a power of two. Bump places take alignments up to 16; other requests come from the default heap.
[[nodiscard]] void* allocate_aligned_at(PlaceId place, std::size_t bytes, std::size_t alignment) noexcept;
/// As default_heap::reallocate(); a block that has to move goes to `place`.
[[nodiscard]] void* reallocate_at(PlaceId place, void* block, std::size_t bytes) noexcept;

/// A quarter of a chunk of 64 KiB: larger blocks would leave too much of it unused.
inline constexpr std::size_t kMostBumpBytes = 16384 - 8;

/// The figures of place number `index` + 1. Returns: false when there is none.
///
/// Cost:     a walk over the place's chunks, under the locks of its threads' caches.
[[nodiscard]] bool statistics_of(std::uint32_t index, PlaceStatistics& statistics) noexcept;

/// Looks at the blocks of all entries; statistics_of_site() tells what was seen.
///
/// Cost:     a look at each block of at most 256 chunks a place; threads that begin meanwhile, and those that fill a chunk, wait.
void look_at_sites() noexcept;
/// The figures of entry number `index` + 1. Returns: false when there is none.
[[nodiscard]] bool statistics_of_site(std::uint32_t index, SiteStatistics& statistics) noexcept;

}  // namespace heapwright::placement
