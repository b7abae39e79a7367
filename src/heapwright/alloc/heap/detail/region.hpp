// Where spans come from: one reservation of addresses, cut into slices of 64 KiB.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/base/heap_descriptor.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

/// Hidden also where it is only declared: so that it is reached without the table of addresses.
#define HEAPWRIGHT_HIDDEN __attribute__((visibility("hidden")))

/// The first region, for the one comparison that tells a block of the heap from anything else. Three words, so that each
/// is an operand and none needs a register. Written once, before the first block exists.
extern HEAPWRIGHT_HIDDEN constinit const char* g_first_base;
extern HEAPWRIGHT_HIDDEN constinit std::size_t g_first_bytes;
extern HEAPWRIGHT_HIDDEN constinit Span* g_first_records;

/// Reserved addresses, and the records of their slices at the start.
///
///   [records of all slices | slices that were used, free or in spans | never used ........]
///   ^ base                                                             ^ used_       ^ committed_
///
///   RG1  free runs do not touch each other
///   RG2  each free run is in the list of its length, and no other span is in any
///   RG3  dirty_ is the number of slices in free runs whose memory may be resident
///
/// Freed runs keep their memory until purge() finds them old enough: what is used again soon costs no page fault.
///
/// Thread safety: any thread; one lock.
class Region {
public:
    constexpr Region() noexcept = default;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

    /// Reserves addresses. Returns false when the kernel refuses.
    [[nodiscard]] bool reserve(std::size_t bytes) noexcept;
    [[nodiscard]] bool is_reserved() const noexcept { return base_ != nullptr; }

    /// A run of slices at a multiple of `alignment` slices. All records but the head's still say what they said.
    ///
    /// Returns: nullptr when addresses or memory are exhausted. `is_zero`: every byte reads as zero.
    [[nodiscard]] Span* take(std::uint32_t slices, std::uint32_t alignment, bool& is_zero) noexcept;
    /// Whether it has addresses for a run that it could not give: then memory is what is missing.
    [[nodiscard]] bool has_addresses(std::uint32_t slices) noexcept;
    /// Gives a run back; its memory stays for a while.
    void give(Span* head, std::uint32_t slices) noexcept;
    /// Gives back what follows the first `wanted` slices of a run.
    void shorten(Span* head, std::uint32_t wanted) noexcept;
    /// Lengthens a run where it lies. Returns false when what follows is in use.
    [[nodiscard]] bool extend(Span* head, std::uint32_t slices, std::uint32_t wanted, bool& is_zero) noexcept;

    /// Gives memory of free slices to the kernel: of those that became free before turn `before` of the clock, or of all.
    ///
    /// Returns: bytes given back. Cost: one madvise for each stretch of such slices; the lock is free meanwhile.
    std::size_t purge(std::uint32_t before, bool all) noexcept;

    [[nodiscard]] bool contains(const void* address) const noexcept {
        return static_cast<std::size_t>(static_cast<const char*>(address) - base_) < bytes_;
    }
    /// Requires: contains(address).
    [[nodiscard]] Span* span_at(const void* address) const noexcept {
        return records() + (static_cast<std::size_t>(static_cast<const char*>(address) - base_) >> kSliceLog2);
    }
    [[nodiscard]] std::size_t dirty_bytes() const noexcept { return std::size_t{dirty_slices()} * kSliceBytes; }
    [[nodiscard]] std::size_t committed_bytes() const noexcept { return std::size_t{committed_ - first_} * kSliceBytes; }
    [[nodiscard]] std::size_t reserved_bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t metadata_bytes() const noexcept { return records_committed_bytes_; }
    [[nodiscard]] std::size_t free_bytes() const noexcept { return std::size_t{free_} * kSliceBytes; }
    /// Of every slice that was ever taken.
    [[nodiscard]] std::size_t used_bytes() const noexcept { return std::size_t{used_ - first_} * kSliceBytes; }
    [[nodiscard]] std::uint32_t first_slice() const noexcept { return first_; }
    [[nodiscard]] std::uint32_t used_slices() const noexcept { return used_; }
    [[nodiscard]] Span* records() const noexcept { return reinterpret_cast<Span*>(base_); }

    [[nodiscard]] os::SpinLock& lock() noexcept { return lock_; }
    /// The name of the first invariant that does not hold, or nullptr. Requires: the lock.
    [[nodiscard]] const char* broken_invariant() const noexcept;

    /// Where the records lie, for who reads the process from outside.
    [[nodiscard]] static consteval HeapDescriptor describe(const Region& first) noexcept;

    std::atomic<Region*> next{nullptr};  ///< further regions, where the first could not be large

private:
    static constexpr std::uint32_t kExactBins = 64;
    static constexpr std::uint32_t kBins = kExactBins + 4 * 20;

    [[nodiscard]] static std::uint32_t bin_of(std::uint32_t slices) noexcept;
    [[nodiscard]] Span* find(std::uint32_t slices) noexcept;
    [[nodiscard]] std::uint32_t index_of(const Span* span) const noexcept { return static_cast<std::uint32_t>(span - records()); }
    [[nodiscard]] char* start_of(std::uint32_t index) const noexcept { return base_ + std::size_t{index} * kSliceBytes; }
    [[nodiscard]] std::uint32_t aligned(std::uint32_t index, std::uint32_t alignment) const noexcept;
    [[nodiscard]] std::uint32_t dirty_slices() const noexcept { return dirty_.load(std::memory_order_relaxed); }  // a figure
    void set_dirty_slices(std::uint32_t slices) noexcept { dirty_.store(slices, std::memory_order_relaxed); }     // as above
    void give_locked(Span* head, std::uint32_t slices) noexcept;
    void insert(std::uint32_t first, std::uint32_t slices) noexcept;
    void remove(Span* run) noexcept;
    void insert_merged(std::uint32_t first, std::uint32_t slices) noexcept;
    [[nodiscard]] bool use_more(std::uint32_t slices) noexcept;
    [[nodiscard]] bool commit_records(std::uint32_t slices) noexcept;
    [[nodiscard]] Span* claim(std::uint32_t first, std::uint32_t slices, bool& is_zero) noexcept;
    struct Stretch {
        std::uint32_t first = 0;
        std::uint32_t slices = 0;
    };
    [[nodiscard]] std::uint32_t take_old(std::uint32_t before, bool all, std::span<Stretch> stretches) noexcept;
    void put_back(const Stretch& stretch, bool is_clean) noexcept;

    os::SpinLock lock_;
    char* base_ = nullptr;
    std::size_t bytes_ = 0;
    std::uint32_t slices_ = 0;             // of the reservation
    std::uint32_t first_ = 0;              // behind the records
    std::uint32_t used_ = 0;               // behind every slice that was ever taken
    std::uint32_t committed_ = 0;          // readable and writable up to here
    std::uint32_t free_ = 0;               // slices in free runs
    std::atomic<std::uint32_t> dirty_{0};  // changes under the lock; the clock looks without it
    std::size_t records_committed_bytes_ = 0;
    std::array<std::uint64_t, (kBins + 63) / 64> bin_used_{};
    std::array<Span*, kBins> bins_{};
};

/// The regions of the process.
extern constinit Region g_region;

/// How `heapwright doctor` finds the records in a process that it only reads.
extern const HeapDescriptor g_heap_descriptor;

/// The clock's turn: what becomes free is stamped with it.
extern constinit std::atomic<std::uint32_t> g_turn;
/// Bytes given back to the kernel so far.
extern constinit std::atomic<std::uint64_t> g_given_back;

}  // namespace heapwright::heap
