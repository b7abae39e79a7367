// Where the rows of a graph that changes live: words in segments, written one after the other, cleaned by moving what lives.
//
//   segment of 16384 words:  │ owner │ targets, slack │ owner │ targets, slack │ kDead │ length │ ... │ not yet written │
//
// A row that grows moves to where writing goes on and leaves a dead row behind. When dead words become an eighth of all, the
// segment with the most of them is emptied, as a log-structured file system cleans: a bounded pause, and no memory lost to
// lists of free rows of sizes that nobody wants any more.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph::detail {

/// Rows come in these capacities: 0, 1, 2, 4, 6, 8, then steps of 2 up to 16, and four steps to each doubling after that.
inline constexpr std::uint32_t kCapacityClasses = 120;

[[nodiscard]] constexpr std::uint32_t capacity_of_class(std::uint32_t row_class) noexcept {
    if (row_class < 2) {
        return row_class;
    }
    if (row_class < 10) {
        return (row_class - 1) * 2;  // 2 to 16
    }
    const std::uint32_t doubling = (row_class - 10) / 4;
    const std::uint32_t step = (row_class - 10) % 4 + 1;
    return (16U << doubling) + step * (4U << doubling);
}

/// Requires: capacity <= capacity_of_class(kCapacityClasses - 1).
[[nodiscard]] constexpr std::uint32_t class_for_capacity(std::uint32_t capacity) noexcept {
    if (capacity < 2) {
        return capacity;
    }
    if (capacity <= 16) {
        return (capacity + 1) / 2 + 1;
    }
    const std::uint32_t doubling = 27U - static_cast<std::uint32_t>(__builtin_clz(capacity - 1));
    const std::uint32_t step = (capacity - 1 - (16U << doubling)) >> (2U + doubling);
    return 10 + doubling * 4 + step;
}
static_assert(capacity_of_class(class_for_capacity(17)) == 20 && capacity_of_class(class_for_capacity(33)) == 40);
static_assert(capacity_of_class(class_for_capacity(16)) == 16 && capacity_of_class(class_for_capacity(7)) == 8);
static_assert(class_for_capacity(capacity_of_class(119)) == 119 && class_for_capacity(1) == 1 && class_for_capacity(2) == 2);

/// A row's place: the number of its first word, counted through all segments.
using RowPlace = std::uint32_t;

/// Words of rows. It knows where rows are, not how long: its owner keeps a class for each and says so when asked.
///
///   R1  a segment's written words are rows without gaps, each dead or owned by the node in its first word
///   R2  each segment's dead words are the sum of its dead rows, and dead_words() the sum over all
///
/// Thread safety: one thread at a time.
class RowStore {
public:
    static constexpr std::uint32_t kSegmentBits = 14;
    static constexpr std::uint32_t kSegmentWords = 1U << kSegmentBits;
    static constexpr std::uint32_t kFirstWords = 256;  // the first segment grows from here, so that small graphs stay small
    static constexpr std::uint32_t kSegmentsMax = 1U << (32 - kSegmentBits);
    static constexpr std::uint32_t kDead = kNoNode;

    explicit RowStore(SourceRef memory) noexcept : memory_(memory) {}
    RowStore(const RowStore&) = delete;
    RowStore& operator=(const RowStore&) = delete;
    ~RowStore() { release(); }

    /// The owner's side of cleaning: how long a live row is, and where it went.
    struct Owner {
        void* graph;
        std::uint32_t (*capacity_of)(const void* graph, NodeId node) noexcept;
        void (*moved)(void* graph, NodeId node, RowPlace place) noexcept;
    };

    /// Room for `capacity` targets of `node`. Rows of `owner` may move meanwhile.
    ///
    /// Requires: capacity > 0.
    /// Fails:    out_of_memory; limit_reached at 262144 segments and blocks of long rows. Nothing is lost then.
    [[nodiscard]] Result<RowPlace> take(NodeId node, std::uint32_t capacity, const Owner& owner) noexcept;

    /// Gives a row of this capacity back.
    void drop(RowPlace place, std::uint32_t capacity) noexcept;
    /// Gives the words behind the first `kept` targets back; kept + 2 <= capacity, and no row of its own block.
    void drop_tail(RowPlace place, std::uint32_t kept, std::uint32_t capacity) noexcept;
    /// Long rows are not moved when a segment is cleaned, nor do they leave long ends of segments unused.
    [[nodiscard]] static constexpr bool has_own_block(std::uint32_t capacity) noexcept { return capacity >= kSegmentWords / 4; }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE NodeId* targets(RowPlace place) const noexcept {
        return segments_[place >> kSegmentBits].words + (place & (kSegmentWords - 1)) + 1;
    }
    /// Where targets(place) will look first.
    HEAPWRIGHT_ALWAYS_INLINE void prefetch(RowPlace place) const noexcept { __builtin_prefetch(targets(place)); }

    void swap(RowStore& other) noexcept;
    void release() noexcept;

    /// From the source, the table of segments included.
    [[nodiscard]] std::size_t owned_bytes() const noexcept;
    [[nodiscard]] std::uint64_t dead_words() const noexcept { return dead_; }
    [[nodiscard]] const char* broken_invariant(const Owner& owner) const noexcept;

private:
    static constexpr std::uint32_t kOwnBlock = UINT32_MAX;
    struct Segment {
        std::uint32_t* words;  // nullptr: the entry is free
        std::uint32_t room;
        std::uint32_t used;
        std::uint32_t dead;  // kOwnBlock: a block with one row

        [[nodiscard]] bool is_shared() const noexcept { return words != nullptr && dead != kOwnBlock; }
    };

    [[nodiscard]] Result<RowPlace> take_own_block(NodeId node, std::uint32_t capacity) noexcept;
    [[nodiscard]] Result<void> make_room(std::uint32_t words, const Owner& owner) noexcept;
    [[nodiscard]] Result<void> grow_first(std::uint32_t words) noexcept;
    [[nodiscard]] Result<void> open_segment() noexcept;
    void close_open_segment() noexcept;
    [[nodiscard]] Result<std::uint32_t> free_entry() noexcept;
    [[nodiscard]] Result<void> grow_table() noexcept;
    void clean(const Owner& owner) noexcept;
    [[nodiscard]] bool clean_one(const Owner& owner) noexcept;
    [[nodiscard]] RowPlace write_row(NodeId node, std::uint32_t capacity) noexcept;
    void kill(Segment& segment, std::uint32_t at, std::uint32_t words) noexcept;
    void release_segment(std::uint32_t index) noexcept;
    [[nodiscard]] const char* broken_segment(std::uint32_t index, const Owner& owner) const noexcept;

    SourceRef memory_;
    Segment* segments_ = nullptr;
    std::uint32_t table_room_ = 0;
    std::uint32_t table_used_ = 0;
    std::uint32_t open_ = UINT32_MAX;    // the segment being written
    std::uint32_t* spare_ = nullptr;     // one cleaned segment kept for the next
    std::uint64_t words_ = 0;            // in shared segments
    std::uint64_t dead_ = 0;             // of these, in dead rows
    std::uint64_t own_block_words_ = 0;  // in blocks of one row each
};

}  // namespace heapwright::graph::detail
