// Merges the threads of a trace into one order of events, with memory for a few batches of each running thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/read/event_cursor.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::study {

/// A k-way merge over the threads' chunks.
///
/// A chunk is read when its first tick is the earliest of all threads, and decoded a batch at a time; what a chunk
/// holds beyond that stays as compact columns, and chunks further on stay in the file. So memory follows the number
/// of threads that run at the same moment, whatever the number of events and wherever the recorder set watermarks.
///
/// Order: by tick; within a thread as in the file; at equal ticks a thread that still releases something at this tick
/// goes first, then the lower thread number. Damaged chunks are left out and counted by the Reader.
/// Thread safety: one caller.
class EventMerger {
public:
    static constexpr std::size_t kBatch = 1024;

    /// Requires: `reader` outlives the merger.
    explicit EventMerger(trace::Reader& reader);

    /// The next events with ticks up to and including `limit`.
    ///
    /// Returns:  at most kBatch events, valid until the next call; none: no event up to `limit` is left.
    /// Fails:    io_failed.
    [[nodiscard]] Result<std::span<const trace::Event>> next(trace::Tick limit);

    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
    /// Events that ran backwards within their thread, so that their place in time is not known; they were given the
    /// tick of the event before them. No sound recording has any.
    [[nodiscard]] std::uint64_t late_events() const { return late_events_; }

private:
    struct Source {
        std::uint32_t first_chunk = 0;  // of chunk_order_
        std::uint32_t last_chunk = 0;
        trace::Tick tick = 0;  // last one decoded
        std::unique_ptr<trace::EventCursor> cursor;
        std::vector<trace::Event> batch;
        std::size_t head = 0;
        const trace::ChunkRef* open_chunk = nullptr;

        [[nodiscard]] bool has_head() const { return head < batch.size(); }
    };
    struct Turn {
        trace::Tick tick = 0;
        std::uint32_t rank = 0;  // 0: releases something at this tick, or nobody knows yet
        std::uint32_t source = 0;

        friend bool operator<(const Turn& a, const Turn& b) {
            return a.tick != b.tick ? a.tick < b.tick : a.rank != b.rank ? a.rank < b.rank : a.source < b.source;
        }
    };

    Result<bool> refill(Source& source);
    Result<bool> open_next_chunk(Source& source);
    void decode_batch(Source& source);
    void close_chunk(Source& source);
    Turn turn_of(std::uint32_t source) const;
    void enqueue(std::uint32_t source);
    void drain(Source& source, std::uint32_t index, trace::Tick limit);

    trace::Reader& reader_;
    std::vector<std::uint32_t> chunk_order_;  // event chunks by thread, then as in the file
    std::vector<Source> sources_;
    std::vector<Turn> turns_;  // a min-heap
    std::vector<std::unique_ptr<trace::EventCursor>> idle_cursors_;
    std::vector<trace::Event> merged_;
    std::vector<trace::Event> scratch_;
    std::uint64_t delivered_ = 0;
    std::uint64_t late_events_ = 0;
};

}  // namespace heapwright::study
