// The rarer ways of writing an event, and putting the columns together.
#include <heapwright/trace/event_encoder.hpp>

#include <cstring>

#include <heapwright/base/check.hpp>

namespace heapwright::trace {

void EventEncoder::use_room(std::span<std::uint8_t> room) noexcept {
    HEAPWRIGHT_CHECK(room.size() >= kRoomBytes, "an event encoder needs room for its columns at their worst");
    std::uint8_t* start = room.data();
    for (std::size_t column = 0; column < detail::kColumns; ++column) {
        starts_[column] = start;
        start += detail::kColumnBytesMax[column] * kMaxEvents;
    }
    begin(0);
}

void EventEncoder::begin(Tick first_tick) noexcept {
    tables_ = {};
    seen_ = {};
    seen_[Burst::slot_of(0)].address = ~std::uint64_t{0};  // the address 0 was not seen either
    departed_ = 0;
    first_tick_ = first_tick;
    now_ = {.cursors = starts_, .last_tick = first_tick, .stamp_bit = 0, .model = detail::EventModel(tables_)};
}

void EventEncoder::stamp(Tick tick) noexcept { Burst(*this).stamp(tick); }

std::uint8_t* EventEncoder::put_odd_delta(std::uint8_t* cursor, std::uint64_t address, std::int64_t delta) noexcept {
    const std::uint64_t folded = zigzag(delta);
    if (folded >> 63 == 0) {
        return put_varint(cursor, folded << 1 | 1);
    }
    // Further than 2^62: no heap is so large, but every 64-bit number must survive.
    return put_varint(put_varint(cursor, detail::kDeltaEscape), address);
}

void EventEncoder::Burst::put_rare(unsigned& op, unsigned flags, const Event& event) noexcept {
    if (flags == 0) {
        return;
    }
    std::uint8_t*& rare = cursor(Column::rare);
    *rare++ = static_cast<std::uint8_t>((op & detail::kOpMask) | flags);
    if (flags & detail::kRareTouched) {
        put(Column::rare, event.touched);
    }
    if (flags & detail::kRareAlignment) {
        *rare++ = event.alignment_log2;
    }
    if (flags & detail::kRareClaimed) {
        put(Column::rare, event.size);
    }
    if (flags & detail::kRareOldAddress) {
        put(Column::rare, event.old_address);
    }
    op |= detail::kOpRare;
}

void EventEncoder::add(const Event& event) noexcept {
    HEAPWRIGHT_ASSERT(!is_full(), "add() after the chunk was full");
    Burst burst(*this);
    unsigned flags = event.touched == kTouchedUnknown ? 0U : detail::kRareTouched;
    flags |= event.alignment_log2 == 0 ? 0U : detail::kRareAlignment;
    auto op = static_cast<unsigned>(event.call);
    std::uint64_t departed = 0;
    std::uint64_t known_size = 0;
    switch (event.kind) {
        case EventKind::allocate:
            op |= burst.put_request(event.stack, event.size);
            op |= burst.put_allocated(event.address, event.size, now_.model.released_last());
            break;
        case EventKind::resize_to: {
            flags |= event.old_address == departed_ ? 0U : detail::kRareOldAddress;
            op |= burst.put_request(event.stack, event.size);
            const std::uint64_t expected = event.old_address != 0 ? event.old_address : now_.model.released_last();
            op |= burst.put_allocated(event.address, event.size, expected);
            break;
        }
        case EventKind::resize_from:
            op = detail::kOpResizeFrom | burst.put_released(event.address, known_size);
            departed = event.address;
            break;
        case EventKind::release:
            op |= burst.put_released(event.address, known_size);
            if (event.size != 0) {
                event.size == known_size ? op |= detail::kOpUsual : flags |= detail::kRareClaimed;
            }
            break;
    }
    burst.put_rare(op, flags, event);
    burst.end_event(op);
    departed_ = departed;
}

std::size_t EventEncoder::finish(std::span<std::uint8_t> payload) const noexcept {
    HEAPWRIGHT_CHECK(payload.size() >= kPayloadBytesMax, "a payload needs room for the columns at their worst");
    std::uint8_t* out = payload.data() + detail::kColumnTableBytes;
    for (std::size_t column = 0; column < detail::kColumns; ++column) {
        const auto bytes = static_cast<std::uint32_t>(now_.cursors[column] - starts_[column]);
        std::memcpy(payload.data() + column * sizeof(bytes), &bytes, sizeof(bytes));
        std::memcpy(out, starts_[column], bytes);
        out += bytes;
    }
    return static_cast<std::size_t>(out - payload.data());
}

const char* EventEncoder::broken_invariant() const noexcept {
    for (std::size_t column = 0; column < detail::kColumns; ++column) {
        const auto used = static_cast<std::size_t>(now_.cursors[column] - starts_[column]);
        if (used > detail::kColumnBytesMax[column] * events()) {
            return "EE1: a column is longer than its events at their worst";
        }
    }
    return nullptr;
}

}  // namespace heapwright::trace
