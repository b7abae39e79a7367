// What became of a placement plan, as text: a table for people, JSON, and metrics for a monitoring system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright::placement {

/// So many places and entries are in the metrics and in the JSON, the first of the plan; the tables have all.
inline constexpr std::uint32_t kShownPlaces = 16;
inline constexpr std::uint32_t kShownSites = 32;
/// Room that the metrics, or the JSON, of so many places, or entries, fit in.
inline constexpr std::size_t kPlacesTextBytes = std::size_t{24} << 10;
inline constexpr std::size_t kSitesTextBytes = std::size_t{56} << 10;

/// The head of the table, and a line of it for a place. Names longer than 40 letters are cut.
void append_places_head(TextBuffer& text) noexcept;
void append_place_line(TextBuffer& text, const PlaceStatistics& place) noexcept;
/// Room that either fits in.
inline constexpr std::size_t kPlaceLineBytes = 256;
inline constexpr std::size_t kSiteLineBytes = 256;

/// A JSON array, an object a place, its keys the names of PlaceStatistics.
void append_places_json(TextBuffer& text, std::span<const PlaceStatistics> places) noexcept;
/// Metrics in the OpenMetrics format, without "# EOF": heapwright_place_live_bytes{place="name",kind="bump"} and so on.
void append_places_openmetrics(TextBuffer& text, std::span<const PlaceStatistics> places) noexcept;

/// The same of entries of the plan. A line calls an entry by file and offset of the code that asks, "<", and those of the
/// outermost caller that it names; "-" stands where nothing is known.
void append_sites_head(TextBuffer& text) noexcept;
void append_site_line(TextBuffer& text, const SiteStatistics& site) noexcept;
void append_sites_json(TextBuffer& text, std::span<const SiteStatistics> sites) noexcept;
/// heapwright_site_blocks_total{site="server+0x1313",place="name",kind="bump"} and so on; what is not known has no sample.
void append_sites_openmetrics(TextBuffer& text, std::span<const SiteStatistics> sites) noexcept;

/// The same of the plan in force, and of its entries after a look at them; the metrics are nothing, and the JSON is an empty array, where none is.
void append_places_json(TextBuffer& text) noexcept;
void append_places_openmetrics(TextBuffer& text) noexcept;
void append_sites_json(TextBuffer& text) noexcept;
void append_sites_openmetrics(TextBuffer& text) noexcept;

}  // namespace heapwright::placement
