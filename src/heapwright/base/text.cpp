// Numbers and sizes as text, without allocation and without libc.
#include <heapwright/base/text.hpp>

namespace heapwright {
namespace {

using namespace std::string_view_literals;  // lengths known to the compiler: a freestanding floor has no strlen

struct Unit {
    unsigned shift;
    std::string_view name;
};

constexpr Unit kUnits[] = {{.shift = 60, .name = " EiB"}, {.shift = 50, .name = " PiB"}, {.shift = 40, .name = " TiB"},
                           {.shift = 30, .name = " GiB"}, {.shift = 20, .name = " MiB"}, {.shift = 10, .name = " KiB"}};

/// The value of a hexadecimal digit, or 16.
constexpr unsigned digit_value(char letter) noexcept {
    if (letter >= '0' && letter <= '9') {
        return static_cast<unsigned>(letter - '0');
    }
    if (letter >= 'a' && letter <= 'f') {
        return static_cast<unsigned>(letter - 'a') + 10U;
    }
    if (letter >= 'A' && letter <= 'F') {
        return static_cast<unsigned>(letter - 'A') + 10U;
    }
    return 16;
}

bool take_digits(std::string_view& text, std::uint64_t& number, unsigned base) noexcept {
    std::uint64_t value = 0;
    std::size_t length = 0;
    for (; length < text.size() && digit_value(text[length]) < base; ++length) {
        const unsigned digit = digit_value(text[length]);
        if (__builtin_mul_overflow(value, std::uint64_t{base}, &value) || __builtin_add_overflow(value, std::uint64_t{digit}, &value)) {
            return false;
        }
    }
    if (length == 0) {
        return false;
    }
    text.remove_prefix(length);
    number = value;
    return true;
}

}  // namespace

TextBuffer::TextBuffer(char* begin, std::size_t bytes) noexcept
    : begin_(bytes == 0 ? nullptr : begin), capacity_(bytes == 0 ? 0 : bytes - 1) {
    clear();
}

void TextBuffer::clear() noexcept {
    used_ = 0;
    truncated_ = false;
    if (begin_ != nullptr) {
        *begin_ = '\0';
    }
}

TextBuffer& TextBuffer::append(std::string_view text) noexcept {
    const std::size_t room = capacity_ - used_;
    const std::size_t length = text.size() < room ? text.size() : room;
    truncated_ = truncated_ || length < text.size();
    if (begin_ != nullptr) {
        __builtin_memcpy(begin_ + used_, text.data(), length);
        used_ += length;
        begin_[used_] = '\0';
    }
    return *this;
}

TextBuffer& TextBuffer::append(const char* letters) noexcept {
    for (; letters != nullptr && *letters != '\0'; ++letters) {
        append_char(*letters);
    }
    return *this;
}

TextBuffer& TextBuffer::append_decimal(std::uint64_t number) noexcept {
    char digits[20];
    std::size_t first = sizeof digits;
    do {
        digits[--first] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return append({digits + first, sizeof digits - first});
}

TextBuffer& TextBuffer::append_decimal(std::int64_t number) noexcept {
    if (number < 0) {
        append("-");
        return append_decimal(0 - static_cast<std::uint64_t>(number));
    }
    return append_decimal(static_cast<std::uint64_t>(number));
}

TextBuffer& TextBuffer::append_hex(std::uint64_t number) noexcept {
    char digits[18];
    std::size_t first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[number & 0xF];
        number >>= 4;
    } while (number != 0);
    digits[--first] = 'x';
    digits[--first] = '0';
    return append({digits + first, sizeof digits - first});
}

TextBuffer& TextBuffer::append_pointer(const void* address) noexcept { return append_hex(reinterpret_cast<std::uintptr_t>(address)); }

TextBuffer& TextBuffer::append_bytes_human(std::uint64_t bytes) noexcept {
    for (const Unit& unit : kUnits) {
        if (bytes >> unit.shift == 0) {
            continue;
        }
        // Tenths, rounded to nearest. The remainder is below 2^60, so ten times it still fits.
        const std::uint64_t one = std::uint64_t{1} << unit.shift;
        std::uint64_t whole = bytes >> unit.shift;
        std::uint64_t tenths = ((bytes & (one - 1)) * 10 + one / 2) >> unit.shift;
        if (tenths == 10) {
            ++whole;
            tenths = 0;
        }
        append_decimal(whole);
        if (tenths != 0) {
            append(".").append_decimal(tenths);
        }
        return append(unit.name);
    }
    append_decimal(bytes);
    return append(bytes == 1 ? " byte"sv : " bytes"sv);
}

TextBuffer& TextBuffer::append_bytes_exact(std::uint64_t bytes) noexcept {
    append_decimal(bytes).append(bytes == 1 ? " byte"sv : " bytes"sv);
    if (bytes >= 1024) {
        append(" (").append_bytes_human(bytes).append(")");
    }
    return *this;
}

const char* TextBuffer::broken_invariant() const noexcept {
    if (used_ > capacity_) {
        return "T1: the text is longer than its buffer";
    }
    if (begin_ != nullptr && begin_[used_] != '\0') {
        return "T2: the text does not end with a zero byte";
    }
    return nullptr;
}

bool take_decimal(std::string_view& text, std::uint64_t& number) noexcept { return take_digits(text, number, 10); }

bool take_hex(std::string_view& text, std::uint64_t& number) noexcept { return take_digits(text, number, 16); }

}  // namespace heapwright
