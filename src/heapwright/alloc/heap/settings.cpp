// Reading HEAPWRIGHT_CONF, and what memory.toml says of the heap.
#include <heapwright/alloc/heap/settings.hpp>

#include <atomic>
#include <cstddef>
#include <iterator>
#include <limits>

#include <heapwright/base/platform.hpp>
#include <heapwright/config/environment.hpp>
#include <heapwright/config/quantity.hpp>
#include <heapwright/config/reader.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright {

namespace {

using namespace std::string_view_literals;

enum class Key : std::uint8_t {
    purge_delay,
    background,
    give_back,
    huge_pages,
    limit,
    statistics_at_exit,
    statistics_format,
    compaction,
    mixed_spans,
    reserve
};

struct Known {
    Key key;
    std::string_view name;
    std::string_view expected;  // of its value
};

constexpr std::string_view kTime = "a time, as in 250ms, 1s or 0";
constexpr std::string_view kFlag = "yes or no";

constexpr Known kKnown[] = {
    {.key = Key::purge_delay, .name = "purge_delay", .expected = kTime},
    {.key = Key::background, .name = "background", .expected = kFlag},
    {.key = Key::give_back, .name = "give_back", .expected = kFlag},
    {.key = Key::huge_pages, .name = "huge_pages", .expected = "default, always or never"},
    {.key = Key::limit, .name = "limit", .expected = "a size, as in 512MiB, 4GiB or 0 for none"},
    {.key = Key::statistics_at_exit, .name = "statistics_at_exit", .expected = kFlag},
    {.key = Key::statistics_format, .name = "statistics_format", .expected = "text, json or openmetrics"},
    {.key = Key::compaction, .name = "compaction", .expected = "off or mesh"},
    {.key = Key::mixed_spans, .name = "mixed_spans", .expected = kFlag},
    {.key = Key::reserve, .name = "reserve", .expected = "whole GiB up to 65536GiB, as in 64GiB, or 0"},
};
constexpr std::size_t kSettingsLettersMax = 4096;

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit kTimeUnits[] = {
    {.name = "", .factor = 1}, {.name = "ms", .factor = 1}, {.name = "s", .factor = 1000}, {.name = "min", .factor = 60'000}};
constexpr Unit kSizeUnits[] = {
    {.name = "", .factor = 1},
    {.name = "B", .factor = 1},
    {.name = "K", .factor = std::uint64_t{1} << 10},
    {.name = "KiB", .factor = std::uint64_t{1} << 10},
    {.name = "M", .factor = std::uint64_t{1} << 20},
    {.name = "MiB", .factor = std::uint64_t{1} << 20},
    {.name = "G", .factor = std::uint64_t{1} << 30},
    {.name = "GiB", .factor = std::uint64_t{1} << 30},
    {.name = "T", .factor = std::uint64_t{1} << 40},
    {.name = "TiB", .factor = std::uint64_t{1} << 40},
};
constexpr std::string_view kHugePageWords[] = {"default", "always", "never"};
constexpr std::string_view kCompactionWords[] = {"off", "mesh"};
constexpr std::string_view kFormatWords[] = {"text", "json", "openmetrics"};
constexpr std::uint32_t kReserveGibMax = 65536;  // half of the addresses that a process has

template <std::size_t Count>
bool read_quantity(std::string_view text, const Unit (&units)[Count], std::uint64_t& quantity) noexcept {
    std::uint64_t number = 0;
    if (!take_decimal(text, number)) {
        return false;
    }
    for (const Unit& unit : units) {
        if (text == unit.name) {
            std::uint64_t product = 0;
            const bool fits = !__builtin_mul_overflow(number, unit.factor, &product);
            quantity = fits ? product : quantity;
            return fits;
        }
    }
    return false;
}

bool read_flag(std::string_view text, bool& flag) noexcept {
    const bool yes = text == "yes"sv || text == "true"sv || text == "on"sv || text == "1"sv;
    if (!yes && text != "no"sv && text != "false"sv && text != "off"sv && text != "0"sv) {
        return false;
    }
    flag = yes;
    return true;
}

bool read_delay(std::string_view text, std::uint32_t& delay_ms) noexcept {
    std::uint64_t number = 0;
    if (!read_quantity(text, kTimeUnits, number) || number > std::numeric_limits<std::uint32_t>::max()) {
        return false;
    }
    delay_ms = static_cast<std::uint32_t>(number);
    return true;
}

/// One of the words of a setting; they stand in the order of the enumeration's values, or as no and yes.
template <class Word, std::size_t Count>
bool read_word(std::string_view text, const std::string_view (&words)[Count], Word& word) noexcept {
    for (std::size_t i = 0; i < Count; ++i) {
        if (text == words[i]) {
            word = static_cast<Word>(i);
            return true;
        }
    }
    return false;
}

bool read_reserve(std::string_view text, std::uint32_t& gib) noexcept {
    constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
    std::uint64_t bytes = 0;
    if (!read_quantity(text, kSizeUnits, bytes) || bytes % kGib != 0 || bytes / kGib > kReserveGibMax) {
        return false;
    }
    gib = static_cast<std::uint32_t>(bytes / kGib);
    return true;
}

bool set(HeapSettings& settings, Key key, std::string_view value) noexcept {
    switch (key) {
        case Key::purge_delay: return read_delay(value, settings.purge_delay_ms);
        case Key::background: return read_flag(value, settings.background);
        case Key::give_back: return read_flag(value, settings.give_back);
        case Key::huge_pages: return read_word(value, kHugePageWords, settings.huge_pages);
        case Key::limit: return read_quantity(value, kSizeUnits, settings.limit_bytes);
        case Key::statistics_at_exit: return read_flag(value, settings.statistics_at_exit);
        case Key::statistics_format: return read_word(value, kFormatWords, settings.statistics_format);
        case Key::compaction: return read_word(value, kCompactionWords, settings.is_meshing);
        case Key::mixed_spans: return read_flag(value, settings.mixed_spans);
        case Key::reserve: return read_reserve(value, settings.reserve_gib);
    }
    return false;
}

/// What somebody wrote, in a line of ours: not all of what is long, and nothing that a terminal acts on.
void append_shown(std::string_view written, TextBuffer& text) noexcept {
    constexpr std::size_t kShownLetters = 64;
    for (const char letter : head_of(written, kShownLetters)) {
        text.append_char(letter >= ' ' && letter <= '~' ? letter : '?');
    }
    text.append(written.size() > kShownLetters ? "..."sv : ""sv);
}

/// How far a key is from a known name; the beginning of a name is near to it.
std::size_t distance_to(const Known& known, std::string_view key) noexcept {
    constexpr std::size_t kBeginning = 3;
    const bool begins = key.size() >= kBeginning && known.name.starts_with(key);
    return begins ? 1 : config::edit_distance(known.name, key);
}

TextBuffer& begin_complaint(TextBuffer& complaints) noexcept {
    if (!complaints.view().empty()) {
        complaints.append_char('\n');
    }
    return complaints.append("heapwright: ").append(kHeapSettingsVariable).append(": ");
}

void complain_of_key(std::string_view key, TextBuffer& complaints) noexcept {
    const Known* nearest = &kKnown[0];
    std::size_t least = distance_to(*nearest, key);
    for (const Known& known : kKnown) {
        if (const std::size_t distance = distance_to(known, key); distance < least) {
            least = distance;
            nearest = &known;
        }
    }
    append_shown(key, begin_complaint(complaints).append("no setting is called '"));
    complaints.append("'; ");
    constexpr std::size_t kSlip = 5;  // further away is no slip of the finger
    if (least < kSlip) {
        complaints.append("did you mean '").append(nearest->name).append("'?");
        return;
    }
    complaints.append("the nearest is '").append(nearest->name).append("', known are ");
    for (const Known& known : kKnown) {
        complaints.append(known.name).append(&known == &kKnown[std::size(kKnown) - 1] ? ""sv : ", "sv);
    }
}

std::string_view without_blanks_around(std::string_view text) noexcept {
    constexpr std::string_view kBlanks = " \t";
    text = tail_of(text, text.find_first_not_of(kBlanks));
    return head_of(text, text.find_last_not_of(kBlanks) + 1);
}

void read_pair(std::string_view pair, HeapSettings& settings, TextBuffer& complaints) noexcept {
    const std::size_t colon = pair.find(':');
    const std::string_view key = without_blanks_around(head_of(pair, colon));
    const std::string_view value = colon == std::string_view::npos ? ""sv : without_blanks_around(tail_of(pair, colon + 1));
    if (colon == std::string_view::npos && pair.find('=') != std::string_view::npos) {
        append_shown(pair, begin_complaint(complaints).append("'"));
        complaints.append("' is no pair of key and value; write it with a colon, as in limit:4GiB");
        return;
    }
    for (const Known& known : kKnown) {
        if (known.name != key) {
            continue;
        }
        if (!set(settings, known.key, value)) {
            append_shown(value, begin_complaint(complaints).append(key).append(" cannot be '"));
            complaints.append("'; write ").append(known.expected);
        }
        return;
    }
    complain_of_key(key, complaints);
}

// The heap and the preload library both ask for the settings; what is wrong with them is said once.
constinit std::atomic<bool> complained{false};

/// Takes the letters before `mark` off the front of `text`, and the mark.
std::string_view take_until(std::string_view& text, char mark) noexcept {
    const std::size_t end = text.find(mark);
    const std::string_view piece = head_of(text, end);
    text = end == std::string_view::npos ? std::string_view() : tail_of(text, end + 1);
    return piece;
}

}  // namespace

void read_heap_settings(std::string_view text, HeapSettings& settings, TextBuffer& complaints) noexcept {
    while (!text.empty()) {
        const std::string_view pair = without_blanks_around(take_until(text, ','));
        if (!pair.empty()) {
            read_pair(pair, settings, complaints);
        }
    }
}

void take_over(const HeapConfig& config, HeapSettings& settings) noexcept {
    constexpr std::uint64_t kNsOfMs = 1'000'000;
    constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
    settings.purge_delay_ms = static_cast<std::uint32_t>((config.purge_delay_ns + kNsOfMs - 1) / kNsOfMs);  // at most a day
    settings.background = config.background;
    settings.give_back = config.give_back;
    settings.huge_pages = static_cast<HugePages>(config.huge_pages);
    settings.limit_bytes = config.limit_bytes;
    settings.statistics_at_exit = config.statistics_at_exit;
    settings.statistics_format = static_cast<StatisticsFormat>(config.statistics_format);
    settings.is_meshing = config.compaction == HeapCompaction::mesh;
    settings.mixed_spans = config.mixed_spans;
    settings.reserve_gib = static_cast<std::uint32_t>(config.reserve_bytes / kGib);
}

namespace {

// Apart, so that a process without any of these never touches the stack that they need.

HEAPWRIGHT_NOINLINE void read_file(HeapSettings& settings) noexcept {
    MemoryConfig config;
    if (config::read_memory_config_of_process(config)) {
        take_over(config.heap, settings);
    }
}

HEAPWRIGHT_NOINLINE void read_variable(HeapSettings& settings) noexcept {
    Text<kSettingsLettersMax> text;
    if (!config::append_variable(kHeapSettingsVariable, text)) {
        return;
    }
    Text<2048> complaints;
    std::string_view whole_pairs = text.view();
    if (text.truncated()) {
        whole_pairs = head_of(whole_pairs, whole_pairs.rfind(','));
        begin_complaint(complaints)
            .append("it has more than ")
            .append_decimal(kSettingsLettersMax - 1)
            .append(" letters; the rest is not read");
    }
    read_heap_settings(whole_pairs, settings, complaints);
    const std::string_view all = complaints.view();
    // Relaxed: it protects nothing but the line itself.
    if (!all.empty() && !complained.exchange(true, std::memory_order_relaxed)) {
        os::write_stderr_line(complaints.truncated() ? head_of(all, all.rfind('\n')) : all);  // whole lines
    }
}

}  // namespace

HeapSettings detail::read_heap_settings_of_process() noexcept {
    HeapSettings settings;
    if (os::runs_with_raised_rights()) {
        return settings;
    }
    if (config::is_process_configured()) {
        read_file(settings);
    }
    if (Text<1> beginning; config::append_variable(kHeapSettingsVariable, beginning)) {
        read_variable(settings);
    }
    return settings;
}

}  // namespace heapwright
