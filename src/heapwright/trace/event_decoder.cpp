// Columns back into events, with the same model as the encoder's; every number is validated before it is believed.
#include <heapwright/trace/event_codec.hpp>

#include <cstring>

namespace heapwright::trace {

using detail::AddressMode;
using detail::EventModel;

bool EventDecoder::begin(const ChunkHeader& header, std::span<const std::uint8_t> payload) noexcept {
    columns_ = {};
    position_ = 0;
    count_ = 0;
    tick_ = header.first_tick;
    thread_ = header.thread;
    damaged_ = false;
    departed_ = 0;
    departed_number_ = EventModel::kNone;
    model_.reset();
    if (payload.size() < kColumns * sizeof(std::uint32_t)) {
        return fail();
    }
    std::size_t offset = kColumns * sizeof(std::uint32_t);
    for (std::size_t column = 0; column < kColumns; ++column) {
        std::uint32_t bytes = 0;
        std::memcpy(&bytes, payload.data() + column * sizeof(bytes), sizeof(bytes));
        if (bytes > payload.size() - offset) {
            return fail();
        }
        columns_[column] = ByteReader(payload.subspan(offset, bytes));
        offset += bytes;
    }
    if (offset != payload.size() || columns_[static_cast<std::size_t>(Column::ops)].rest() != header.items) {
        return fail();
    }
    count_ = header.items;
    return true;
}

std::uint64_t EventDecoder::take_delta(std::uint64_t base) noexcept {
    const std::uint64_t number = take(Column::addresses);
    if (number == detail::kDeltaEscape) {
        return take(Column::addresses);
    }
    const std::int64_t folded = unzigzag(number >> 1);
    const auto delta = static_cast<std::uint64_t>(folded);
    return base + ((number & 1) != 0 ? delta : delta << 4);
}

void EventDecoder::take_rare(std::uint8_t& op, bool& old_given, Event& event) noexcept {
    ByteReader& rare = columns_[static_cast<std::size_t>(Column::rare)];
    if (op != detail::kOpRare) {
        return;
    }
    const std::uint8_t flags = rare.byte();
    op = flags & detail::kOpMask;
    if (flags & detail::kRareTouched) {
        event.touched = rare.varint();
    }
    if (flags & detail::kRareAlignment) {
        event.alignment_log2 = rare.byte();
    }
    if (flags & detail::kRareClaimed) {
        event.size = rare.varint();
    }
    if (flags & detail::kRareOldAddress) {
        event.old_address = rare.varint();
        old_given = true;
    }
}

void EventDecoder::take_request(bool usual, Event& event) noexcept {
    event.stack = model_.expected_stack();
    bool size_known = true;
    if (!usual) {
        const std::uint64_t code = take(Column::stacks);
        if (code >> 1 != 0) {
            event.stack = static_cast<StackId>((code >> 1) - 1);
        }
        size_known = (code & 1) == 0;
    }
    event.size = size_known ? model_.expected_size(event.stack) : take(Column::sizes);
    model_.note_request(event.stack, event.size);
}

std::uint64_t EventDecoder::take_allocated(AddressMode mode, std::uint64_t size, std::uint64_t expected) noexcept {
    switch (mode) {
        case AddressMode::expected:
            damaged_ = damaged_ || expected == 0;
            return expected;
        case AddressMode::next:
            return model_.expected_next();
        case AddressMode::distance: {
            const std::uint64_t distance = take(Column::distances);
            const std::uint64_t address =
                distance < EventModel::kReleased ? model_.released_before(static_cast<std::uint32_t>(distance)) : 0;
            damaged_ = damaged_ || address == 0;
            return address;
        }
        case AddressMode::delta:
            break;
    }
    return take_delta(model_.delta_base(size));
}

std::uint64_t EventDecoder::take_released(AddressMode mode, std::uint32_t& number) noexcept {
    switch (mode) {
        case AddressMode::expected:
            number = model_.newest();
            break;
        case AddressMode::next:
            number = model_.step_on();
            break;
        case AddressMode::distance: {
            const std::uint64_t distance = take(Column::distances);
            damaged_ = damaged_ || distance >= EventModel::kRecent;
            number = model_.allocations() - 1 - static_cast<std::uint32_t>(distance);
            break;
        }
        case AddressMode::delta:
            number = EventModel::kNone;
            return take_delta(model_.last_released());
    }
    const std::uint64_t address = model_.address_of(number);
    damaged_ = damaged_ || address == 0;
    return address;
}

void EventDecoder::take_resize_to(AddressMode mode, bool old_given, Event& event) noexcept {
    if (!old_given) {
        event.old_address = departed_;
    }
    const std::uint32_t old_number = event.old_address == departed_ ? departed_number_ : EventModel::kNone;
    take_request((current_ & detail::kOpUsual) != 0, event);
    const bool moved_from = event.old_address != 0;
    const std::uint64_t expected = moved_from ? event.old_address : model_.expected_reuse(event.size);
    event.address = take_allocated(mode, event.size, expected);
    if (damaged_) {
        return;
    }
    if (moved_from && mode == AddressMode::expected) {
        model_.note_kept(event.address, event.size);
        return;
    }
    if (event.address != 0) {
        model_.note_allocation(event.address, event.size, mode);
    }
    const bool refused = event.address == 0 && event.size != 0;
    if (moved_from && !refused) {
        model_.note_vacated(event.old_address, old_number);
    }
}

bool EventDecoder::columns_ok() const noexcept {
    for (const ByteReader& column : columns_) {
        if (!column.ok()) {
            return false;
        }
    }
    return true;
}

bool EventDecoder::next(Event& event) noexcept {
    if (damaged_) {
        return false;
    }
    if (position_ == count_) {
        for (const ByteReader& column : columns_) {
            damaged_ = damaged_ || !column.at_end();
        }
        return false;
    }
    current_ = columns_[static_cast<std::size_t>(Column::ops)].byte();
    event = Event{};
    event.thread = thread_;
    if (current_ & detail::kOpStamped) {
        tick_ += take(Column::ticks);
    }
    event.tick = tick_;

    std::uint8_t op = current_ & detail::kOpMask;
    const bool usual = (current_ & detail::kOpUsual) != 0;
    const auto mode = static_cast<AddressMode>(current_ >> detail::kOpModeShift & 3);
    bool old_given = false;
    take_rare(op, old_given, event);
    if (op > detail::kOpResizeFrom || event.alignment_log2 > 63) {
        return fail();
    }

    std::uint32_t number = EventModel::kNone;
    const bool departs = op == detail::kOpResizeFrom;
    event.call = departs ? Call::realloc : static_cast<Call>(op);
    switch (departs ? EventKind::resize_from : kind_of(event.call)) {
        case EventKind::allocate:
            event.kind = EventKind::allocate;
            take_request(usual, event);
            event.address = take_allocated(mode, event.size, model_.expected_reuse(event.size));
            if (event.address != 0 && !damaged_) {
                model_.note_allocation(event.address, event.size, mode);
            }
            break;
        case EventKind::release:
            event.kind = EventKind::release;
            event.address = take_released(mode, number);
            if (damaged_) {
                return false;
            }
            if (usual) {
                damaged_ = number == EventModel::kNone;
                event.size = damaged_ ? 0 : model_.size_of(number);
            }
            model_.note_release(event.address, number);
            break;
        case EventKind::resize_from:
            event.kind = EventKind::resize_from;
            event.address = take_released(mode, number);
            if (!damaged_) {
                model_.note_departure(event.address, number);
            }
            break;
        case EventKind::resize_to:
            event.kind = EventKind::resize_to;
            take_resize_to(mode, old_given, event);
            break;
    }
    departed_ = departs ? event.address : 0;
    departed_number_ = departs ? number : EventModel::kNone;
    if (damaged_ || !columns_ok()) {
        return fail();
    }
    ++position_;
    return true;
}

}  // namespace heapwright::trace
