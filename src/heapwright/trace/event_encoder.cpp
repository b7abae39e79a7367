// Events into columns: for each event the cheapest of the ways that AddressMode names, and a flag where all was expected.
#include <heapwright/trace/event_codec.hpp>

#include <cstring>

#include <heapwright/base/check.hpp>

namespace heapwright::trace {

using detail::AddressMode;
using detail::EventModel;

void EventEncoder::use_room(std::span<std::uint8_t> room) noexcept {
    HEAPWRIGHT_CHECK(room.size() >= kRoomBytes, "an event encoder needs room for its columns at their worst");
    std::uint8_t* start = room.data();
    for (std::size_t column = 0; column < kColumns; ++column) {
        starts_[column] = start;
        start += kColumnBytesMax[column] * kMaxEvents;
    }
    cursors_ = starts_;
}

void EventEncoder::begin(Tick first_tick) noexcept {
    cursors_ = starts_;
    events_ = 0;
    first_tick_ = first_tick;
    last_tick_ = first_tick;
    departed_ = 0;
    departed_number_ = EventModel::kNone;
    allocated_at_.fill(EventModel::kNone);
    released_at_.fill(EventModel::kNone);
    model_.reset();
}

void EventEncoder::put_delta(std::uint64_t address, std::uint64_t base) noexcept {
    const auto delta = static_cast<std::int64_t>(address - base);
    // Blocks are nearly always 16 bytes aligned; the low bit says whether the four zeros were dropped.
    if ((delta & 15) == 0) {
        put(Column::addresses, zigzag(delta >> 4) << 1);
        return;
    }
    const std::uint64_t folded = zigzag(delta);
    if (folded >> 63 == 0) {
        put(Column::addresses, folded << 1 | 1);
        return;
    }
    // Further than 2^62: no heap is so large, but every 64-bit number must survive.
    put(Column::addresses, detail::kDeltaEscape);
    put(Column::addresses, address);
}

bool EventEncoder::put_request(const Event& event) noexcept {
    const bool stack_known = event.stack == model_.expected_stack();
    const bool size_known = event.size == model_.expected_size(event.stack);
    if (stack_known && size_known) {
        return true;
    }
    const std::uint64_t stack_code = stack_known ? 0 : static_cast<std::uint64_t>(event.stack) + 1;
    put(Column::stacks, stack_code << 1 | static_cast<std::uint64_t>(!size_known));
    if (!size_known) {
        put(Column::sizes, event.size);
    }
    return false;
}

AddressMode EventEncoder::put_allocated(std::uint64_t address, std::uint64_t size, std::uint64_t expected) noexcept {
    if (address == expected && expected != 0) {
        return AddressMode::expected;
    }
    if (address == model_.expected_next()) {
        return AddressMode::next;
    }
    const std::uint32_t release = released_at_[slot_of(address)];
    const std::uint32_t distance = model_.releases() - 1 - release;
    if (release != EventModel::kNone && address != 0 && model_.released_before(distance) == address) {
        put(Column::distances, distance);
        return AddressMode::distance;
    }
    put_delta(address, model_.delta_base(size));
    return AddressMode::delta;
}

AddressMode EventEncoder::put_released(std::uint64_t address, std::uint32_t& number) noexcept {
    const std::uint32_t known = allocated_at_[slot_of(address)];
    if (known == EventModel::kNone || address == 0 || model_.address_of(known) != address) {
        number = EventModel::kNone;
        put_delta(address, model_.last_released());
        return AddressMode::delta;
    }
    number = known;
    if (known == model_.newest()) {
        return AddressMode::expected;
    }
    if (known == model_.step_on()) {
        return AddressMode::next;
    }
    put(Column::distances, model_.allocations() - 1 - known);
    return AddressMode::distance;
}

void EventEncoder::enter_allocation(std::uint64_t address, std::uint64_t size, AddressMode mode) noexcept {
    if (address != 0) {
        allocated_at_[slot_of(address)] = model_.allocations();
        model_.note_allocation(address, size, mode);
    }
}

void EventEncoder::put_op(std::uint8_t op, AddressMode mode, bool usual, bool stamped, const Event& event,
                          std::uint8_t rare) noexcept {
    if (HEAPWRIGHT_UNLIKELY(rare != 0)) {
        put_byte(Column::rare, static_cast<std::uint8_t>(op | rare));
        if (rare & detail::kRareTouched) {
            put(Column::rare, event.touched);
        }
        if (rare & detail::kRareAlignment) {
            put_byte(Column::rare, event.alignment_log2);
        }
        if (rare & detail::kRareClaimed) {
            put(Column::rare, event.size);
        }
        if (rare & detail::kRareOldAddress) {
            put(Column::rare, event.old_address);
        }
        op = detail::kOpRare;
    }
    put_byte(Column::ops, static_cast<std::uint8_t>(op | static_cast<unsigned>(mode) << detail::kOpModeShift |
                                                    (usual ? detail::kOpUsual : 0U) | (stamped ? detail::kOpStamped : 0U)));
}

void EventEncoder::add_resize_to(const Event& event, bool stamped, std::uint8_t rare) noexcept {
    if (event.old_address != departed_) {
        rare |= detail::kRareOldAddress;
    }
    const bool usual = put_request(event);
    const bool moved_from = event.old_address != 0;
    const std::uint64_t expected = moved_from ? event.old_address : model_.expected_reuse(event.size);
    const AddressMode mode = put_allocated(event.address, event.size, expected);
    put_op(static_cast<std::uint8_t>(Call::realloc), mode, usual, stamped, event, rare);
    model_.note_request(event.stack, event.size);
    if (moved_from && mode == AddressMode::expected) {
        allocated_at_[slot_of(event.address)] = model_.allocations();
        model_.note_kept(event.address, event.size);
        return;
    }
    enter_allocation(event.address, event.size, mode);
    const bool refused = event.address == 0 && event.size != 0;
    if (moved_from && !refused) {
        released_at_[slot_of(event.old_address)] = model_.releases();
        model_.note_vacated(event.old_address, event.old_address == departed_ ? departed_number_ : EventModel::kNone);
    }
}

void EventEncoder::add(const Event& event, bool stamped) noexcept {
    HEAPWRIGHT_ASSERT(!is_full(), "add() after the chunk was full");
    if (stamped) {
        const Tick tick = event.tick < last_tick_ ? last_tick_ : event.tick;
        put(Column::ticks, tick - last_tick_);
        last_tick_ = tick;
    }
    auto op = static_cast<std::uint8_t>(event.call);
    std::uint8_t rare = event.touched == kTouchedUnknown ? 0 : detail::kRareTouched;
    if (event.alignment_log2 != 0) {
        rare |= detail::kRareAlignment;
    }
    std::uint32_t number = EventModel::kNone;
    switch (event.kind) {
        case EventKind::allocate: {
            const bool usual = put_request(event);
            const AddressMode mode = put_allocated(event.address, event.size, model_.expected_reuse(event.size));
            put_op(op, mode, usual, stamped, event, rare);
            model_.note_request(event.stack, event.size);
            enter_allocation(event.address, event.size, mode);
            break;
        }
        case EventKind::release: {
            const AddressMode mode = put_released(event.address, number);
            const bool truthful = event.size != 0 && number != EventModel::kNone && model_.size_of(number) == event.size;
            if (event.size != 0 && !truthful) {
                rare |= detail::kRareClaimed;
            }
            put_op(op, mode, truthful, stamped, event, rare);
            released_at_[slot_of(event.address)] = model_.releases();
            model_.note_release(event.address, number);
            break;
        }
        case EventKind::resize_from: {
            const AddressMode mode = put_released(event.address, number);
            put_op(detail::kOpResizeFrom, mode, false, stamped, event, rare);
            model_.note_departure(event.address, number);
            break;
        }
        case EventKind::resize_to:
            add_resize_to(event, stamped, rare);
            break;
    }
    const bool departs = event.kind == EventKind::resize_from;
    departed_ = departs ? event.address : 0;
    departed_number_ = departs ? number : EventModel::kNone;
    ++events_;
}

std::size_t EventEncoder::finish(std::span<std::uint8_t> payload) const noexcept {
    HEAPWRIGHT_CHECK(payload.size() >= kPayloadBytesMax, "a payload needs room for the columns at their worst");
    std::uint8_t* out = payload.data();
    for (std::size_t column = 0; column < kColumns; ++column) {
        const auto bytes = static_cast<std::uint32_t>(cursors_[column] - starts_[column]);
        std::memcpy(out, &bytes, sizeof(bytes));
        out += sizeof(bytes);
    }
    for (std::size_t column = 0; column < kColumns; ++column) {
        const auto bytes = static_cast<std::size_t>(cursors_[column] - starts_[column]);
        std::memcpy(out, starts_[column], bytes);
        out += bytes;
    }
    return static_cast<std::size_t>(out - payload.data());
}

const char* EventEncoder::broken_invariant() const noexcept {
    for (std::size_t column = 0; column < kColumns; ++column) {
        const auto used = static_cast<std::size_t>(cursors_[column] - starts_[column]);
        if (used > kColumnBytesMax[column] * events_) {
            return "EE1: a column is longer than its events at their worst";
        }
    }
    return nullptr;
}

}  // namespace heapwright::trace
