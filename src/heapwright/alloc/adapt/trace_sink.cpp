// The bodies of TraceSink.
#include <heapwright/alloc/adapt/trace_sink.hpp>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/os/clock.hpp>

namespace heapwright {
namespace {

trace::Tick now() noexcept { return os::ticks() / trace::kCyclesPerTick; }

}  // namespace

TraceSink::TraceSink(std::span<std::uint8_t> room, Take take, void* context) noexcept : take_(take), context_(context) {
    HEAPWRIGHT_CHECK(room.size() >= kRoomBytes, "a trace sink needs TraceSink::kRoomBytes of room; give it that much");
    encoder_.use_room(room.first(trace::EventEncoder::kRoomBytes));
    payload_room_ = room.subspan(trace::EventEncoder::kRoomBytes);
    encoder_.begin(now());
}

void TraceSink::stamp() noexcept {
    if (encoder_.is_full()) {
        flush();
    }
    const trace::Tick tick = now();
    if (tick > encoder_.last_tick()) {
        encoder_.stamp(tick);
    }
}

void TraceSink::allocated(void* block, Layout layout) noexcept {
    stamp();
    trace::Event event;
    event.kind = trace::EventKind::allocate;
    event.call = layout.alignment > alignof(std::max_align_t) ? trace::Call::aligned : trace::Call::malloc;
    event.alignment_log2 = event.call == trace::Call::aligned ? static_cast<std::uint8_t>(log2_floor(layout.alignment)) : std::uint8_t{0};
    event.address = reinterpret_cast<std::uintptr_t>(block);
    event.size = layout.size;
    encoder_.add(event);
}

void TraceSink::released(void* block, Layout /*layout*/) noexcept {
    stamp();
    trace::Event event;
    event.kind = trace::EventKind::release;
    event.call = trace::Call::free;
    event.address = reinterpret_cast<std::uintptr_t>(block);
    encoder_.add(event);
}

void TraceSink::flush() noexcept {
    if (encoder_.events() == 0) {
        return;
    }
    const std::size_t bytes = encoder_.finish(payload_room_);
    take_(context_, {.bytes = payload_room_.first(bytes),
                     .events = encoder_.events(),
                     .first_tick = encoder_.first_tick(),
                     .last_tick = encoder_.last_tick()});
    encoder_.begin(now());
}

}  // namespace heapwright
