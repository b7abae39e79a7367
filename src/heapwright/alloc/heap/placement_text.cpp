#include <heapwright/alloc/heap/placement_text.hpp>

#include <array>
#include <string_view>

namespace heapwright::placement {

namespace {

using namespace std::string_view_literals;

constexpr std::array<std::string_view, 4> kKinds{"default", "pool", "bump", "heap"};
constexpr std::size_t kNameLetters = 40;

template <class Statistics>
struct Figure {
    std::string_view name;
    std::uint64_t Statistics::* value;
    bool counts_up;
    bool is_of_blocks;  // may be unknown
    std::string_view meaning;
};

using PlaceFigure = Figure<PlaceStatistics>;
using SiteFigure = Figure<SiteStatistics>;

// NOLINTBEGIN(modernize-use-designated-initializers): tables, whose columns stand above
constexpr PlaceFigure kPlaceFigures[] = {
    {"sites", &PlaceStatistics::sites, false, false, "Entries of the plan that lead here."},
    {"sites_found", &PlaceStatistics::sites_found, false, false, "Entries whose code is loaded."},
    {"blocks", &PlaceStatistics::blocks, true, false, "Blocks given so far."},
    {"bytes", &PlaceStatistics::bytes, true, false, "Bytes asked for so far."},
    {"live_blocks", &PlaceStatistics::live_blocks, false, false, "Blocks that the program holds."},
    {"live_bytes", &PlaceStatistics::live_bytes, false, false, "Bytes in blocks that the program holds."},
    {"chunk_bytes", &PlaceStatistics::chunk_bytes, false, false, "Bytes of the chunks and spans of the place."},
    {"chunks", &PlaceStatistics::chunks, false, false, "Chunks and spans of the place."},
    {"chunks_held_back", &PlaceStatistics::chunks_held_back, false, false, "Filled chunks that a live block keeps from being used again."},
    {"bets_won", &PlaceStatistics::bets_won, true, false, "Filled chunks whose blocks all died."},
    {"bets_lost", &PlaceStatistics::bets_lost, false, false, "Chunks held back while eight others were filled."},
};
constexpr SiteFigure kSiteFigures[] = {
    {"blocks", &SiteStatistics::blocks, true, false, "Blocks given so far."},
    {"bytes", &SiteStatistics::bytes, true, false, "Bytes asked for so far."},
    {"live_blocks", &SiteStatistics::live_blocks, false, true, "Blocks that the program holds."},
    {"live_bytes", &SiteStatistics::live_bytes, false, true, "Bytes in blocks that the program holds."},
    {"chunks_held_back", &SiteStatistics::chunks_held_back, false, true, "Filled chunks in which a block of it lives."},
    {"bets_won", &SiteStatistics::bets_won, false, true, "Blocks in bump places that were freed."},
    {"bets_lost", &SiteStatistics::bets_lost, false, true, "Blocks that live in chunks which eight others were filled after."},
};
// NOLINTEND(modernize-use-designated-initializers)

std::string_view name_of(SitePlace kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }

/// In quotes, as JSON and labels of metrics have it. Bytes that are no letters become question marks.
void append_quoted(TextBuffer& text, std::string_view name, std::size_t letters = kNameLetters) noexcept {
    text.append_char('"');
    for (const char letter : head_of(name, letters)) {
        if (letter == '"' || letter == '\\') {
            text.append_char('\\');
        }
        const auto code = static_cast<unsigned char>(letter);
        text.append_char(code < 0x20 || code >= 0x7F ? '?' : letter);
    }
    text.append_char('"');
}

/// To the right of a column.
void append_right(TextBuffer& text, std::string_view word, std::size_t width) noexcept {
    for (std::size_t i = word.size(); i < width; ++i) {
        text.append_char(' ');
    }
    text.append(word);
}
void append_left(TextBuffer& text, std::string_view word, std::size_t width) noexcept {
    text.append(word);
    for (std::size_t i = word.size(); i < width; ++i) {
        text.append_char(' ');
    }
}

/// What follows in a table; a figure that is not known is "-".
template <class Statistics>
struct Column {
    std::string_view head;
    std::size_t width;
    std::uint64_t Statistics::* value;
};
constexpr Column<PlaceStatistics> kPlaceColumns[] = {
    {.head = "blocks", .width = 13, .value = &PlaceStatistics::blocks},
    {.head = "live blocks", .width = 13, .value = &PlaceStatistics::live_blocks},
    {.head = "live bytes", .width = 14, .value = &PlaceStatistics::live_bytes},
    {.head = "chunk bytes", .width = 14, .value = &PlaceStatistics::chunk_bytes},
    {.head = "held", .width = 8, .value = &PlaceStatistics::chunks_held_back},
    {.head = "won", .width = 8, .value = &PlaceStatistics::bets_won},
    {.head = "lost", .width = 8, .value = &PlaceStatistics::bets_lost},
};
constexpr std::size_t kSitesColumn = 9;
constexpr Column<SiteStatistics> kSiteColumns[] = {
    {.head = "blocks", .width = 13, .value = &SiteStatistics::blocks},
    {.head = "bytes", .width = 15, .value = &SiteStatistics::bytes},
    {.head = "live blocks", .width = 13, .value = &SiteStatistics::live_blocks},
    {.head = "live bytes", .width = 14, .value = &SiteStatistics::live_bytes},
    {.head = "held", .width = 8, .value = &SiteStatistics::chunks_held_back},
    {.head = "won", .width = 13, .value = &SiteStatistics::bets_won},
    {.head = "lost", .width = 8, .value = &SiteStatistics::bets_lost},
};
constexpr std::size_t kFirstOfBlocks = 2;  // columns from here on may be unknown
constexpr std::size_t kCodeLetters = 56;
constexpr std::size_t kPlaceLetters = 20;

void append_heads(TextBuffer& text, auto columns) noexcept {
    for (const auto& column : columns) {
        append_right(text, column.head, column.width);
    }
    text.append_char('\n');
}

using CodeText = Text<2 * (kCodeLetters + 20)>;

void append_code(CodeText& code, std::string_view file, std::uint64_t offset) noexcept {
    code.append(head_of(file, kCodeLetters / 2 - 10)).append_char('+').append_hex(offset);
}

/// "libstdc++.so.6+0x14b7<server+0x2233"
std::string_view code_of(const SiteStatistics& site, CodeText& room) noexcept {
    room.clear();
    append_code(room, site.file, site.offset);
    if (site.caller_offset != 0) {
        room.append_char('<');
        append_code(room, site.caller_file, site.caller_offset);
    }
    return head_of(room.view(), kCodeLetters);
}

template <class Statistics>
void append_meaning(TextBuffer& text, std::string_view whose, const Figure<Statistics>& figure) noexcept {
    const auto append_name = [&] { text.append("heapwright_"sv).append(whose).append_char('_').append(figure.name); };
    text.append("# TYPE "sv);
    append_name();
    text.append(figure.counts_up ? " counter\n"sv : " gauge\n"sv);
    if (figure.name.ends_with("bytes"sv)) {
        text.append("# UNIT "sv);
        append_name();
        text.append(" bytes\n"sv);
    }
    text.append("# HELP "sv);
    append_name();
    text.append_char(' ').append(figure.meaning).append_char('\n');
}

/// The name of a sample and its first label, without the label's value.
template <class Statistics>
void append_sample(TextBuffer& text, std::string_view whose, const Figure<Statistics>& figure) noexcept {
    text.append("heapwright_"sv).append(whose).append_char('_').append(figure.name).append(figure.counts_up ? "_total{"sv : "{"sv);
    text.append(whose).append_char('=');
}

std::span<const PlaceStatistics> look(std::span<PlaceStatistics> room) noexcept {
    std::uint32_t count = 0;
    while (count < room.size() && statistics_of(count, room[count])) {
        ++count;
    }
    return room.first(count);
}

std::span<const SiteStatistics> look(std::span<SiteStatistics> room) noexcept {
    look_at_sites();
    std::uint32_t count = 0;
    while (count < room.size() && statistics_of_site(count, room[count])) {
        ++count;
    }
    return room.first(count);
}

}  // namespace

void append_places_head(TextBuffer& text) noexcept {
    append_left(text, "place"sv, kNameLetters + 1);
    append_left(text, "kind"sv, kKinds[0].size());
    append_right(text, "sites"sv, kSitesColumn);
    append_heads(text, std::span(kPlaceColumns));
}

void append_place_line(TextBuffer& text, const PlaceStatistics& place) noexcept {
    append_left(text, head_of(place.name, kNameLetters), kNameLetters + 1);
    append_left(text, name_of(place.kind), kKinds[0].size());
    Text<48> number;
    append_right(text, number.append_decimal(place.sites_found).append_char('/').append_decimal(place.sites).view(), kSitesColumn);
    for (const auto& column : kPlaceColumns) {
        number.clear();
        append_right(text, number.append_decimal(place.*column.value).view(), column.width);
    }
    text.append_char('\n');
}

void append_places_json(TextBuffer& text, std::span<const PlaceStatistics> places) noexcept {
    text.append_char('[');
    for (const PlaceStatistics& place : places) {
        text.append(&place == places.data() ? ""sv : ",\n"sv).append(R"({"name":)"sv);
        append_quoted(text, place.name);
        text.append(R"(,"kind":")"sv).append(name_of(place.kind)).append_char('"');
        for (const PlaceFigure& figure : kPlaceFigures) {
            text.append(R"(,")"sv).append(figure.name).append(R"(":)"sv).append_decimal(place.*figure.value);
        }
        text.append_char('}');
    }
    text.append_char(']');
}

void append_places_openmetrics(TextBuffer& text, std::span<const PlaceStatistics> places) noexcept {
    if (places.empty()) {
        return;
    }
    for (const PlaceFigure& figure : kPlaceFigures) {
        append_meaning(text, "place"sv, figure);
        for (const PlaceStatistics& place : places) {
            append_sample(text, "place"sv, figure);
            append_quoted(text, place.name);
            text.append(R"(,kind=")"sv)
                .append(name_of(place.kind))
                .append(R"("} )"sv)
                .append_decimal(place.*figure.value)
                .append_char('\n');
        }
    }
}

void append_sites_head(TextBuffer& text) noexcept {
    append_left(text, "site"sv, kCodeLetters + 1);
    append_left(text, "place"sv, kPlaceLetters + 1);
    append_left(text, "kind"sv, kKinds[0].size());
    append_heads(text, std::span(kSiteColumns));
}

void append_site_line(TextBuffer& text, const SiteStatistics& site) noexcept {
    CodeText room;
    append_left(text, code_of(site, room), kCodeLetters + 1);
    append_left(text, head_of(site.place, kPlaceLetters), kPlaceLetters + 1);
    append_left(text, name_of(site.kind), kKinds[0].size());
    for (const auto& column : kSiteColumns) {
        Text<32> number;
        const bool is_known = &column < kSiteColumns + kFirstOfBlocks || site.knows_blocks;
        append_right(text, is_known ? number.append_decimal(site.*column.value).view() : "-"sv, column.width);
    }
    text.append(site.is_found ? "\n"sv : "  not loaded\n"sv);
}

void append_sites_json(TextBuffer& text, std::span<const SiteStatistics> sites) noexcept {
    CodeText room;
    text.append_char('[');
    for (const SiteStatistics& site : sites) {
        text.append(&site == sites.data() ? ""sv : ",\n"sv).append(R"({"site":)"sv);
        append_quoted(text, code_of(site, room), kCodeLetters);
        text.append(R"(,"place":)"sv);
        append_quoted(text, site.place);
        text.append(R"(,"kind":")"sv).append(name_of(site.kind)).append(R"(","is_found":)"sv).append(site.is_found ? "true"sv : "false"sv);
        for (const SiteFigure& figure : kSiteFigures) {
            if (!figure.is_of_blocks || site.knows_blocks) {
                text.append(R"(,")"sv).append(figure.name).append(R"(":)"sv).append_decimal(site.*figure.value);
            }
        }
        text.append_char('}');
    }
    text.append_char(']');
}

void append_sites_openmetrics(TextBuffer& text, std::span<const SiteStatistics> sites) noexcept {
    if (sites.empty()) {
        return;
    }
    CodeText room;
    for (const SiteFigure& figure : kSiteFigures) {
        append_meaning(text, "site"sv, figure);
        for (const SiteStatistics& site : sites) {
            if (figure.is_of_blocks && !site.knows_blocks) {
                continue;
            }
            append_sample(text, "site"sv, figure);
            append_quoted(text, code_of(site, room), kCodeLetters);
            text.append(R"(,place=)"sv);
            append_quoted(text, site.place);
            text.append(R"(,kind=")"sv).append(name_of(site.kind)).append(R"("} )"sv).append_decimal(site.*figure.value).append_char('\n');
        }
    }
}

void append_places_json(TextBuffer& text) noexcept {
    std::array<PlaceStatistics, kShownPlaces> room;
    append_places_json(text, look(room));
}

void append_places_openmetrics(TextBuffer& text) noexcept {
    std::array<PlaceStatistics, kShownPlaces> room;
    append_places_openmetrics(text, look(room));
}

void append_sites_json(TextBuffer& text) noexcept {
    std::array<SiteStatistics, kShownSites> room;
    append_sites_json(text, look(room));
}

void append_sites_openmetrics(TextBuffer& text) noexcept {
    std::array<SiteStatistics, kShownSites> room;
    append_sites_openmetrics(text, look(room));
}

}  // namespace heapwright::placement
