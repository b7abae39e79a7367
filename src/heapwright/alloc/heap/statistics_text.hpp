// A heap's figures as text: for a reader, for a program, for a monitoring system, and as glibc's malloc_info writes them.
#pragma once

#include <heapwright/alloc/heap/statistics.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright {

/// Room that each of the texts below fits in.
inline constexpr std::size_t kStatisticsTextBytes = 8192;

/// Bytes that the heap may have in memory: those in use, those that it would give back, and its own. The kernel may know
/// of fewer, where pages of active spans were never touched.
[[nodiscard]] std::uint64_t resident_bytes(const HeapStatistics& statistics) noexcept;

/// A line a figure, sizes rounded with their exact bytes beside them; a sentence where mappings are wanting.
void append_statistics_text(TextBuffer& text, const HeapStatistics& statistics) noexcept;

/// "12 MiB more recoverable with vm.max_map_count = 131072": what could not be meshed, and what would do for it.
void append_unmet(TextBuffer& text, std::uint64_t bytes, std::uint64_t map_count) noexcept;

/// One JSON object, its keys the names of HeapStatistics and resident_bytes.
void append_statistics_json(TextBuffer& text, const HeapStatistics& statistics) noexcept;

/// Metrics in the OpenMetrics format, "# EOF" included: gauges heapwright_allocated_bytes and so on, counters ending in
/// _total.
void append_statistics_openmetrics(TextBuffer& text, const HeapStatistics& statistics) noexcept;

/// What readers of glibc's malloc_info(0, stream) understand, one heap, and an element of ours with every figure.
void append_statistics_xml(TextBuffer& text, const HeapStatistics& statistics) noexcept;

}  // namespace heapwright
