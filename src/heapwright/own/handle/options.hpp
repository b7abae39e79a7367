// What a heap of movable objects is told at its making, and what it tells of itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright {

struct MovableHeapOptions {
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    std::size_t limit_bytes = kUnlimited;  // memory in use but for the name table, in whole pages, beyond which requests are refused
    std::size_t address_bytes = std::size_t{16} << 30;  // addresses for objects; at most 16 GiB; memory only where they are used
    std::uint64_t step_ns = 200'000;                    // for so long, about, nobody enters while objects are moved
    std::uint64_t reader_wait_ns = 50'000;              // a step that others' Borrows do not let begin for so long is given up
    std::uint32_t threshold_millionths = 90'000;        // tick() acts when a larger part of the memory in use holds no object
    std::uint32_t cpu_millionths = 50'000;              // and takes that part of the time since it was last called, at most
    bool auto_compaction = true;                        // false: tick() only counts
    std::uint32_t stress = 0;                           // every so many allocations everything is moved that may; 0: never
};

/// What a compaction did.
struct DefragmentationResult {
    std::uint64_t moved_objects = 0;
    std::size_t moved_bytes = 0;
    std::size_t returned_bytes = 0;           // to the system
    std::size_t largest_free_run_before = 0;  // bytes in one piece, in whole chunks, that serve objects of any size
    std::size_t largest_free_run_after = 0;
    std::uint64_t elapsed_ns = 0;
    std::uint64_t moving_ns = 0;        // of it in steps that move; the rest packed names, gave memory back, or waited
    std::uint64_t longest_step_ns = 0;  // nobody could enter for so long
    std::uint64_t steps = 0;
    std::uint64_t refused_steps = 0;   // Borrows did not let them begin
    std::uint64_t pinned_objects = 0;  // were to move and could not, because of a Pin
    std::size_t pinned_bytes = 0;
    bool is_finished = false;  // false: the budget ran out; the next call goes on from there
};

struct MovableHeapStats {
    std::uint64_t live_objects = 0;
    std::size_t live_bytes = 0;      // what those objects can hold
    std::size_t resident_bytes = 0;  // pages of objects in use or kept for reuse
    std::size_t name_bytes = 0;      // of the name table: pages, and records of those that few names are left on
    std::uint64_t names = 0;         // live handles
    std::size_t free_bytes = 0;      // kept for reuse: chunks without an object
    std::size_t address_bytes = 0;   // of chunks that were ever used
    std::uint64_t compactions = 0;   // finished
    std::uint64_t steps = 0;
    std::uint64_t refused_steps = 0;
    std::uint64_t longest_step_ns = 0;
    std::uint64_t moved_objects = 0;
    std::size_t moved_bytes = 0;
    std::size_t returned_bytes = 0;
    std::uint64_t refusals = 0;  // requests that failed

    /// The part of the memory in use that holds no object, in millionths.
    [[nodiscard]] constexpr std::uint32_t vacant_millionths() const noexcept {
        if (resident_bytes <= live_bytes) {
            return 0;
        }
        return static_cast<std::uint32_t>((resident_bytes - live_bytes) / 64 * 1'000'000 / (resident_bytes / 64));
    }
};

}  // namespace heapwright
