// Turns what a Tracked allocator does into the events of a trace: the payloads of chunks, as the recorder writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/layout.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/event_encoder.hpp>

namespace heapwright {

/// Collects events and hands a chunk's payload out whenever it is full, and at flush().
///
/// Cost:     some nanoseconds an event; a chunk is handed out every 32768 events.
/// Thread safety: one thread at a time.
class TraceSink {
public:
    static constexpr std::size_t kRoomBytes = trace::EventEncoder::kRoomBytes + trace::EventEncoder::kPayloadBytesMax;

    struct Payload {
        std::span<const std::uint8_t> bytes;
        std::uint32_t events;
        trace::Tick first_tick;
        trace::Tick last_tick;
    };
    /// Called with each payload, which is gone when it returns.
    using Take = void (*)(void* context, const Payload& payload) noexcept;

    /// Requires: room holds kRoomBytes and, like the context, outlives the sink.
    TraceSink(std::span<std::uint8_t> room, Take take, void* context) noexcept;
    TraceSink(const TraceSink&) = delete;
    TraceSink& operator=(const TraceSink&) = delete;
    ~TraceSink() { flush(); }

    void allocated(void* block, Layout layout) noexcept;
    void released(void* block, Layout layout) noexcept;

    /// Hands out what has been collected, if there is any.
    void flush() noexcept;

private:
    void stamp() noexcept;

    trace::EventEncoder encoder_;
    std::span<std::uint8_t> payload_room_;
    Take take_;
    void* context_;
};

}  // namespace heapwright
