// What became of a placement plan, as text: a table for people, JSON, and metrics for a monitoring system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright::placement {

/// So many places are in the metrics and in the JSON, the first of the plan; the table has all.
inline constexpr std::uint32_t kShownPlaces = 16;
/// Room that the metrics, or the JSON, of so many places fit in.
inline constexpr std::size_t kPlacesTextBytes = std::size_t{24} << 10;

/// The head of the table, and a line of it for a place. Names longer than 40 letters are cut.
void append_places_head(TextBuffer& text) noexcept;
void append_place_line(TextBuffer& text, const PlaceStatistics& place) noexcept;
/// Room that either fits in.
inline constexpr std::size_t kPlaceLineBytes = 256;

/// A JSON array, an object a place, its keys the names of PlaceStatistics.
void append_places_json(TextBuffer& text, std::span<const PlaceStatistics> places) noexcept;
/// Metrics in the OpenMetrics format, without "# EOF": heapwright_place_live_bytes{place="name",kind="bump"} and so on.
void append_places_openmetrics(TextBuffer& text, std::span<const PlaceStatistics> places) noexcept;

/// The same of the plan in force; the metrics are nothing, and the JSON is an empty array, where none is.
void append_places_json(TextBuffer& text) noexcept;
void append_places_openmetrics(TextBuffer& text) noexcept;

}  // namespace heapwright::placement
