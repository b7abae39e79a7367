#include <heapwright/config/quantity.hpp>

#include <cstddef>
#include <span>

namespace heapwright::config {

namespace {

using namespace std::string_view_literals;

/// The letters are in it: a pointer to them would cost each process that has the library a relocation.
struct Unit {
    char letters[4];
    std::uint64_t factor;

    [[nodiscard]] constexpr std::string_view name() const noexcept { return letters; }
};

// From large to small: printing takes the first that divides. The first of each factor is the one that is printed.
constexpr Unit kSizeUnits[] = {
    {.letters = "TiB", .factor = std::uint64_t{1} << 40},
    {.letters = "T", .factor = std::uint64_t{1} << 40},
    {.letters = "GiB", .factor = std::uint64_t{1} << 30},
    {.letters = "G", .factor = std::uint64_t{1} << 30},
    {.letters = "MiB", .factor = std::uint64_t{1} << 20},
    {.letters = "M", .factor = std::uint64_t{1} << 20},
    {.letters = "KiB", .factor = std::uint64_t{1} << 10},
    {.letters = "K", .factor = std::uint64_t{1} << 10},
    {.letters = "B", .factor = 1},
    {.letters = "", .factor = 1},
};
constexpr Unit kTimeUnits[] = {
    {.letters = "h", .factor = 3'600'000'000'000},
    {.letters = "min", .factor = 60'000'000'000},
    {.letters = "s", .factor = 1'000'000'000},
    {.letters = "ms", .factor = 1'000'000},
    {.letters = "us", .factor = 1000},
    {.letters = "ns", .factor = 1},
};

bool read_quantity(std::string_view text, std::span<const Unit> units, std::uint64_t& quantity) noexcept {
    std::uint64_t number = 0;
    if (!take_decimal(text, number)) {
        return false;
    }
    for (const Unit& unit : units) {
        std::uint64_t product = 0;
        if (text == unit.name()) {
            if (__builtin_mul_overflow(number, unit.factor, &product)) {
                return false;
            }
            quantity = product;
            return true;
        }
    }
    return false;
}

void append_quantity(TextBuffer& text, std::uint64_t quantity, std::span<const Unit> units) noexcept {
    for (const Unit& unit : units) {
        if (quantity != 0 && quantity % unit.factor == 0) {
            text.append_decimal(quantity / unit.factor).append(unit.name());
            return;
        }
    }
    text.append_char('0');
}

bool nibble(char letter, std::uint8_t& value) noexcept {
    std::uint64_t number = 0;
    std::string_view one(&letter, 1);
    const bool read = take_hex(one, number);
    value = static_cast<std::uint8_t>(number);
    return read;
}

constexpr std::uint32_t kMillionthsOfPercent = Share::kWhole / 100;

}  // namespace

bool read_size(std::string_view text, std::uint64_t& bytes) noexcept { return read_quantity(text, kSizeUnits, bytes); }

bool read_duration(std::string_view text, std::uint64_t& ns) noexcept {
    if (text == "0"sv) {
        ns = 0;
        return true;
    }
    return read_quantity(text, kTimeUnits, ns);
}

bool read_share(std::string_view text, Share& share) noexcept {
    std::uint64_t percent = 0;
    if (!take_decimal(text, percent) || percent > 100) {
        return false;
    }
    std::uint64_t millionths = percent * kMillionthsOfPercent;
    if (text.starts_with('.')) {
        text = tail_of(text, 1);
        std::uint64_t weight = kMillionthsOfPercent / 10;
        const std::size_t before = text.size();
        while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
            if (weight == 0) {
                return false;
            }
            millionths += static_cast<std::uint64_t>(text[0] - '0') * weight;
            weight /= 10;
            text = tail_of(text, 1);
        }
        if (text.size() == before) {
            return false;
        }
    }
    if (text != "%"sv || millionths > Share::kWhole) {
        return false;
    }
    share.millionths = static_cast<std::uint32_t>(millionths);
    return true;
}

bool share_of(double number, Share& share) noexcept {
    if (!(number >= 0 && number <= 1)) {
        return false;
    }
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): at most a million, which is exact; lround would need libm before main
    share.millionths = static_cast<std::uint32_t>(number * Share::kWhole + 0.5);
    return true;
}

bool read_build_id(std::string_view text, BuildId& id) noexcept {
    BuildId read;
    if (text.empty() || text.size() % 2 != 0 || text.size() / 2 > BuildId::kBytesMax) {
        return false;
    }
    read.size = static_cast<std::uint8_t>(text.size() / 2);
    for (std::size_t i = 0; i < read.size; ++i) {
        std::uint8_t high = 0;
        std::uint8_t low = 0;
        if (!nibble(text[2 * i], high) || !nibble(text[2 * i + 1], low)) {
            return false;
        }
        read.bytes[i] = static_cast<std::uint8_t>(high << 4U | low);
    }
    id = read;
    return true;
}

bool read_caller(std::string_view text, CallerCode& caller) noexcept {
    CallerCode read;
    const std::size_t blank = text.find(' ');
    std::string_view code = head_of(text, blank);
    const std::size_t plus = code.find('+');
    if (plus == std::string_view::npos || !read_build_id(head_of(code, plus), read.module)) {
        return false;
    }
    code = tail_of(code, plus + 1);
    if (!code.starts_with("0x"sv)) {
        return false;
    }
    code = tail_of(code, 2);
    if (!take_hex(code, read.offset) || !code.empty() || read.offset > INT64_MAX) {
        return false;
    }
    if (blank != std::string_view::npos) {
        const std::string_view file = tail_of(text, blank + 1);
        if (file.empty() || file.find('/') != std::string_view::npos || file.find('\0') != std::string_view::npos ||
            !read.file.append(file)) {
            return false;
        }
    }
    caller = read;
    return true;
}

void append_size(TextBuffer& text, std::uint64_t bytes) noexcept { append_quantity(text, bytes, kSizeUnits); }
void append_duration(TextBuffer& text, std::uint64_t ns) noexcept { append_quantity(text, ns, kTimeUnits); }

void append_share(TextBuffer& text, Share share) noexcept {
    text.append_decimal(share.millionths / kMillionthsOfPercent);
    std::uint32_t rest = share.millionths % kMillionthsOfPercent;
    if (rest != 0) {
        text.append_char('.');
        for (std::uint32_t weight = kMillionthsOfPercent / 10; rest != 0; weight /= 10) {
            text.append_decimal(rest / weight);
            rest %= weight;
        }
    }
    text.append_char('%');
}

void append_build_id(TextBuffer& text, const BuildId& id) noexcept {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (std::size_t i = 0; i < id.size; ++i) {
        text.append_char(kDigits[id.bytes[i] >> 4U]).append_char(kDigits[id.bytes[i] & 15U]);
    }
}

void append_caller_code(TextBuffer& text, const CallerCode& caller) noexcept {
    append_build_id(text, caller.module);
    text.append_char('+').append_hex(caller.offset);
    if (!caller.file.empty()) {
        text.append_char(' ').append(caller.file.view());
    }
}

std::size_t edit_distance(std::string_view name, std::string_view wanted) noexcept {
    constexpr std::size_t kLettersMax = 40;
    if (name.size() > kLettersMax || wanted.size() > kLettersMax) {
        return kLettersMax;
    }
    std::size_t row[kLettersMax + 1] = {};
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

}  // namespace heapwright::config
