// Events into columns, fast enough to do it inside somebody else's program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/varint.hpp>
#include <heapwright/trace/detail/columns.hpp>
#include <heapwright/trace/detail/event_model.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::trace {

/// Turns one thread's events into the payload of one chunk after the other.
///
///   EE1  no column is longer than its events at their worst
///
/// Thread safety: one thread at a time. Allocates nothing; the column room is the caller's.
class EventEncoder {
public:
    /// The most events of a chunk. A reader need not know it.
    static constexpr std::uint32_t kMaxEvents = 1U << 15;
    /// Room for the columns at their worst. Only what is written is touched.
    static constexpr std::size_t kRoomBytes = std::size_t{kMaxEvents} * 74 + 8;
    /// A payload is never longer.
    static constexpr std::size_t kPayloadBytesMax = detail::kColumnTableBytes + kRoomBytes;

    EventEncoder() noexcept = default;
    /// Requires: room holds kRoomBytes and outlives the encoder.
    void use_room(std::span<std::uint8_t> room) noexcept;

    /// Starts a chunk. Events before the first stamp have the tick `first_tick`.
    void begin(Tick first_tick) noexcept;

    /// The next event carries this tick; one before the last stamp is taken for the last stamp. Events that are not
    /// stamped have the tick of the last stamp.
    HEAPWRIGHT_ALWAYS_INLINE void stamp(Tick tick) noexcept {
        const Tick step = tick > last_tick_ ? tick - last_tick_ : 0;
        put(Column::ticks, step);
        last_tick_ += step;
        stamp_bit_ = detail::kOpStamped;
    }

    /// Appends an allocate event without alignment.
    ///
    /// Requires: not is_full(); `call` allocates and is not realloc.
    /// Cost:     some nanoseconds: three probes of small tables.
    HEAPWRIGHT_ALWAYS_INLINE void add_allocation(Call call, std::uint64_t address, std::uint64_t size, StackId stack) noexcept {
        auto op = static_cast<unsigned>(call);
        op |= put_request(stack, size) ? detail::kOpUsual : 0U;
        op |= mode_bits(put_allocated(address, size, model_.released_last()));
        end_event(op, 0);
    }

    /// Appends a release. `claimed`: the size that a sized release gave, 0 if none. Requires: not is_full().
    HEAPWRIGHT_ALWAYS_INLINE void add_release(Call call, std::uint64_t address, std::uint64_t claimed) noexcept {
        std::uint64_t known_size = 0;
        const AddressMode mode = put_released(address, known_size);
        const auto op = static_cast<unsigned>(call) | mode_bits(mode);
        if (HEAPWRIGHT_LIKELY(claimed == 0)) {
            end_event(op, 0);
        } else if (claimed == known_size) {
            end_event(op | detail::kOpUsual, 0);
        } else {
            put_claim(op, claimed);
        }
    }

    /// Appends any event. Requires: not is_full(). event.tick is not looked at: see stamp().
    void add(const Event& event) noexcept;
    void add(const Event& event, bool stamped) noexcept {
        if (stamped) {
            stamp(event.tick);
        }
        add(event);
    }

    [[nodiscard]] bool is_full() const noexcept { return events_ == kMaxEvents; }
    [[nodiscard]] std::uint32_t events() const noexcept { return events_; }
    [[nodiscard]] Tick first_tick() const noexcept { return first_tick_; }
    [[nodiscard]] Tick last_tick() const noexcept { return last_tick_; }

    /// Writes the payload of the chunk that began with begin().
    ///
    /// Requires: payload holds kPayloadBytesMax.
    /// Returns:  its length.
    [[nodiscard]] std::size_t finish(std::span<std::uint8_t> payload) const noexcept;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    using AddressMode = detail::AddressMode;
    using Column = detail::Column;

    /// The last event of an address, and the size if it was an allocation below 4 GiB. number: its place, from 1.
    struct Seen {
        std::uint64_t address;
        std::uint32_t number;
        std::uint32_t size;
    };
    static constexpr std::size_t kSeen = 2048;  // direct-mapped, 32 KiB: as much as the first-level cache holds

    [[nodiscard]] static std::size_t slot_of(std::uint64_t address) noexcept {
        return static_cast<std::size_t>(((address >> 4) * 0x9E3779B97F4A7C15U) >> 53) % kSeen;
    }
    static constexpr unsigned mode_bits(AddressMode mode) noexcept { return static_cast<unsigned>(mode) << detail::kOpModeShift; }

    /// A varint without branches up to 28 bits: the lengths are as good as random, and a wrong guess costs more than this.
    HEAPWRIGHT_ALWAYS_INLINE void put(Column column, std::uint64_t number) noexcept {
        std::uint8_t*& cursor = cursors_[static_cast<std::size_t>(column)];
        if (HEAPWRIGHT_UNLIKELY(number >= 1U << 28)) {
            cursor = put_varint(cursor, number);
            return;
        }
        const auto low = static_cast<std::uint32_t>(number);
        const auto top_bit = static_cast<std::uint32_t>(31 - __builtin_clz(low | 1));
        const std::uint32_t bytes = (top_bit * 9 + 73) >> 6;  // top_bit / 7 + 1
        std::uint32_t spread = (low & 0x7F) | (low & 0x3F80) << 1 | (low & 0x1FC000) << 2 | (low & 0xFE00000) << 3;
        spread |= 0x808080 & ((1U << 8 * (bytes - 1)) - 1);
        __builtin_memcpy(cursor, &spread, sizeof(spread));  // the room ends 8 bytes late for this
        cursor += bytes;
    }

    HEAPWRIGHT_ALWAYS_INLINE void put_delta(std::uint64_t address, std::uint64_t base) noexcept {
        const auto delta = static_cast<std::int64_t>(address - base);
        // Blocks are nearly always 16 bytes aligned; the low bit says whether the four zeros were dropped.
        if (HEAPWRIGHT_LIKELY((delta & 15) == 0)) {
            put(Column::addresses, zigzag(delta >> 4) << 1);
        } else {
            put_odd_delta(address, delta);
        }
    }
    void put_odd_delta(std::uint64_t address, std::int64_t delta) noexcept;

    /// Returns: whether stack and size were both expected.
    HEAPWRIGHT_ALWAYS_INLINE bool put_request(StackId stack, std::uint64_t size) noexcept {
        const bool stack_known = stack == model_.expected_stack();
        const bool size_known = size == model_.expected_size(stack);
        if (!(stack_known && size_known)) {
            const std::uint64_t stack_code = stack_known ? 0 : static_cast<std::uint64_t>(stack) + 1;
            put(Column::stacks, stack_code << 1 | (size_known ? 0U : 1U));
            if (!size_known) {
                put(Column::sizes, size);
            }
        }
        model_.note_request(stack, size);
        return stack_known && size_known;
    }

    HEAPWRIGHT_ALWAYS_INLINE AddressMode put_allocated(std::uint64_t address, std::uint64_t size, std::uint64_t expected) noexcept {
        Seen& seen = seen_[slot_of(address)];
        AddressMode mode = AddressMode::delta;
        if (address == expected) {
            mode = AddressMode::expected;
        } else if (address == model_.behind_last()) {
            mode = AddressMode::next;
        } else if (is_near(seen, address)) {
            mode = AddressMode::distance;
            put(Column::distances, events_ + 1 - seen.number);
        } else {
            put_delta(address, model_.allocated_last());
        }
        model_.note_allocated(address, size);
        last_size_ = size;
        seen = {address, events_ + 1, size <= UINT32_MAX ? static_cast<std::uint32_t>(size) : 0};
        return mode;
    }

    HEAPWRIGHT_ALWAYS_INLINE AddressMode put_released(std::uint64_t address, std::uint64_t& known_size) noexcept {
        Seen& seen = seen_[slot_of(address)];
        AddressMode mode = AddressMode::delta;
        if (address == model_.allocated_last()) {
            mode = AddressMode::expected;
            known_size = last_size_;
        } else if (is_near(seen, address)) {
            const std::uint32_t distance = events_ + 1 - seen.number;
            known_size = seen.size;
            mode = AddressMode::next;
            if (distance != model_.last_distance()) {
                mode = AddressMode::distance;
                put(Column::distances, distance);
                model_.note_distance(distance);
            }
        } else {
            put_delta(address, model_.released_last());
        }
        model_.note_released(address);
        seen = {address, events_ + 1, 0};
        return mode;
    }

    [[nodiscard]] bool is_near(const Seen& seen, std::uint64_t address) const noexcept {
        return seen.address == address && events_ + 1 - seen.number < detail::kWindow && seen.number != 0;
    }

    HEAPWRIGHT_ALWAYS_INLINE void end_event(unsigned op, std::uint64_t departed) noexcept {
        *cursors_[0]++ = static_cast<std::uint8_t>(op | stamp_bit_);
        stamp_bit_ = 0;
        departed_ = departed;
        ++events_;
    }
    void put_claim(unsigned op, std::uint64_t claimed) noexcept;
    void put_rare(unsigned& op, unsigned flags, const Event& event) noexcept;

    std::array<std::uint8_t*, detail::kColumns> cursors_{};
    std::uint32_t events_ = 0;
    unsigned stamp_bit_ = 0;
    Tick last_tick_ = 0;
    Tick first_tick_ = 0;
    std::uint64_t last_size_ = 0;  // of the block allocated last
    std::uint64_t departed_ = 0;   // the address of the resize_from just before, 0 if another event was
    std::array<std::uint8_t*, detail::kColumns> starts_{};
    detail::EventModel model_{};
    std::array<Seen, kSeen> seen_{};
};

}  // namespace heapwright::trace
