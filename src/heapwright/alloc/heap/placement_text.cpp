#include <heapwright/alloc/heap/placement_text.hpp>

#include <array>
#include <string_view>

namespace heapwright::placement {

namespace {

using namespace std::string_view_literals;

constexpr std::array<std::string_view, 4> kKinds{"default", "pool", "bump", "heap"};
constexpr std::size_t kNameLetters = 40;

struct Figure {
    std::string_view name;
    std::uint64_t PlaceStatistics::* value;
    bool counts_up;
    std::string_view meaning;
};

constexpr Figure kFigures[] = {
    {.name = "sites", .value = &PlaceStatistics::sites, .counts_up = false, .meaning = "Entries of the plan that lead here."},
    {.name = "sites_found", .value = &PlaceStatistics::sites_found, .counts_up = false, .meaning = "Entries whose code is loaded."},
    {.name = "blocks", .value = &PlaceStatistics::blocks, .counts_up = true, .meaning = "Blocks given so far."},
    {.name = "bytes", .value = &PlaceStatistics::bytes, .counts_up = true, .meaning = "Bytes asked for so far."},
    {.name = "live_blocks", .value = &PlaceStatistics::live_blocks, .counts_up = false, .meaning = "Blocks that the program holds."},
    {.name = "live_bytes", .value = &PlaceStatistics::live_bytes, .counts_up = false, .meaning = "Bytes in blocks that the program holds."},
    {.name = "chunk_bytes",
     .value = &PlaceStatistics::chunk_bytes,
     .counts_up = false,
     .meaning = "Bytes of the chunks and spans of the place."},
    {.name = "chunks", .value = &PlaceStatistics::chunks, .counts_up = false, .meaning = "Chunks and spans of the place."},
    {.name = "chunks_held_back",
     .value = &PlaceStatistics::chunks_held_back,
     .counts_up = false,
     .meaning = "Filled chunks that a live block keeps from being used again."},
    {.name = "bets_won", .value = &PlaceStatistics::bets_won, .counts_up = true, .meaning = "Filled chunks whose blocks all died."},
    {.name = "bets_lost",
     .value = &PlaceStatistics::bets_lost,
     .counts_up = false,
     .meaning = "Chunks held back while eight others were filled."},
};

std::string_view kind_of(const PlaceStatistics& place) noexcept { return kKinds[static_cast<std::size_t>(place.kind)]; }

/// In quotes, as JSON and labels of metrics have it. Bytes that are no letters become question marks.
void append_quoted(TextBuffer& text, std::string_view name) noexcept {
    text.append_char('"');
    for (const char letter : head_of(name, kNameLetters)) {
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

/// What follows the sites in the table.
struct Column {
    std::string_view head;
    std::size_t width;
    std::uint64_t PlaceStatistics::* value;
};
constexpr Column kColumns[] = {
    {.head = "blocks", .width = 13, .value = &PlaceStatistics::blocks},
    {.head = "live blocks", .width = 13, .value = &PlaceStatistics::live_blocks},
    {.head = "live bytes", .width = 14, .value = &PlaceStatistics::live_bytes},
    {.head = "chunk bytes", .width = 14, .value = &PlaceStatistics::chunk_bytes},
    {.head = "held", .width = 8, .value = &PlaceStatistics::chunks_held_back},
    {.head = "won", .width = 8, .value = &PlaceStatistics::bets_won},
    {.head = "lost", .width = 8, .value = &PlaceStatistics::bets_lost},
};
constexpr std::size_t kSitesColumn = 9;

std::span<const PlaceStatistics> look(std::span<PlaceStatistics> room) noexcept {
    std::uint32_t count = 0;
    while (count < room.size() && statistics_of(count, room[count])) {
        ++count;
    }
    return room.first(count);
}

}  // namespace

void append_places_head(TextBuffer& text) noexcept {
    append_left(text, "place"sv, kNameLetters + 1);
    append_left(text, "kind"sv, kKinds[0].size());
    append_right(text, "sites"sv, kSitesColumn);
    for (const Column& column : kColumns) {
        append_right(text, column.head, column.width);
    }
    text.append_char('\n');
}

void append_place_line(TextBuffer& text, const PlaceStatistics& place) noexcept {
    append_left(text, head_of(place.name, kNameLetters), kNameLetters + 1);
    append_left(text, kind_of(place), kKinds[0].size());
    Text<48> number;
    append_right(text, number.append_decimal(place.sites_found).append_char('/').append_decimal(place.sites).view(), kSitesColumn);
    for (const Column& column : kColumns) {
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
        text.append(R"(,"kind":")"sv).append(kind_of(place)).append_char('"');
        for (const Figure& figure : kFigures) {
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
    for (const Figure& figure : kFigures) {
        const auto append_name = [&] { text.append("heapwright_place_"sv).append(figure.name); };
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
        for (const PlaceStatistics& place : places) {
            append_name();
            text.append(figure.counts_up ? "_total{place="sv : "{place="sv);
            append_quoted(text, place.name);
            text.append(R"(,kind=")"sv).append(kind_of(place)).append(R"("} )"sv).append_decimal(place.*figure.value).append_char('\n');
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

}  // namespace heapwright::placement
