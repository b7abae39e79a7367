// The payload of an events chunk: events in, columns out, and back. docs/format.md describes the bytes.
//
//   payload = 7 lengths (u32) | ops | ticks | addresses | distances | sizes | stacks | rare
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/varint.hpp>
#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/detail/event_model.hpp>

namespace heapwright::trace {

/// The columns of a payload, in their order in the file.
enum class Column : std::uint8_t { ops, ticks, addresses, distances, sizes, stacks, rare };
inline constexpr std::size_t kColumns = 7;
/// What one event may need in each column at the worst.
inline constexpr std::array<std::size_t, kColumns> kColumnBytesMax = {1, 10, 11, 5, 10, 5, 32};

/// Turns one thread's events into the payload of one chunk after the other.
///
///   EE1  every column has room for one more event of the largest kind, or is_full() holds
///
/// Thread safety: one thread at a time. Allocates nothing; the column room is the caller's.
class EventEncoder {
public:
    /// The most events of a chunk. A reader need not know it.
    static constexpr std::uint32_t kMaxEvents = 1U << 15;
    /// Room for the columns at their worst. Only what is written is touched.
    static constexpr std::size_t kRoomBytes = std::size_t{kMaxEvents} * 74;
    /// A payload is never longer.
    static constexpr std::size_t kPayloadBytesMax = kColumns * 4 + kRoomBytes;

    EventEncoder() noexcept = default;
    /// Requires: room holds kRoomBytes and outlives the encoder.
    void use_room(std::span<std::uint8_t> room) noexcept;

    /// Starts a chunk. Events that carry no stamp before the first one that does have the tick `first_tick`.
    void begin(Tick first_tick) noexcept;

    /// Appends an event.
    ///
    /// Requires: not is_full(); event.tick is used only where `stamped`, and is not before the last stamp.
    ///           The thread of the event is the chunk's.
    /// Cost:     some nanoseconds; a hash probe for an address, none for stack and size.
    HEAPWRIGHT_HOT void add(const Event& event, bool stamped) noexcept;

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
    static constexpr std::uint32_t kAddressSlots = 4096;

    [[nodiscard]] static std::size_t slot_of(std::uint64_t address) noexcept {
        return static_cast<std::size_t>(((address >> 4) * 0x9E3779B97F4A7C15U) >> 52) % kAddressSlots;
    }
    void put(Column column, std::uint64_t number) noexcept {
        std::uint8_t*& cursor = cursors_[static_cast<std::size_t>(column)];
        cursor = put_varint(cursor, number);
    }
    void put_byte(Column column, std::uint8_t value) noexcept { *cursors_[static_cast<std::size_t>(column)]++ = value; }
    void put_delta(std::uint64_t address, std::uint64_t base) noexcept;
    bool put_request(const Event& event) noexcept;
    detail::AddressMode put_allocated(std::uint64_t address, std::uint64_t size, std::uint64_t expected) noexcept;
    detail::AddressMode put_released(std::uint64_t address, std::uint32_t& number) noexcept;
    void put_op(std::uint8_t op, detail::AddressMode mode, bool usual, bool stamped, const Event& event, std::uint8_t rare) noexcept;
    void add_resize_to(const Event& event, bool stamped, std::uint8_t rare) noexcept;
    void enter_allocation(std::uint64_t address, std::uint64_t size, detail::AddressMode mode) noexcept;
    void enter_release(std::uint64_t address, std::uint32_t number) noexcept;

    std::array<std::uint8_t*, kColumns> starts_{};
    std::array<std::uint8_t*, kColumns> cursors_{};
    std::uint32_t events_ = 0;
    Tick first_tick_ = 0;
    Tick last_tick_ = 0;
    std::uint64_t departed_ = 0;  // the address of the resize_from just before, 0 if another event was
    std::uint32_t departed_number_ = detail::EventModel::kNone;
    std::array<std::uint32_t, kAddressSlots> allocated_at_{};  // hash of address -> number of its allocation
    std::array<std::uint32_t, kAddressSlots> released_at_{};   // hash of address -> number of its release
    detail::EventModel model_{};
};

/// Hands out the events of one chunk.
///
/// Survives any bytes: every length is validated before use, and what the columns do not hold ends the stream with
/// is_damaged(). Allocates nothing; about 100 KiB, so keep it off small stacks.
class EventDecoder {
public:
    EventDecoder() noexcept = default;

    /// Starts with a chunk.
    ///
    /// Requires: `payload` (decompressed) outlives the reading.
    /// Returns:  false when the lengths do not fit the payload or the header's item count.
    [[nodiscard]] bool begin(const ChunkHeader& header, std::span<const std::uint8_t> payload) noexcept;

    /// The next event, complete.
    ///
    /// Returns:  false at the end of the chunk and at the first damage.
    [[nodiscard]] HEAPWRIGHT_HOT bool next(Event& event) noexcept;

    /// Columns that ended too early, numbers that make no sense, or bytes left over after the last event.
    [[nodiscard]] bool is_damaged() const noexcept { return damaged_; }
    [[nodiscard]] std::uint32_t events_read() const noexcept { return position_; }

private:
    struct Place {
        std::uint64_t address;
        std::uint32_t number;
    };

    [[nodiscard]] bool fail() noexcept {
        damaged_ = true;
        return false;
    }
    [[nodiscard]] std::uint64_t take(Column column) noexcept { return columns_[static_cast<std::size_t>(column)].varint(); }
    [[nodiscard]] std::uint64_t take_delta(std::uint64_t base) noexcept;
    void take_rare(std::uint8_t& op, bool& old_given, Event& event) noexcept;
    void take_request(bool usual, Event& event) noexcept;
    [[nodiscard]] std::uint64_t take_allocated(detail::AddressMode mode, std::uint64_t size, std::uint64_t expected) noexcept;
    [[nodiscard]] std::uint64_t take_released(detail::AddressMode mode, std::uint32_t& number) noexcept;
    void take_resize_to(detail::AddressMode mode, bool old_given, Event& event) noexcept;
    [[nodiscard]] bool columns_ok() const noexcept;

    std::array<ByteReader, kColumns> columns_{};
    std::uint32_t position_ = 0;
    std::uint32_t count_ = 0;
    Tick tick_ = 0;
    ThreadIndex thread_ = ThreadIndex::process;
    bool damaged_ = false;
    std::uint8_t current_ = 0;  // the op byte of the event at hand
    std::uint64_t departed_ = 0;
    std::uint32_t departed_number_ = detail::EventModel::kNone;
    detail::EventModel model_{};
};

}  // namespace heapwright::trace
