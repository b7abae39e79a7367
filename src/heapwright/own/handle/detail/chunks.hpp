// The chunks of a heap: which are free, which have memory, and how much of it there may be.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/os/spin_lock.hpp>
#include <heapwright/own/handle/detail/layout.hpp>

namespace heapwright::movable {

inline constexpr std::uint32_t kNoChunk = UINT32_MAX;

enum class ChunkState : std::uint8_t {
    clean,  // free, without memory; what a zeroed record says
    dirty,  // free, with the memory of its last use
    slots,  // cut into slots
    large,  // the first of a run that holds one object
    body,   // one of the others
};

/// What is known of a chunk. Of one that is cut, the lock of its size class guards everything; else the lock of Chunks.
///
///   MC1  live is the number of bits that are set
///   MC2  behind slot `touched` no bit is set, and below word `hint` every bit is
///   MC3  granted_pages cover the slots below `touched`
struct alignas(64) Chunk {
    static constexpr std::uint8_t kUnlisted = 255;

    std::uint32_t next;
    std::uint32_t previous;
    std::atomic<std::uint16_t> class_now;  // as state_now
    std::atomic<ChunkState> state_now;     // who looks for a free one reads those of others, too
    std::uint8_t list;                     // which of its class's lists it is in, by how full it is
    std::uint32_t slots;
    std::uint32_t live;
    std::uint32_t touched;  // slots that were ever used since its memory came
    std::uint32_t hint;
    std::uint16_t slot_bytes;
    std::uint16_t first;          // offset of the first slot
    std::uint16_t bits;           // offset of the live bits
    std::uint8_t header_bytes;    // of its objects
    std::uint32_t reciprocal;     // 2^35 / slot_bytes, rounded up
    std::uint32_t pass;           // the last compaction that is done with it
    std::uint32_t run;            // of a large object: chunks
    std::uint32_t granted_pages;  // that count against the limit
    std::uint32_t hole_pages;     // that were given back between live slots, and do not

    [[nodiscard]] ChunkState state() const noexcept {
        return state_now.load(std::memory_order_relaxed);  // what else is read has a lock of its own
    }
    void set_state(ChunkState state) noexcept {
        state_now.store(state, std::memory_order_relaxed);  // as above
    }
    [[nodiscard]] std::size_t size_class() const noexcept {
        return class_now.load(std::memory_order_relaxed);  // who holds the lock of a class sees whether a chunk is of that class
    }
    /// Exact, as the product is off by less than 2^18 / 2^35, and that is less than 1 / slot_bytes.
    [[nodiscard]] std::uint32_t slot_at(std::size_t offset) const noexcept {
        return static_cast<std::uint32_t>((offset - first) * reciprocal >> 35);
    }
    [[nodiscard]] std::size_t offset_of(std::uint32_t slot) const noexcept { return first + std::size_t{slot} * slot_bytes; }
    [[nodiscard]] std::uint32_t pages_for(std::uint32_t slots_below) const noexcept {
        return static_cast<std::uint32_t>((offset_of(slots_below) + os::kPageBytes - 1) / os::kPageBytes);
    }
    /// Its last object has gone: what is granted are the pages that count, wherever they lie.
    void empty() noexcept {
        granted_pages -= hole_pages;
        hole_pages = 0;
        set_state(ChunkState::body);
    }
    /// What an object of it can hold.
    [[nodiscard]] std::size_t object_bytes() const noexcept { return std::size_t{slot_bytes} - header_bytes; }
    [[nodiscard]] std::uint32_t words() const noexcept { return static_cast<std::uint32_t>((slots + kBitsPerWord - 1) / kBitsPerWord); }
};
static_assert(sizeof(Chunk) == 64 && kLargestSlot < UINT16_MAX);

/// Thread safety: any thread. A chunk that was taken is the taker's.
class Chunks {
public:
    [[nodiscard]] static constexpr std::size_t address_bytes(std::size_t chunks) noexcept {
        return chunks * kChunkBytes + os::round_to_pages(chunks * sizeof(Chunk));
    }
    /// Requires: reserved addresses of that size, at a chunk's boundary.
    Chunks(std::byte* addresses, std::size_t chunks, std::size_t limit_bytes) noexcept;

    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    [[nodiscard]] Chunk& operator[](std::uint32_t index) const noexcept { return records_[index]; }
    [[nodiscard]] std::uint32_t index_of(const void* address) const noexcept {
        return static_cast<std::uint32_t>(static_cast<std::size_t>(static_cast<const std::byte*>(address) - base_) >> kChunkShift);
    }
    [[nodiscard]] std::uint32_t index_of(const Chunk& chunk) const noexcept { return static_cast<std::uint32_t>(&chunk - records_); }
    [[nodiscard]] std::byte* start_of(const Chunk& chunk) const noexcept { return base_ + (std::size_t{index_of(chunk)} << kChunkShift); }
    [[nodiscard]] std::uint64_t* bits_of(const Chunk& chunk) const noexcept {
        return reinterpret_cast<std::uint64_t*>(start_of(chunk) + chunk.bits);
    }
    [[nodiscard]] bool owns(const void* address) const noexcept {
        return address >= base_ && address < base_ + (std::size_t{used_end()} << kChunkShift);
    }

    /// The lowest free run of so many chunks, with addresses that can be used. Runs are without memory; a single chunk may have
    /// some: granted_pages. Returns: the first, in state `body`; kNoChunk.
    [[nodiscard]] std::uint32_t take(std::size_t run) noexcept;
    /// A run comes back, with the memory that granted_pages of its first says.
    void give(std::uint32_t index, std::size_t run) noexcept;

    /// Counts so many pages as used. Returns: false when that is beyond the limit; then nothing is counted.
    [[nodiscard]] bool grant(std::size_t pages) noexcept;
    void revoke(std::size_t pages) noexcept;

    /// Gives memory of free chunks back until at most so much is left, or until that time of the monotonic clock. Returns: bytes.
    std::size_t trim(std::size_t keep_bytes, std::uint64_t deadline_ns = UINT64_MAX) noexcept;

    /// Gives back pages of records that no chunk with memory has one on, from record `next` on: they read as those of clean ones. Ends
    /// at that time of the monotonic clock, but after one page at least; `next` says where, kNoChunk: with all. Returns: bytes.
    std::size_t trim_records(std::uint32_t& next, std::uint64_t deadline_ns = UINT64_MAX) noexcept;

    [[nodiscard]] std::size_t granted_bytes() const noexcept;
    [[nodiscard]] std::size_t limit_bytes() const noexcept { return limit_pages_ * os::kPageBytes; }
    [[nodiscard]] std::size_t dirty_bytes() const noexcept;
    [[nodiscard]] std::size_t largest_free_run() const noexcept;
    /// Chunks above were never used.
    [[nodiscard]] std::uint32_t used_end() const noexcept {
        return used_end_.load(std::memory_order_acquire);  // pairs with the release in take()
    }
    [[nodiscard]] std::size_t most() const noexcept { return most_; }
    void reset_after_fork() noexcept { lock_.reset_after_fork(); }

private:
    [[nodiscard]] std::uint32_t find(std::size_t run) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] bool commit_to(std::size_t end) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    [[nodiscard]] std::uint32_t take_dirty() noexcept;

    std::byte* base_;
    Chunk* records_;
    std::size_t most_;
    std::size_t limit_pages_;
    mutable os::SpinLock lock_;
    std::size_t committed_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;     // chunks whose addresses can be used
    std::uint32_t first_free_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;  // none below is free
    std::size_t dirty_pages_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;
    std::uint32_t dirty_end_ HEAPWRIGHT_GUARDED_BY(lock_) = 0;  // none at or above has memory to give back
    std::atomic<std::uint32_t> used_end_{0};
    std::atomic<std::size_t> granted_pages_{0};
};

}  // namespace heapwright::movable
