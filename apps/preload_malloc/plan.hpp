// The placement plan that the program was started with.
#pragma once

#include <cstdint>

#include <heapwright/alloc/heap/placement_text.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright::preload {

/// Puts the plan of HEAPWRIGHT_CONFIG in force, if it names one. Mistakes of the file have been told when the heap read its
/// settings.
void begin_plan() noexcept;

/// Writes the tables of the plan's places and of its entries line by line into `text`, and calls `take` after each; not at all
/// without a plan. Requires: room for placement::kPlaceLineBytes and kSiteLineBytes.
template <class Take>
void for_each_place_line(TextBuffer& text, Take take) noexcept {
    placement::PlaceStatistics place;
    for (std::uint32_t number = 0; placement::is_in_force() && placement::statistics_of(number, place); ++number) {
        text.clear();
        if (number == 0) {
            text.append_char('\n');
            placement::append_places_head(text);
        }
        placement::append_place_line(text, place);
        take();
    }
    placement::look_at_sites();
    placement::SiteStatistics site;
    for (std::uint32_t number = 0; placement::statistics_of_site(number, site); ++number) {
        text.clear();
        if (number == 0) {
            text.append_char('\n');
            placement::append_sites_head(text);
        }
        placement::append_site_line(text, site);
        take();
    }
}

}  // namespace heapwright::preload
