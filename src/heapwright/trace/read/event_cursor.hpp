// The events of one chunk, pulled in small batches, with ticks that never run backwards.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/event_codec.hpp>

namespace heapwright::trace {

/// Owns a decompressed payload and decodes it as far as asked, so that a thread's chunk costs its few bytes an event
/// and not the sixty of an Event.
///
/// Thread safety: one caller.
class EventCursor {
public:
    EventCursor() : decoder_(std::make_unique<EventDecoder>()) {}

    /// The place for the payload of the chunk that start() is about to read; keeps its room between chunks.
    [[nodiscard]] std::vector<std::uint8_t>& payload() { return payload_; }

    /// Begins with payload() as the content of `chunk`. Ticks before `not_before` are raised to it.
    ///
    /// Returns:  false when the payload breaks the grammar at its very head.
    [[nodiscard]] bool start(const ChunkHeader& header, Tick not_before) {
        tick_ = not_before;
        promised_ = header.items;
        return decoder_->begin(header, payload_);
    }

    /// Fills `room` from its front.
    ///
    /// Returns:  the events written; fewer than room.size() only at the end of the chunk or at its damage.
    [[nodiscard]] std::size_t next(std::span<Event> room) {
        std::size_t count = 0;
        while (count < room.size() && decoder_->next(room[count])) {
            Event& event = room[count++];
            raised_ += event.tick < tick_ ? 1 : 0;
            tick_ = event.tick = event.tick > tick_ ? event.tick : tick_;
        }
        return count;
    }

    [[nodiscard]] bool is_damaged() const { return decoder_->is_damaged(); }
    /// Events that the header promised and damage hides.
    [[nodiscard]] std::uint64_t lost() const { return promised_ - decoder_->events_read(); }
    /// Of the last event.
    [[nodiscard]] Tick tick() const { return tick_; }
    /// Events of all chunks so far whose ticks had to be raised: no recorder writes such.
    [[nodiscard]] std::uint64_t raised() const { return raised_; }

private:
    std::unique_ptr<EventDecoder> decoder_;
    std::vector<std::uint8_t> payload_;
    Tick tick_ = 0;
    std::uint64_t raised_ = 0;
    std::uint32_t promised_ = 0;
};

}  // namespace heapwright::trace
