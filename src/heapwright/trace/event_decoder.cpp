// Reading columns with the same model as the encoder's.
#include <heapwright/trace/event_decoder.hpp>

#include <cstring>

namespace heapwright::trace {

bool EventDecoder::begin(const ChunkHeader& header, std::span<const std::uint8_t> payload) noexcept {
    columns_ = {};
    position_ = 0;
    count_ = 0;
    tick_ = header.first_tick;
    thread_ = header.thread;
    damaged_ = false;
    departed_ = 0;
    tables_ = {};
    model_ = detail::EventModel{tables_};
    if (payload.size() < detail::kColumnTableBytes) {
        return fail();
    }
    std::size_t offset = detail::kColumnTableBytes;
    for (std::size_t at = 0; at < detail::kColumns; ++at) {
        std::uint32_t bytes = 0;
        std::memcpy(&bytes, payload.data() + at * sizeof(bytes), sizeof(bytes));
        if (bytes > payload.size() - offset) {
            return fail();
        }
        columns_[at] = ByteReader(payload.subspan(offset, bytes));
        offset += bytes;
    }
    if (offset != payload.size() || column(Column::ops).rest() != header.items) {
        return fail();
    }
    count_ = header.items;
    return true;
}

std::uint64_t EventDecoder::take_delta(std::uint64_t base) noexcept {
    const std::uint64_t number = column(Column::addresses).varint();
    if (number == detail::kDeltaEscape) {
        return column(Column::addresses).varint();
    }
    const auto delta = static_cast<std::uint64_t>(unzigzag(number >> 1));
    return base + ((number & 1) != 0 ? delta : delta << 4);
}

/// The event `distance` before this one; an empty one, and damage, when there is none.
const EventDecoder::Seen& EventDecoder::seen_before(std::uint64_t distance) noexcept {
    static constexpr Seen kNothing{};
    if (distance == 0 || distance > position_ || distance >= detail::kWindow) {
        damaged_ = true;
        return kNothing;
    }
    return seen_[(position_ - distance) % detail::kWindow];
}

/// Returns: the op and the flags.
std::uint8_t EventDecoder::take_rare(Event& event) noexcept {
    ByteReader& rare = column(Column::rare);
    const std::uint8_t flags = rare.byte();
    if (flags & detail::kRareTouched) {
        event.touched = rare.varint();
    }
    if (flags & detail::kRareAlignment) {
        event.alignment_log2 = rare.byte();
        damaged_ = damaged_ || event.alignment_log2 > 63;
    }
    if (flags & detail::kRareClaimed) {
        event.size = rare.varint();
    }
    if (flags & detail::kRareOldAddress) {
        event.old_address = rare.varint();
    }
    return flags;
}

void EventDecoder::take_request(bool usual, Event& event) noexcept {
    event.stack = model_.expected_stack();
    bool size_known = true;
    if (!usual) {
        const std::uint64_t code = column(Column::stacks).varint();
        if (code >> 1 != 0) {
            event.stack = static_cast<StackId>((code >> 1) - 1);
        }
        size_known = (code & 1) == 0;
    }
    event.size = size_known ? model_.expected_size(event.stack) : column(Column::sizes).varint();
    model_.note_request(event.stack, event.size);
}

void EventDecoder::take_allocated(AddressMode mode, std::uint64_t expected, Event& event) noexcept {
    switch (mode) {
        case AddressMode::expected: event.address = expected; break;
        case AddressMode::next: event.address = model_.behind_last(); break;
        case AddressMode::distance: event.address = seen_before(column(Column::distances).varint()).address; break;
        case AddressMode::delta: event.address = take_delta(model_.allocated_last()); break;
    }
    model_.note_allocated(event.address, event.size);
    seen_[position_ % detail::kWindow] = {event.address, event.size};
}

void EventDecoder::take_released(AddressMode mode, bool usual, Event& event) noexcept {
    std::uint64_t known_size = 0;
    if (mode == AddressMode::expected) {
        event.address = model_.allocated_last();
        known_size = model_.last_size();
    } else if (mode == AddressMode::delta) {
        event.address = take_delta(model_.released_last());
    } else {
        std::uint64_t distance = model_.last_distance();
        if (mode == AddressMode::distance) {
            distance = column(Column::distances).varint();
            model_.note_distance(static_cast<std::uint32_t>(distance));
        }
        const Seen& seen = seen_before(distance);
        event.address = seen.address;
        known_size = seen.size;
    }
    if (usual) {
        damaged_ = damaged_ || known_size == 0;
        event.size = known_size;
    }
    model_.note_released(event.address);
    seen_[position_ % detail::kWindow] = {event.address, 0};
}

bool EventDecoder::columns_ok() const noexcept {
    for (const ByteReader& bytes : columns_) {
        if (!bytes.ok()) {
            return false;
        }
    }
    return true;
}

bool EventDecoder::at_end() noexcept {
    if (position_ < count_) {
        return false;
    }
    for (const ByteReader& bytes : columns_) {
        damaged_ = damaged_ || !bytes.at_end();
    }
    return true;
}

bool EventDecoder::next(Event& event) noexcept {
    if (damaged_ || at_end()) {
        return false;
    }
    const std::uint8_t current = column(Column::ops).byte();
    event = Event{};
    event.thread = thread_;
    if (current & detail::kOpStamped) {
        tick_ += column(Column::ticks).varint();
    }
    event.tick = tick_;

    std::uint8_t op = current & detail::kOpMask;
    const bool usual = (current & detail::kOpUsual) != 0;
    const auto mode = static_cast<AddressMode>(current >> detail::kOpModeShift & 3);
    const std::uint8_t flags = op == detail::kOpRare ? take_rare(event) : op;
    op = flags & detail::kOpMask;
    std::uint64_t departed = 0;
    if (op == detail::kOpResizeFrom) {
        event.kind = EventKind::resize_from;
        event.call = Call::realloc;
        event.size = 0;  // a claim here would mean nothing
        take_released(mode, false, event);
        departed = event.address;
    } else if (op < detail::kOpResizeFrom) {
        event.call = static_cast<Call>(op);
        event.kind = kind_of(event.call);
        if (event.kind == EventKind::release) {
            take_released(mode, usual, event);
        } else {
            if (event.kind == EventKind::resize_to && (flags & detail::kRareOldAddress) == 0) {
                event.old_address = departed_;
            }
            take_request(usual, event);
            const bool resizes = event.kind == EventKind::resize_to && event.old_address != 0;
            take_allocated(mode, resizes ? event.old_address : model_.released_last(), event);
        }
    } else {
        return fail();
    }
    if (event.kind != EventKind::resize_to) {
        event.old_address = 0;
    }
    departed_ = departed;
    if (damaged_ || !columns_ok()) {
        return fail();
    }
    ++position_;
    return true;
}

}  // namespace heapwright::trace
