// Events into columns, fast enough to do it inside somebody else's program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/varint.hpp>
#include <heapwright/trace/detail/column_cursor.hpp>
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

    class Burst;

    EventEncoder() noexcept = default;
    EventEncoder(const EventEncoder&) = delete;
    EventEncoder& operator=(const EventEncoder&) = delete;

    /// Requires: room holds kRoomBytes and outlives the encoder.
    void use_room(std::span<std::uint8_t> room) noexcept;

    /// Starts a chunk. Events before the first stamp have the tick `first_tick`.
    void begin(Tick first_tick) noexcept;

    /// The next event carries this tick; one before the last stamp is taken for the last stamp. Events that are not
    /// stamped have the tick of the last stamp.
    void stamp(Tick tick) noexcept;

    /// Appends any event. Requires: not is_full(). event.tick is not looked at: see stamp().
    void add(const Event& event) noexcept;
    void add(const Event& event, bool stamped) noexcept {
        if (stamped) {
            stamp(event.tick);
        }
        add(event);
    }

    [[nodiscard]] std::uint32_t events() const noexcept {
        return static_cast<std::uint32_t>(now_.cursors[0] - starts_[0]);  // each has one byte in the first column
    }
    [[nodiscard]] std::uint32_t events_left() const noexcept { return kMaxEvents - events(); }
    [[nodiscard]] bool is_full() const noexcept { return events_left() == 0; }
    [[nodiscard]] Tick first_tick() const noexcept { return first_tick_; }
    [[nodiscard]] Tick last_tick() const noexcept { return now_.last_tick; }

    /// Writes the payload of the chunk that began with begin().
    ///
    /// Requires: payload holds kPayloadBytesMax.
    /// Returns:  its length.
    [[nodiscard]] std::size_t finish(std::span<std::uint8_t> payload) const noexcept;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    /// The last event of an address.
    struct Seen {
        std::uint64_t address;
        std::uint32_t place;  // the lower half of the address of its op byte
        std::uint32_t size;   // if it was an allocation below 4 GiB
    };
    static constexpr unsigned kSeenLog2 = 11;
    static constexpr std::size_t kSeen = std::size_t{1} << kSeenLog2;  // direct-mapped, 32 KiB: as much as the first-level cache holds

    /// What changes with each event.
    struct State {
        std::array<std::uint8_t*, detail::kColumns> cursors{};
        Tick last_tick = 0;
        unsigned stamp_bit = 0;
        detail::EventModel model;
    };

    [[nodiscard]] static std::uint8_t* put_odd_delta(std::uint8_t* cursor, std::uint64_t address, std::int64_t delta) noexcept;

    State now_;
    std::uint64_t departed_ = 0;  // see Burst::departed()
    Tick first_tick_ = 0;
    std::array<std::uint8_t*, detail::kColumns> starts_{};
    detail::ModelTables tables_{};
    std::array<Seen, kSeen> seen_{};
};

/// A run of events appended with the encoder's state in registers. While one exists, nobody else calls the encoder.
class EventEncoder::Burst {
public:
    explicit Burst(EventEncoder& home) noexcept : home_(home), now_(home.now_) {}
    ~Burst() { home_.now_ = now_; }
    Burst(const Burst&) = delete;
    Burst& operator=(const Burst&) = delete;

    /// The address of the resize_from just before; 0 if another event was, or none.
    [[nodiscard]] std::uint64_t departed() const noexcept { return home_.departed_; }

    /// See EventEncoder::stamp().
    HEAPWRIGHT_ALWAYS_INLINE void stamp(Tick tick) noexcept {
        const Tick step = tick >= now_.last_tick ? tick - now_.last_tick : 0;
        detail::put_small_number(cursor(Column::ticks), step);
        now_.last_tick += step;
        now_.stamp_bit = detail::kOpStamped;
    }

    /// Appends an allocate event without alignment, or a resize_to whose old address is departed().
    ///
    /// Requires: the encoder is not full.
    /// Cost:     some nanoseconds: two or three probes of small tables.
    HEAPWRIGHT_ALWAYS_INLINE void add_allocation(unsigned call, std::uint64_t address, std::uint64_t size, StackId stack) noexcept {
        // After a resize_from its block is the one released last.
        const unsigned usual = put_request(stack, size);
        const unsigned mode = put_allocated(address, size, now_.model.released_last());
        home_.departed_ = 0;
        end_event(call | usual | mode);
    }

    /// Appends a release or a resize_from. `claimed`: the size that a sized release gave, 0 if none.
    ///
    /// Requires: the encoder is not full; `op` is a call that releases, or kOpResizeFrom.
    HEAPWRIGHT_ALWAYS_INLINE void add_release(unsigned op, std::uint64_t address, std::uint64_t claimed) noexcept {
        std::uint64_t known_size = 0;
        home_.departed_ = op == detail::kOpResizeFrom ? address : 0;
        op |= put_released(address, known_size);
        if (HEAPWRIGHT_LIKELY(claimed == 0)) {
            end_event(op);
        } else if (claimed == known_size) {
            end_event(op | detail::kOpUsual);
        } else {
            put_claim(op, claimed);
        }
    }

private:
    friend class EventEncoder;
    using AddressMode = detail::AddressMode;
    using Column = detail::Column;

    [[nodiscard]] static std::size_t slot_of(std::uint64_t address) noexcept {
        return static_cast<std::uint32_t>(address >> 4) * 0x9E3779B1U >> (32 - kSeenLog2);
    }
    static constexpr unsigned mode_bits(AddressMode mode) noexcept { return static_cast<unsigned>(mode) << detail::kOpModeShift; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint8_t*& cursor(Column column) noexcept {
        return now_.cursors[static_cast<std::size_t>(column)];
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t place() const noexcept {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(now_.cursors[0]));
    }

    HEAPWRIGHT_ALWAYS_INLINE void put(Column column, std::uint64_t number) noexcept { detail::put_number(cursor(column), number); }

    HEAPWRIGHT_ALWAYS_INLINE void put_delta(std::uint64_t address, std::uint64_t base) noexcept {
        const auto delta = static_cast<std::int64_t>(address - base);
        // Blocks are nearly always 16 bytes aligned; the low bit says whether the four zeros were dropped.
        if (HEAPWRIGHT_LIKELY((delta & 15) == 0)) {
            put(Column::addresses, zigzag(delta >> 4) << 1);
        } else {
            cursor(Column::addresses) = put_odd_delta(cursor(Column::addresses), address, delta);
        }
    }

    /// Returns: the bit that says whether stack and size were both expected.
    HEAPWRIGHT_ALWAYS_INLINE unsigned put_request(StackId stack, std::uint64_t size) noexcept {
        const bool stack_known = stack == now_.model.expected_stack();
        const bool size_known = size == now_.model.expected_size(stack);
        now_.model.note_request(stack, size);
        if (stack_known && size_known) {
            return detail::kOpUsual;
        }
        const unsigned size_follows = size_known ? 0 : 1;
        if (stack_known) {
            *cursor(Column::stacks)++ = static_cast<std::uint8_t>(size_follows);
        } else {
            put(Column::stacks, (static_cast<std::uint64_t>(stack) + 1) << 1 | size_follows);
        }
        if (!size_known) {
            put(Column::sizes, size);
        }
        return 0;
    }

    /// Returns: the bits of the mode.
    HEAPWRIGHT_ALWAYS_INLINE unsigned put_allocated(std::uint64_t address, std::uint64_t size, std::uint64_t expected) noexcept {
        Seen& seen = home_.seen_[slot_of(address)];
        AddressMode mode = AddressMode::delta;
        if (address == expected) {
            mode = AddressMode::expected;
        } else if (address == now_.model.behind_last()) {
            mode = AddressMode::next;
        } else if (is_near(seen, address)) {
            mode = AddressMode::distance;
            detail::put_short_number(cursor(Column::distances), distance_of(seen));
        } else {
            put_delta(address, now_.model.allocated_last());
        }
        now_.model.note_allocated(address, size);
        seen = {address, place(), size <= UINT32_MAX ? static_cast<std::uint32_t>(size) : 0};
        return mode_bits(mode);
    }

    HEAPWRIGHT_ALWAYS_INLINE unsigned put_released(std::uint64_t address, std::uint64_t& known_size) noexcept {
        Seen& seen = home_.seen_[slot_of(address)];
        AddressMode mode = AddressMode::delta;
        if (address == now_.model.allocated_last()) {
            mode = AddressMode::expected;
            known_size = now_.model.last_size();
        } else if (is_near(seen, address)) {
            const std::uint32_t distance = distance_of(seen);
            known_size = seen.size;
            mode = AddressMode::next;
            if (distance != now_.model.last_distance()) {
                mode = AddressMode::distance;
                detail::put_short_number(cursor(Column::distances), distance);
                now_.model.note_distance(distance);
            }
        } else {
            put_delta(address, now_.model.released_last());
        }
        now_.model.note_released(address);
        seen = {address, place(), 0};
        return mode_bits(mode);
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t distance_of(const Seen& seen) const noexcept { return place() - seen.place; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_near(const Seen& seen, std::uint64_t address) const noexcept {
        return seen.address == address && distance_of(seen) < detail::kWindow;
    }

    HEAPWRIGHT_ALWAYS_INLINE void end_event(unsigned op) noexcept {
        *now_.cursors[0]++ = static_cast<std::uint8_t>(op | now_.stamp_bit);
        now_.stamp_bit = 0;
    }
    HEAPWRIGHT_ALWAYS_INLINE void put_claim(unsigned op, std::uint64_t claimed) noexcept {
        *cursor(Column::rare)++ = static_cast<std::uint8_t>((op & detail::kOpMask) | detail::kRareClaimed);
        put(Column::rare, claimed);
        end_event(op | detail::kOpRare);
    }
    void put_rare(unsigned& op, unsigned flags, const Event& event) noexcept;

    EventEncoder& home_;
    State now_;
};

}  // namespace heapwright::trace
