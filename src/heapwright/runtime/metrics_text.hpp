// What the monitor knows, as OpenMetrics and as JSON.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/statistics.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright {

/// One look at the program.
struct Measurement {
    std::uint64_t wall_ms = 0;  ///< since 1970
    std::uint64_t resident_bytes = 0;
    std::uint64_t peak_resident_bytes = 0;
    HeapStatistics heap;

    /// Bytes in the heap's memory that hold no block: free ones, and the rest of spans in use.
    [[nodiscard]] std::uint64_t vacant_bytes() const noexcept {
        return heap.active_bytes + heap.dirty_bytes > heap.allocated_bytes ? heap.active_bytes + heap.dirty_bytes - heap.allocated_bytes
                                                                           : 0;
    }
    /// vacant_bytes() of the heap's memory; 0 of an empty one.
    [[nodiscard]] Share fragmentation() const noexcept;
};

/// What the monitor has seen and done since its start.
struct MonitorFigures {
    Measurement latest;
    std::uint64_t measurements = 0;
    std::uint64_t exceeded = 0;          ///< measurements with more fragmentation than the threshold
    std::uint64_t defragmentations = 0;  ///< times that something was done about it
    std::uint64_t given_back_bytes = 0;  ///< by that
    std::uint64_t requests = 0;          ///< answered, on the port and the socket
    std::uint64_t failed_exports = 0;    ///< files that could not be written
};

/// Room for either text below without what a program adds.
inline constexpr std::size_t kMetricsTextBytes = std::size_t{12} << 10;

/// Everything but the closing "# EOF", so that more can be added.
void append_openmetrics(TextBuffer& text, const MonitorFigures& figures) noexcept;

/// One JSON object: process, heap, monitor; `append_members` writes what is to follow, beginning with a comma.
void append_json(TextBuffer& text, const MonitorFigures& figures, void (*append_members)(TextBuffer& text) noexcept = nullptr) noexcept;

}  // namespace heapwright
