// The state of one heap, and the parts of the collector that work on it; each part has its source.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/own/gc/config.hpp>
#include <heapwright/own/gc/detail/layout.hpp>
#include <heapwright/own/gc/detail/mutator.hpp>
#include <heapwright/own/gc/detail/page_vector.hpp>

namespace heapwright::gc {
class Heap;
}

namespace heapwright::gc::detail {

class Marker;
class MarkTeam;

/// One precise root, linked into its heap.
struct RootNode {
    void* target = nullptr;
    RootNode* next = nullptr;
    RootNode* previous = nullptr;
    Collector* collector = nullptr;
    const char* name = nullptr;
    bool is_weak = false;
    bool stays = false;  // its object is not moved: a Pin, or one that may refer to a base in an object's middle
};

enum class FinaliserKind : std::uint8_t { before_sweep, after };

struct Finaliser {
    void* object;
    void (*call)(void* object, void* function, void* context);
    void* function;
    void* context;
    FinaliserKind kind;
};

struct FoundObject {
    Header* header = nullptr;
    std::size_t size_bytes = 0;
};

/// All of a heap.
///
/// Thread safety: `lock` guards what several threads change while the world runs; all else belongs to the collecting thread
/// while the world is stopped.
struct Collector {
    explicit Collector(Heap& its_heap, const GcConfig& its_config) noexcept : heap(&its_heap), config(its_config) {}

    Heap* heap;
    GcConfig config;
    os::SpinLock lock;

    // Memory: blocks.cpp.
    Chunk* chunks = nullptr;
    PageVector<std::byte*> free_blocks;  // hints, newest last: a block that is used meanwhile is skipped
    PageVector<std::byte*> holed;        // used blocks with holes, to be searched from `next_holed` on
    std::size_t next_holed = 0;
    PageVector<std::byte*> touched;  // blocks with young lines
    std::size_t committed_bytes = 0;
    std::size_t peak_bytes = 0;
    std::size_t used_lines = 0;      // not free
    std::size_t huge_bytes = 0;      // of them, in mappings of their own; not counted in used_lines
    std::size_t empty_blocks = 0;    // fresh and free ones
    std::size_t resident_empty = 0;  // free ones
    [[nodiscard]] bool next_run(Mutator& mutator, std::size_t least_lines) noexcept;
    [[nodiscard]] std::byte* take_block() noexcept;
    [[nodiscard]] std::byte* take_blocks(std::size_t count) noexcept;
    [[nodiscard]] std::byte* map_huge(std::size_t bytes) noexcept;
    [[nodiscard]] Chunk* add_chunk(std::size_t bytes) noexcept;
    /// Another chunk, all of whose blocks nobody uses. Returns false when the kernel refuses.
    [[nodiscard]] bool add_blocks() noexcept;
    /// Blocks behind one another that nobody uses; no chunk where there are none.
    struct BlockRun {
        Chunk* chunk = nullptr;
        std::size_t first = 0;
    };
    [[nodiscard]] BlockRun find_blocks(std::size_t count) const noexcept;
    void release_chunk(Chunk* chunk) noexcept;
    void retire(Mutator& mutator) noexcept;
    void discard_run(Chunk* chunk, std::size_t first, std::size_t end) noexcept;
    void give_back(std::size_t keep_bytes, std::size_t most_bytes) noexcept;
    void give_back_some() noexcept;
    std::size_t spare_bytes = SIZE_MAX;  // of empty blocks, that are not given back
    [[nodiscard]] bool may_commit(std::size_t bytes) const noexcept;
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used_lines * kLineBytes + huge_bytes; }

    // Allocation off the fast path: allocate.cpp.
    // Bytes given to threads. Atomic because they are looked at without the lock; relaxed, because they are only compared.
    std::atomic<std::size_t> since_collection{0};
    std::atomic<std::size_t> external_since{0};  // told by adjust_external_bytes
    std::atomic<std::size_t> since_step{0};
    void count_given(std::size_t bytes) noexcept {
        since_collection.fetch_add(bytes, std::memory_order_relaxed);
        since_step.fetch_add(bytes, std::memory_order_relaxed);
        allocated_total += bytes;
    }
    std::size_t nursery_bytes = 0;     // until the next minor collection
    std::size_t nursery_most = 0;      // as far as pauses allow
    bool begins_soon = false;          // marking of everything is due, after a minor collection that is short
    std::size_t peak_since_full = 0;   // bytes in use before a pause
    std::size_t recent_peaks[4] = {};  // the same for the last cycles of everything
    std::size_t next_peak = 0;
    std::size_t allocated_total = 0;
    std::size_t full_threshold = 0;
    std::size_t external_bytes = 0;
    std::atomic<bool> wants_collection{false};
    [[nodiscard]] void* allocate(Mutator& mutator, const TypeInfo* type, std::size_t bytes, std::size_t alignment) noexcept;
    [[nodiscard]] void* place(Mutator& mutator, std::size_t bytes, std::size_t alignment) noexcept;
    [[nodiscard]] void* place_large(Mutator& mutator, std::size_t bytes) noexcept;
    void collect_if_due(Mutator& mutator) noexcept;
    [[nodiscard]] void* free_up_and_place(Mutator& mutator, std::size_t bytes, std::size_t alignment) noexcept;

    // Threads: threads.cpp.
    Mutator* mutators = nullptr;
    std::uint32_t mutator_count = 0;
    std::atomic<std::uint32_t> stop_wanted{0};
    std::atomic<std::uint32_t> parkings{0};  // counts them, so that who stops the world can sleep
    os::SpinLock collecting;
    bool is_collecting = false;  // true only while the world is stopped, so only the collecting thread sees it so
    Mutator* stopper = nullptr;  // who stopped it, where that thread is attached; under the lock
    GcStats published{};         // of the moment before the pause that runs; under the lock
    void hold_pauses(Mutator* self) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    [[nodiscard]] bool try_stop_world(Mutator* self) noexcept;
    void hold_and_stop(Mutator* self) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void give_way(Mutator* self) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void start_world() noexcept;
    void begin_look(Mutator& self) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void end_look() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void park(Mutator& self) noexcept;
    void park_saved(Mutator& self) noexcept;
    [[nodiscard]] bool try_run(Mutator& self) noexcept;
    void unpark(Mutator& self) noexcept;
    void list(Mutator& mutator) noexcept;

    // Fork: fork.cpp.
    Collector* next_heap = nullptr;
    Collector* previous_heap = nullptr;
    bool forked_inside = false;  // of a pause, by the thread that collects
    void before_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void after_fork_in_parent() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void after_fork_in_child() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void bury(Mutator& gone) noexcept;

    // Roots: roots.cpp; remembered places: remembered.cpp.
    RootNode roots;  // the ends of two rings
    RootNode weak_roots;
    std::uint32_t root_count = 0;
    PageVector<const void*> remembered;  // places in old objects that refer to young ones, of all threads once a pause began
    PageVector<Header*> noted;           // objects whose constructor ran in a pause
    PageVector<void*> overwritten;       // while marking in steps
    void mark_roots(Marker& marker, Mutator& self) noexcept;
    [[nodiscard]] bool mark_remembered(Marker& marker, std::uint64_t deadline_ns) noexcept;
    [[nodiscard]] bool unlog(const void* slot) noexcept;
    void forget_remembered() noexcept;
    void note_constructions() noexcept;
    void remember_constructions() noexcept;
    void scan_words(Marker& marker, const void* begin, const void* end) noexcept;
    /// Calls `visit(void* word)` for each word of the stacks and saved registers of all threads; see stack.hpp.
    template <class Visit>
    void for_each_stack_word(Mutator& self, Visit visit) noexcept;
    [[nodiscard]] FoundObject find_object(const void* address) noexcept;
    [[nodiscard]] bool is_object(std::uint8_t mark) const noexcept;
    void index_young(std::byte* block) noexcept;

    // Cycles: collect.cpp.
    std::uint8_t epoch = 1;
    bool is_marking = false;   // in steps
    bool both_epochs = false;  // marking everything, so the other epoch's marks still say what exists
    bool keeps_young = false;  // the end of marking in steps: young objects count as live
    MarkTeam* team = nullptr;
    GcStats counts{};
    std::size_t live_bytes = 0;
    std::uint64_t last_collection_ns = 0;
    std::size_t returned_now = 0;
    std::size_t moved_now = 0;
    std::uint64_t mark_ns_now = 0;
    // Takes the lock `collecting` in turns with stops for others, and lets it go at the end of the pause.
    void collect(Mutator& self, Cycle cycle, Reason reason) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    static constexpr std::uint64_t kNoDeadline = UINT64_MAX;
    void minor(Mutator& self, std::uint64_t deadline_ns) noexcept;
    [[nodiscard]] std::uint64_t minor_deadline(Reason reason, std::uint64_t begin_ns) const noexcept;
    void promote_young() noexcept;
    bool expects_survivors = false;          // most of what was young lived
    std::uint32_t promotions_due = 0;        // minor collections that keep everything unseen
    std::size_t promotion_ns_per_kib = 128;  // as measured
    std::size_t bytes_per_object = 64;       // the same
    [[nodiscard]] std::size_t most_survivors() const noexcept;
    [[nodiscard]] std::size_t young_objects() const noexcept;
    void expect_survivors(bool is_done, std::size_t freed_bytes) noexcept;
    void begin_marking(Mutator& self) noexcept;
    void begin_if_due(Mutator& self, GcEvent& event, std::uint64_t begin_ns) noexcept;
    [[nodiscard]] bool mark_step(std::uint64_t budget_ns) noexcept;
    void step(Mutator& self, GcEvent& event, std::uint64_t begin_ns) noexcept;
    std::size_t step_bytes = 0;  // allocated until the next one
    [[nodiscard]] std::size_t next_step() const noexcept;
    std::size_t promoted_bytes = 0;  // of what was made since marking began
    bool all_marked = false;         // by steps; what follows is due
    void end_marking(Mutator& self) noexcept;
    void full(Mutator& self) noexcept;
    void cancel_marking() noexcept;
    void shrink(Mutator& self) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void begin_epoch() noexcept;
    [[nodiscard]] bool is_live(const void* object) const noexcept;
    void size_nursery(Cycle cycle, std::uint64_t pause_ns) noexcept;
    void finish_pause(Mutator& self, GcEvent& event, std::uint64_t begin_ns) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

    // After marking: weak.cpp, finalise.cpp, sweep.cpp.
    PageVector<void**> weak_slots;
    PageVector<void*> ephemerons;
    PageVector<Finaliser> finalisers;
    PageVector<Finaliser> ready;  // to be called after the pause, from `next_ready` on
    std::size_t next_ready = 0;
    std::size_t old_finalisers = 0;         // the first ones, of objects that survived
    os::SpinLock ending;                    // held by the thread that runs destructors and finalisers
    std::atomic<Mutator*> ender{nullptr};   // that thread; written by it alone, and each asks whether it is itself: relaxed
    PageVector<void*> finalised;            // called once already; watched for resurrection
    PageVector<void*> destructibles;        // old
    PageVector<void*> orphans;              // young ones of threads that are gone
    PageVector<void*> destructibles_after;  // of one pause
    PageVector<void*> doomed;               // their destructors wait, from `next_doomed` on
    std::size_t next_doomed = 0;
    PageVector<void*> buffers;  // of standard containers, old
    PageVector<void*> young_buffers;
    std::size_t next_buffer = 0;  // marked in steps up to here
    // A container gave its buffers to another one since marking in steps began: whose trace function finds them now, may have run
    // before. Written by any thread that runs, read when all stand still: relaxed.
    std::atomic<bool> containers_moved{false};
    void mark_buffers(Marker& marker) noexcept;
    // Who runs destructors. Atomic because others look; relaxed, because each only asks whether it is itself.
    std::atomic<Mutator*> destroyer{nullptr};
    PageVector<void*> destroyed;  // doomed ones whose memory is freed in the next pause
    void adopt_buffers() noexcept;
    void after_marking(Marker& marker, bool everything) noexcept;
    void trace_ephemerons(Marker& marker) noexcept;
    void clear_weak() noexcept;
    void follow_moved() noexcept;
    void find_unreachable(Marker& marker, bool everything) noexcept;
    void doom(PageVector<void*>& from, PageVector<void*>& survivors) noexcept;
    void run_waiting(Mutator& self) noexcept;
    void keep_doomed() noexcept;
    void free_destroyed() noexcept;
    void clear_ephemerons() noexcept;
    void run_destructors(Mutator& self) noexcept;
    void run_finalisers(Mutator& self) noexcept;
    void destroy_everything(Mutator& self) noexcept;
    void sweep_touched() noexcept;
    void sweep_all(bool keep_young) noexcept;
    void settle_block(std::byte* block, std::uint8_t freed_states) noexcept;
    void sweep_huge(bool everything, bool keep_young) noexcept;
    PageVector<std::byte*> unclean;  // blocks with marks of the cycle before
    std::size_t clean_at_once = 0;   // of them, in each minor collection
    void clean_marks(std::size_t blocks) noexcept;
    void unmark(std::byte* block, const BlockInfo& info) noexcept;

    // Evacuation: evacuate.cpp.
    bool evacuates = false;
    Mutator copier;  // allocates the copies
    void choose_sparse_blocks() noexcept;
    void pin_words() noexcept;
    void end_evacuation() noexcept;

    /// The name of the first invariant that does not hold, or nullptr. Requires a pause. verify.cpp.
    [[nodiscard]] const char* broken_invariant() noexcept;
    /// What there is to say of it. Requires the lock, and no pause of another thread.
    [[nodiscard]] GcStats figures() const noexcept;

    template <class Visit>
    void for_each_block(Visit visit) {
        for (Chunk* chunk = chunks; chunk != nullptr; chunk = chunk->next) {
            if (chunk->is_huge) {
                continue;
            }
            for (std::size_t index = kFirstBlock; index < kBlocksPerChunk; ++index) {
                visit(reinterpret_cast<std::byte*>(chunk) + index * kBlockBytes, chunk->blocks[index]);
            }
        }
    }
    /// Objects of a block's young lines, marked or not, in order of addresses.
    template <class Visit>
    void for_each_young(std::byte* block, Visit visit) {
        const std::uint8_t* const lines = line_of(block);
        for (std::size_t line = 0; line < kLinesPerBlock;) {
            if ((load_byte(lines + line) & kLineYoung) == 0) {
                ++line;
                continue;
            }
            std::size_t end = line;
            while (end < kLinesPerBlock && (load_byte(lines + end) & kLineYoung) != 0) {
                ++end;
            }
            // Runs are filled from their first byte on, and closed with fillers, so they can be read by the objects' sizes. Two
            // runs that touch are read as one. The tail of a large object from an earlier block comes first, if there is one.
            std::byte* at = block + line * kLineBytes;
            if (const std::size_t back = block_of(block).back_blocks; line == 0 && back != 0) {
                at = block + (size_of(reinterpret_cast<const Header*>(block - back * kBlockBytes)) - back * kBlockBytes);
            }
            while (at < block + end * kLineBytes) {
                auto* const header = reinterpret_cast<Header*>(at);
                if (header->type()->kind != ObjectKind::filler) {
                    visit(header);
                }
                at += size_of(header);
            }
            line = end;
        }
    }
    /// Objects of a block whose mark byte says so, in order of addresses.
    template <class Visit>
    void for_each_object(std::byte* block, Visit visit) {
        std::uint8_t* const marks = mark_of(block);
        for (std::size_t granule = 0; granule < (kBlockBytes >> kGranuleShift); ++granule) {
            const std::uint8_t mark = marks[granule];
            if (mark != 0 && is_object(mark)) {
                visit(reinterpret_cast<Header*>(block + (granule << kGranuleShift) + ((mark & kMarkHalf) != 0 ? kUnitBytes : 0)), mark);
            }
        }
    }
};

[[nodiscard]] Collector& collector_of(const Heap& heap) noexcept;

void have_kinds() noexcept;
void release_mutator(Mutator* mutator) noexcept;
void park_others(const Mutator* self) noexcept;
void run_again() noexcept;
/// Heaps that fork() has to know.
void list_heap(Collector& collector) noexcept;
void unlist_heap(Collector& collector) noexcept;

/// A word of a buffer that goes: told like a member that is overwritten, where it is one.
void tell_word(void* word) noexcept;

/// What the words of a buffer of a standard container are.
extern const TypeInfo kBufferType;

}  // namespace heapwright::gc::detail
