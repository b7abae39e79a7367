// Reading HEAPWRIGHT_CONF.
#include <heapwright/alloc/heap/settings.hpp>

#include <atomic>
#include <cstddef>
#include <iterator>
#include <limits>
#include <span>

#include <unistd.h>

#include <heapwright/os/file.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright {

namespace {

using namespace std::string_view_literals;

enum class Key : std::uint8_t { purge_delay, background, give_back, huge_pages, limit, statistics_at_exit, reserve };

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
    {.key = Key::reserve, .name = "reserve", .expected = "whole GiB up to 65536GiB, as in 64GiB, or 0"},
};
constexpr std::size_t kNameLettersMax = 24;

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

bool read_huge_pages(std::string_view text, HugePages& mode) noexcept {
    if (text == "default"sv) {
        mode = HugePages::by_default;
    } else if (text == "always"sv) {
        mode = HugePages::always;
    } else if (text == "never"sv) {
        mode = HugePages::never;
    } else {
        return false;
    }
    return true;
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
        case Key::huge_pages: return read_huge_pages(value, settings.huge_pages);
        case Key::limit: return read_quantity(value, kSizeUnits, settings.limit_bytes);
        case Key::statistics_at_exit: return read_flag(value, settings.statistics_at_exit);
        case Key::reserve: return read_reserve(value, settings.reserve_gib);
    }
    return false;
}

/// Letters to insert, remove or change to make `wanted` of `name`. Names longer than any known one are far from all.
std::size_t edit_distance(std::string_view name, std::string_view wanted) noexcept {
    if (name.size() > kNameLettersMax || wanted.size() > kNameLettersMax) {
        return kNameLettersMax;
    }
    std::size_t row[kNameLettersMax + 1];
    for (std::size_t j = 0; j <= wanted.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= name.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= wanted.size(); ++j) {
            const std::size_t above = row[j];
            const std::size_t changed = diagonal + (name[i - 1] == wanted[j - 1] ? 0U : 1U);
            const std::size_t moved = (above < row[j - 1] ? above : row[j - 1]) + 1;
            row[j] = changed < moved ? changed : moved;
            diagonal = above;
        }
    }
    return row[wanted.size()];
}

/// How far a key is from a known name; the beginning of a name is near to it.
std::size_t distance_to(const Known& known, std::string_view key) noexcept {
    constexpr std::size_t kBeginning = 3;
    const bool begins = key.size() >= kBeginning && known.name.starts_with(key);
    return begins ? 1 : edit_distance(known.name, key);
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
    begin_complaint(complaints).append("no setting is called '").append(key).append("'; ");
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

void read_pair(std::string_view pair, HeapSettings& settings, TextBuffer& complaints) noexcept {
    const std::size_t colon = pair.find(':');
    const std::string_view key = head_of(pair, colon);
    const std::string_view value = colon == std::string_view::npos ? ""sv : tail_of(pair, colon + 1);
    for (const Known& known : kKnown) {
        if (known.name != key) {
            continue;
        }
        if (!set(settings, known.key, value)) {
            begin_complaint(complaints).append(key).append(" cannot be '").append(value).append("'; write ").append(known.expected);
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

/// The value of our variable when `entry` is "HEAPWRIGHT_CONF=value".
bool is_ours(std::string_view entry, std::string_view& value) noexcept {
    const std::string_view name = take_until(entry, '=');
    value = entry;
    return name == kHeapSettingsVariable;
}

/// Cuts what is read piece by piece into entries that end in zero bytes. An entry longer than the room is passed over:
/// it is not ours, whose keys together are far shorter.
class EntryReader {
public:
    [[nodiscard]] std::span<std::byte> room() noexcept { return std::as_writable_bytes(std::span(bytes_)).subspan(held_); }
    void add(std::size_t bytes) noexcept { held_ += bytes; }
    /// Goes on to the next whole entry; with `ended`, what is left counts as one. Returns false when there is none, and
    /// makes room.
    [[nodiscard]] bool next(bool ended) noexcept {
        while (true) {
            const std::string_view left = tail_of({bytes_, held_}, used_);
            const std::size_t length = left.find('\0');
            if (left.empty() || (length == std::string_view::npos && !ended)) {
                make_room(left);
                return false;
            }
            entry_ = head_of(left, length);
            used_ += entry_.size() + (length == std::string_view::npos ? 0 : 1);
            if (!skips_) {
                return true;
            }
            skips_ = false;
        }
    }
    [[nodiscard]] std::string_view entry() const noexcept { return entry_; }

private:
    void make_room(std::string_view left) noexcept {
        skips_ = skips_ || left.size() == sizeof(bytes_);
        held_ = left.size() == sizeof(bytes_) ? 0 : left.size();
        __builtin_memmove(bytes_, left.data(), held_);
        used_ = 0;
    }

    char bytes_[2048];
    std::size_t held_ = 0;
    std::size_t used_ = 0;
    bool skips_ = false;  // in the middle of an entry that is too long
    std::string_view entry_;
};

/// Calls `act` with the value of our variable, if the environment that the kernel gave has it.
template <class Act>
void find_in_kernel_environment(Act act) noexcept {
    auto file = os::File::open_read("/proc/self/environ");
    if (!file) {
        return;  // no /proc here: the defaults serve
    }
    EntryReader reader;
    while (true) {
        const auto read = file->read_some(reader.room());
        const std::size_t got = read ? *read : 0;
        reader.add(got);
        std::string_view value;
        while (reader.next(got == 0)) {
            if (is_ours(reader.entry(), value)) {
                act(value);
                return;
            }
        }
        if (got == 0) {
            return;
        }
    }
}

}  // namespace

void read_heap_settings(std::string_view text, HeapSettings& settings, TextBuffer& complaints) noexcept {
    while (!text.empty()) {
        const std::string_view pair = take_until(text, ',');
        if (!pair.empty()) {
            read_pair(pair, settings, complaints);
        }
    }
}

HeapSettings heap_settings_of_process() noexcept {
    HeapSettings settings;
    if (os::runs_with_raised_rights()) {
        return settings;
    }
    Text<1024> complaints;
    const auto read = [&](std::string_view value) { read_heap_settings(value, settings, complaints); };
    if (environ != nullptr) {
        for (char** entry = environ; *entry != nullptr; ++entry) {
            std::string_view value;
            if (is_ours(*entry, value)) {
                read(value);
                break;
            }
        }
    } else {
        find_in_kernel_environment(read);
    }
    // Relaxed: it protects nothing but the line itself.
    if (!complaints.view().empty() && !complained.exchange(true, std::memory_order_relaxed)) {
        os::write_stderr_line(complaints.view());
    }
    return settings;
}

}  // namespace heapwright
