// How the scanner reads a value: texts, numbers, flags.
#include <cstdint>

#include <heapwright/base/text.hpp>
#include <heapwright/config/detail/letters.hpp>
#include <heapwright/config/toml_scanner.hpp>

namespace heapwright::config {

using namespace std::string_view_literals;
using detail::between;
using detail::hex_value;
using detail::is_bare;
using detail::is_control;
using detail::is_digit;

bool TomlScanner::take_scalar() noexcept {
    const auto take_word = [this](std::string_view word) {
        const auto left = static_cast<std::size_t>(end_ - at_);
        if (head_of(between(at_, end_), word.size()) != word || (left > word.size() && is_bare(at_[word.size()]))) {
            return false;
        }
        at_ += word.size();
        return true;
    };
    if (peek() == '"') {
        return take_text();
    }
    if (peek() == '\'') {
        return take_literal_text();
    }
    if (is_digit(peek()) || peek() == '-' || peek() == '+') {
        return take_number();
    }
    scalar_ = {.kind = ScalarKind::flag, .text = {}};
    if (take_word("true"sv)) {
        scalar_.flag = true;
        return true;
    }
    return take_word("false"sv) || fails(at_, R"(expected a "text", a number, true, false or an [array])"sv);
}

bool TomlScanner::take_literal_text() noexcept {
    const char* const begin = ++at_;
    while (!is_over() && *at_ != '\'') {
        if (is_control(*at_)) {
            return fails(at_, "expected the closing ' on the same line"sv);
        }
        ++at_;
    }
    if (is_over()) {
        return fails(at_, "expected the closing ' on the same line"sv);
    }
    scalar_ = {.kind = ScalarKind::text, .text = between(begin, at_)};
    ++at_;
    const bool is_long = scalar_.text.empty() && peek() == '\'';
    return !is_long || fails(at_, "expected a text on one line"sv);
}

bool TomlScanner::append_code_point(std::uint64_t code, std::size_t& used) noexcept {
    constexpr std::size_t kBytesMax = 4;
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) || used + kBytesMax > kLettersMax) {
        return false;
    }
    const auto put = [&](std::uint64_t byte) { room_[used++] = static_cast<char>(byte); };
    const auto put_rest = [&](unsigned shift) { put(0x80U | (code >> shift & 0x3FU)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0U | code >> 6U);
        put_rest(0);
    } else if (code < 0x10000) {
        put(0xE0U | code >> 12U);
        put_rest(6);
        put_rest(0);
    } else {
        put(0xF0U | code >> 18U);
        put_rest(12);
        put_rest(6);
        put_rest(0);
    }
    return true;
}

/// What follows a backslash.
bool TomlScanner::take_escape(std::size_t& used) noexcept {
    constexpr std::string_view kLetters = "btnfr\"\\";
    constexpr std::string_view kMeanings = "\b\t\n\f\r\"\\";
    const char letter = peek();
    if (letter == 'u' || letter == 'U') {
        const unsigned digits = letter == 'u' ? 4 : 8;
        ++at_;
        std::uint64_t code = 0;
        for (unsigned i = 0; i < digits; ++i, ++at_) {
            if (is_over() || hex_value(*at_) == 16) {
                return fails(at_, R"(expected hexadecimal digits after \u or \U)"sv);
            }
            code = code * 16 + hex_value(*at_);
        }
        return append_code_point(code, used) || fails(at_, "expected a character of Unicode, and a shorter text"sv);
    }
    const std::size_t which = kLetters.find(letter);
    if (is_over() || which == std::string_view::npos || used == kLettersMax) {
        return fails(at_, R"(expected b, t, n, f, r, u, " or \ after a backslash)"sv);
    }
    room_[used++] = kMeanings[which];
    ++at_;
    return true;
}

bool TomlScanner::take_text() noexcept {
    ++at_;
    std::size_t used = 0;
    while (!is_over() && *at_ != '"') {
        if (is_control(*at_)) {
            return fails(at_, R"(expected the closing " on the same line)"sv);
        }
        if (*at_ == '\\') {
            ++at_;
            if (!take_escape(used)) {
                return false;
            }
            continue;
        }
        if (used == kLettersMax) {
            return fails(at_, "expected a shorter text"sv);
        }
        room_[used++] = *at_++;
    }
    if (is_over()) {
        return fails(at_, R"(expected the closing " on the same line)"sv);
    }
    ++at_;
    scalar_ = {.kind = ScalarKind::text, .text = {room_.data(), used}};
    const bool is_long = used == 0 && peek() == '"';
    return !is_long || fails(at_, "expected a text on one line"sv);
}

/// Digits with single underscores between them.
bool TomlScanner::take_digits(bool is_hex, std::uint64_t& number, unsigned& digits) noexcept {
    const std::uint64_t base = is_hex ? 16 : 10;
    digits = 0;
    while (!is_over()) {
        if (*at_ == '_' && digits > 0 && hex_value(peek(1)) < base) {
            ++at_;
        }
        const std::uint64_t digit = hex_value(*at_);
        if (digit >= base) {
            break;
        }
        if (__builtin_mul_overflow(number, base, &number) || __builtin_add_overflow(number, digit, &number)) {
            return fails(at_, "expected a number of at most 63 bits"sv);
        }
        ++digits;
        ++at_;
    }
    return digits > 0 || fails(at_, "expected a digit"sv);
}

bool TomlScanner::set_integer(bool is_negative, std::uint64_t number, const char* begin) noexcept {
    const std::uint64_t most = static_cast<std::uint64_t>(INT64_MAX) + (is_negative ? 1 : 0);
    if (number > most) {
        return fails(begin, "expected a number of at most 63 bits"sv);
    }
    scalar_ = {.kind = ScalarKind::integer, .text = {}};
    scalar_.integer = is_negative ? static_cast<std::int64_t>(0 - number) : static_cast<std::int64_t>(number);
    return true;
}

/// With at most 15 digits both numbers below are exact, so that their quotient is the double nearest to what is written.
bool TomlScanner::take_fraction(bool is_negative, std::uint64_t whole) noexcept {
    constexpr unsigned kDecimalsMax = 15;
    constexpr std::uint64_t kExact = 1'000'000'000'000'000;
    const char* const begin = ++at_;
    unsigned digits = 0;
    if (!take_digits(false, whole, digits)) {
        return false;
    }
    if (digits > kDecimalsMax || whole >= kExact) {
        return fails(begin, "expected at most 15 digits"sv);
    }
    double scale = 1;
    for (unsigned i = 0; i < digits; ++i) {
        scale *= 10;
    }
    scalar_ = {.kind = ScalarKind::fraction, .text = {}};
    scalar_.fraction = static_cast<double>(whole) / scale;
    scalar_.fraction = is_negative ? -scalar_.fraction : scalar_.fraction;
    return true;
}

bool TomlScanner::take_number() noexcept {
    const char* const begin = at_;
    const bool is_negative = peek() == '-';
    const bool has_sign = is_negative || peek() == '+';
    at_ += has_sign ? 1 : 0;
    const bool is_hex = !has_sign && peek() == '0' && peek(1) == 'x';
    at_ += is_hex ? 2 : 0;
    const char* const first = at_;
    std::uint64_t number = 0;
    unsigned digits = 0;
    if (!take_digits(is_hex, number, digits)) {
        return false;
    }
    if (!is_hex && digits > 1 && *first == '0') {
        return fails(first, "expected a number without leading zeros"sv);
    }
    if (peek() == '.' && !is_hex) {
        if (!take_fraction(is_negative, number)) {
            return false;
        }
    } else if (!set_integer(is_negative, number, begin)) {
        return false;
    }
    const bool goes_on = is_bare(peek()) || peek() == '.' || peek() == ':' || peek() == '+';
    return !goes_on || fails(begin, R"(expected a number; put values with a unit in quotes, as in "64KiB")"sv);
}

}  // namespace heapwright::config
