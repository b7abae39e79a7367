// Columns back into events; every number is validated before it is believed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/detail/columns.hpp>
#include <heapwright/trace/detail/event_model.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::trace {

/// Hands out the events of one chunk.
///
/// Survives any bytes: every length is validated before use, and what the columns do not hold ends the stream with
/// is_damaged(). Allocates nothing; about 140 KiB, so keep it off small stacks.
class EventDecoder {
public:
    EventDecoder() noexcept = default;
    EventDecoder(const EventDecoder&) = delete;
    EventDecoder& operator=(const EventDecoder&) = delete;

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
    using AddressMode = detail::AddressMode;
    using Column = detail::Column;

    struct Seen {
        std::uint64_t address;
        std::uint64_t size;  // 0: not an allocation
    };

    [[nodiscard]] bool fail() noexcept {
        damaged_ = true;
        return false;
    }
    [[nodiscard]] ByteReader& column(Column name) noexcept { return columns_[static_cast<std::size_t>(name)]; }
    [[nodiscard]] std::uint64_t take_delta(std::uint64_t base) noexcept;
    [[nodiscard]] const Seen& seen_before(std::uint64_t distance) noexcept;
    [[nodiscard]] std::uint8_t take_rare(Event& event) noexcept;
    void take_request(bool usual, Event& event) noexcept;
    void take_allocated(AddressMode mode, std::uint64_t expected, Event& event) noexcept;
    void take_released(AddressMode mode, bool usual, Event& event) noexcept;
    [[nodiscard]] bool columns_ok() const noexcept;
    [[nodiscard]] bool at_end() noexcept;

    std::array<ByteReader, detail::kColumns> columns_{};
    std::uint32_t position_ = 0;
    std::uint32_t count_ = 0;
    Tick tick_ = 0;
    ThreadIndex thread_ = ThreadIndex::process;
    bool damaged_ = false;
    std::uint64_t departed_ = 0;  // the address of the resize_from just before, 0 if another event was
    detail::ModelTables tables_{};
    detail::EventModel model_{tables_};
    std::array<Seen, detail::kWindow> seen_{};
};

}  // namespace heapwright::trace
