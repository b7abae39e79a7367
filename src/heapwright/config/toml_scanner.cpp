#include <heapwright/config/toml_scanner.hpp>

#include <heapwright/base/text.hpp>
#include <heapwright/config/detail/letters.hpp>

namespace heapwright::config {

using namespace std::string_view_literals;
using detail::between;
using detail::is_bare;
using detail::is_control;

TomlScanner::TomlScanner(std::string_view text) noexcept
    : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), key_at_(begin_), value_at_(begin_) {
    if (text.starts_with("\xEF\xBB\xBF"sv)) {  // a byte order mark
        at_ += 3;
    }
}

TextPlace TomlScanner::place_of(std::size_t offset) const noexcept {
    TextPlace place;
    for (const char* letter = begin_; letter != begin_ + offset; ++letter) {
        if (*letter == '\n') {
            ++place.line;
            place.column = 1;
        } else if ((static_cast<unsigned char>(*letter) & 0xC0U) != 0x80) {  // the bytes that continue a letter do not count
            ++place.column;
        }
    }
    return place;
}

bool TomlScanner::fails(const char* at, std::string_view why) noexcept {
    value_at_ = at;
    why_ = why;
    state_ = State::failed;
    return false;
}

TomlPiece TomlScanner::refuse(const char* at, std::string_view why) noexcept {
    static_cast<void>(fails(at, why));
    return TomlPiece::refused;
}

void TomlScanner::skip_blanks() noexcept {
    while (peek() == ' ' || peek() == '\t') {
        ++at_;
    }
}

bool TomlScanner::take_newline() noexcept {
    if (peek() == '\n') {
        ++at_;
        return true;
    }
    if (peek() == '\r' && peek(1) == '\n') {
        at_ += 2;
        return true;
    }
    return false;
}

/// A comment up to its newline, if there is one here.
bool TomlScanner::take_comment() noexcept {
    if (peek() != '#' || is_over()) {
        return true;
    }
    while (!is_over() && peek() != '\n' && !(peek() == '\r' && peek(1) == '\n')) {
        if (is_control(*at_)) {
            return fails(at_, "a control character is not allowed in a comment"sv);
        }
        ++at_;
    }
    return true;
}

/// Nothing but a comment may follow on the line.
bool TomlScanner::end_line() noexcept {
    skip_blanks();
    if (!take_comment()) {
        return false;
    }
    return is_over() || take_newline() || fails(at_, "expected the end of the line"sv);
}

/// Over blanks, comments and newlines, as they may stand between the values of an array.
bool TomlScanner::skip_to_value() noexcept {
    do {
        skip_blanks();
        if (!take_comment()) {
            return false;
        }
    } while (take_newline());
    return !is_over() || fails(at_, "the array has no end; expected ']'"sv);
}

bool TomlScanner::take_key() noexcept {
    key_at_ = at_;
    while (!is_over() && is_bare(*at_)) {
        ++at_;
    }
    key_ = between(key_at_, at_);
    if (!key_.empty()) {
        return true;
    }
    const bool is_quoted = peek() == '"' || peek() == '\'';
    return fails(at_, is_quoted ? "expected a key without quotes"sv : "expected a key"sv);
}

TomlPiece TomlScanner::take_header() noexcept {
    const bool is_element = peek(1) == '[';
    at_ += is_element ? 2 : 1;
    skip_blanks();
    if (!take_key()) {
        return TomlPiece::refused;
    }
    skip_blanks();
    if (peek() == '.') {
        return refuse(at_, "expected the name of a section, without a dot"sv);
    }
    if (peek() != ']' || (is_element && peek(1) != ']')) {
        return refuse(at_, is_element ? "expected ']]'"sv : "expected ']'"sv);
    }
    at_ += is_element ? 2 : 1;
    if (!end_line()) {
        return TomlPiece::refused;
    }
    return is_element ? TomlPiece::element : TomlPiece::table;
}

TomlPiece TomlScanner::take_pair() noexcept {
    if (!take_key()) {
        return TomlPiece::refused;
    }
    skip_blanks();
    if (peek() == '.') {
        return refuse(at_, "expected '='; write a dotted key as a key of its [section]"sv);
    }
    if (peek() != '=') {
        return refuse(at_, "expected '='"sv);
    }
    ++at_;
    skip_blanks();
    value_at_ = at_;
    if (peek() == '[') {
        ++at_;
        state_ = State::array;
        return TomlPiece::array_begin;
    }
    if (!take_scalar() || !end_line()) {
        return TomlPiece::refused;
    }
    return TomlPiece::value;
}

TomlPiece TomlScanner::next_in_array() noexcept {
    if (!skip_to_value()) {
        return TomlPiece::refused;
    }
    if (peek() == ']') {
        ++at_;
        if (!end_line()) {
            return TomlPiece::refused;
        }
        state_ = State::line;
        return TomlPiece::array_end;
    }
    value_at_ = at_;
    if (peek() == '[') {
        return refuse(at_, "expected a value, not an array in an array"sv);
    }
    const char* const begin = at_;
    if (!take_scalar() || !skip_to_value()) {
        return TomlPiece::refused;
    }
    if (peek() == ',') {
        ++at_;
    } else if (peek() != ']') {
        return refuse(at_, "expected ',' or ']'"sv);
    }
    value_at_ = begin;
    return TomlPiece::array_value;
}

TomlPiece TomlScanner::next() noexcept {
    if (state_ == State::failed) {
        return TomlPiece::refused;
    }
    if (state_ == State::array) {
        return next_in_array();
    }
    while (!is_over()) {
        skip_blanks();
        if (!take_comment()) {
            return TomlPiece::refused;
        }
        if (take_newline()) {
            continue;
        }
        if (is_over()) {
            break;
        }
        return peek() == '[' ? take_header() : take_pair();
    }
    state_ = State::over;
    return TomlPiece::end;
}

const char* TomlScanner::broken_invariant() const noexcept {
    const auto within = [this](const char* at) { return begin_ <= at && at <= end_; };
    return within(at_) && within(key_at_) && within(value_at_) ? nullptr : "TS1: a cursor left the text";
}

}  // namespace heapwright::config
