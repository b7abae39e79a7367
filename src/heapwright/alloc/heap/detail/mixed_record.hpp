// What is known of a mixed span: which granules of 16 bytes a block has, and where blocks end. Blocks of any size lie in it.
//
//   granules   0   1   2   3   4   5   6   7
//   used       1   1   1   0   0   1   1   0     a block of three, two free, a block of two, one free
//   last       0   0   1   0   0   0   1   0
//
// A block's length is told by the bit of its own end, so that whoever has a block may ask while others take and free around it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/granule_bits.hpp>
#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/alloc/heap/size_class.hpp>

namespace heapwright::heap {

/// Those that a block of the class has in a mixed span.
[[nodiscard]] constexpr std::uint32_t granules_of(SizeClass size_class) noexcept {
    return static_cast<std::uint32_t>((bytes_of(size_class) + kGranuleBytes - 1) / kGranuleBytes);
}

/// Of a mixed span.
///
///   MX1  each block that lives has its granules in `used`, and the last of them in `last`; no other granule has a bit in either
///   MX2  no run of free granules is longer than `longest_free`, and none that is as long as `sought` begins before `cursor`
///
/// Thread safety: the locks of its span, but for granules_of_block().
class MixedRecord {
public:
    /// Of blocks of `block_bytes` each that lie one behind the other: those whose bit is set live.
    void describe(const std::uint64_t* live_bits, std::uint32_t blocks, std::uint32_t block_bytes) noexcept;

    /// Room for a block of so many granules, the first there is; kGranulesOfSlice: none, and longest_free() says so from now on.
    [[nodiscard]] std::uint32_t find(std::uint32_t granules) noexcept;
    /// Requires: the granules are free.
    void take(std::uint32_t first, std::uint32_t granules) noexcept;
    /// Whether a block begins there.
    [[nodiscard]] bool is_block(std::uint32_t first) const noexcept;
    /// Its granules are free, and one run with those around it. Requires: is_block(first), and it has so many.
    void give(std::uint32_t first, std::uint32_t granules) noexcept;
    void give(std::uint32_t first) noexcept { give(first, granules_of_block(first)); }
    /// Any thread. Requires: a block that the caller has begins there.
    [[nodiscard]] std::uint32_t granules_of_block(std::uint32_t first) const noexcept { return last_.next_set(first) - first + 1; }
    /// Whether all granules from `first` on are free.
    [[nodiscard]] bool is_free(std::uint32_t first, std::uint32_t granules) const noexcept {
        return used_.next_set(first) >= first + granules;
    }
    /// A bit for each OS page of the span of which all granules are free.
    [[nodiscard]] std::uint32_t free_pages() const noexcept;

    /// At most so many granules are free in one run.
    [[nodiscard]] std::uint32_t longest_free() const noexcept { return longest_free_; }
    /// Those that blocks have.
    [[nodiscard]] std::uint32_t used_granules() const noexcept { return used_.count(); }
    /// The same at once; in a child of fork about as many.
    [[nodiscard]] std::uint32_t taken_granules() const noexcept { return taken_; }
    /// Blocks that live; counted anew. Cost: O(granules / 64).
    [[nodiscard]] std::uint32_t blocks() const noexcept { return last_.count(); }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

    /// Where the bits lie in a record, for who reads the process from outside.
    struct Offsets {
        std::uint32_t used, last;
    };
    [[nodiscard]] static consteval Offsets offsets() noexcept;

    MixedRecord* next = nullptr;  ///< of those that no span has
    std::uint32_t freed = 0;      ///< granules, since the clock was told
    std::uint32_t owed = 0;       ///< blocks that are room already, and that the span's count still has: settle_remote()
    SizeClass bin = 0;            ///< in which list its span is: cache_mixed.cpp

private:
    GranuleBits used_;
    GranuleBits last_;
    std::uint32_t longest_free_ = kGranulesOfSlice;
    std::uint32_t cursor_ = 0;
    std::uint32_t sought_ = 0;
    std::uint32_t taken_ = 0;
};

// These records are no standard layout; both compilers give them plain offsets all the same.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
consteval MixedRecord::Offsets MixedRecord::offsets() noexcept {
    return {.used = offsetof(MixedRecord, used_), .last = offsetof(MixedRecord, last_)};
}
#pragma GCC diagnostic pop

/// The records by slice of the first region; nullptr until the first is made.
extern constinit std::atomic<MixedRecord**> g_mixed_table;

/// A record, with room for it in the table; nullptr when memory is exhausted, or where the span is not in the first region.
[[nodiscard]] MixedRecord* make_mixed_record(const Span* span) noexcept;
/// The span is mixed from now on, or is none any more. Requires: the caller owns the span, or holds it alone.
void set_mixed_record(Span* span, MixedRecord* record) noexcept;
void drop_mixed_record(Span* span) noexcept;
/// Requires: span->is_mixed().
[[nodiscard]] MixedRecord* mixed_record_of(const Span* span) noexcept;

/// Bytes that may be used of a block of a span of blocks, whichever kind of span it is by now. Any thread that has the block.
/// Stops the program where none begins there, as far as that is known.
[[nodiscard]] std::size_t bytes_of_block(const Span* span, const void* block, const char* what) noexcept;

// What follows requires a mixed span that the caller owns, or holds alone. Its owner frees as into any other span: onto local_free, where
// blocks of any size wait, and are counted, until they are settled.

/// Frees a list of `count` blocks. Stops the program where one of them is none.
void put_home_mixed(Span* span, FreeBlock* first, std::uint32_t count) noexcept;
/// What its owner freed since is room from now on. Stops the program where a block is none.
void settle_freed(Span* span) noexcept;
/// Granules of a block that was freed. Stops the program where none begins there.
[[nodiscard]] std::uint32_t granules_of_freed(const Span* span, const MixedRecord* record, const FreeBlock* block) noexcept;
/// One of so many granules, which was counted off already, is room from now on; tell_freed_mixed() comes after the last.
void give_freed(const Span* span, MixedRecord* record, const FreeBlock* block, std::uint32_t granules) noexcept;
/// Tells the clock of what was freed, where it is worth it.
void tell_freed_mixed(Span* span, MixedRecord* record) noexcept;
/// What other threads freed is room from now on, while the span's owner may free into it: so the count of live blocks, which the owner
/// changes, has them on until pay_owed(). Requires: the span's visit lock.  Returns: whether there was any.
bool settle_remote(Span* span) noexcept;
/// The count of live blocks is what it should be; the span is to be armed after it.
void pay_owed(Span* span) noexcept;
/// Whether no block lives in it. Where the count says so and the bits do not, as in a child of fork, the count is what they say from
/// now on.
[[nodiscard]] bool is_empty_mixed(Span* span) noexcept;
/// The next settling is due when so many blocks, or bytes, were freed, or all.
void arm_mixed(Span* span) noexcept;
/// A block of so many granules, or nullptr.
[[nodiscard]] FreeBlock* take_of_mixed(Span* span, std::uint32_t granules) noexcept;
/// Whether all blocks were freed, by its owner or by others, and its owner is not about to notice. Its owner may free meanwhile. After
/// settle_remote().
[[nodiscard]] bool is_dead_mixed(const Span* span) noexcept;
/// Gives pages back in which nothing lives, also while its owner frees into it. Returns: bytes given back.
std::size_t return_mixed_pages(Span* span) noexcept;

/// Whether spans become mixed from now on, as the user wants it.
void set_mixing(bool may_mix) noexcept;
/// A program whose blocks have to lie at multiples of their size, as the hardened heap's, makes no span mixed from now on, whatever is set.
void refuse_mixing() noexcept;
[[nodiscard]] bool may_mix() noexcept;

/// In the child of fork.
void reset_mixed_records_after_fork() noexcept;

}  // namespace heapwright::heap
