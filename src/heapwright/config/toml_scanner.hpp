// The part of TOML that a memory.toml needs, read piece by piece without allocation, before main if need be.
//
//   understood   comments, [table], [[element]], bare keys, "text" with escapes, 'text', integers (decimal, 0x), decimal
//                fractions, true, false, one-level arrays over any number of lines
//   refused      quoted and dotted keys, inline tables, texts of several lines, dates, exponents, 0o, 0b, inf, nan: valid TOML,
//                but not written by anybody here. A refusal ends the reading with a sentence.
//
// Whatever is understood means what TOML 1.0 says it means: fuzz/config_fuzz.cpp compares it with toml++.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heapwright::config {

/// 1-based; columns count letters of UTF-8, not bytes.
struct TextPlace {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

enum class ScalarKind : std::uint8_t { text, integer, fraction, flag };

/// One value. `text` is valid until the next piece is read.
struct Scalar {
    ScalarKind kind = ScalarKind::integer;
    std::string_view text;
    std::int64_t integer = 0;
    double fraction = 0;
    bool flag = false;
};

enum class TomlPiece : std::uint8_t {
    table,        ///< [name]: key()
    element,      ///< [[name]]: key()
    value,        ///< key() = scalar()
    array_begin,  ///< key() = [
    array_value,  ///< scalar()
    array_end,
    end,      ///< of the text
    refused,  ///< why() says it; so does every further call
};

/// A cursor over the text.
///
///   TS1  begin <= cursor <= end, and so is each place that is remembered
/// Thread safety: one thread; touches nothing but itself and the text.
class TomlScanner {
public:
    static constexpr std::size_t kLettersMax = 1024;  ///< of a text with escapes

    explicit TomlScanner(std::string_view text) noexcept;

    /// Goes on to the next piece. Cost: O(letters read).
    [[nodiscard]] TomlPiece next() noexcept;

    [[nodiscard]] std::string_view key() const noexcept { return key_; }
    [[nodiscard]] const Scalar& scalar() const noexcept { return scalar_; }
    /// Where the key or the value of the last piece begins, or what is refused. In bytes from the begin of the text.
    [[nodiscard]] std::size_t key_offset() const noexcept { return static_cast<std::size_t>(key_at_ - begin_); }
    [[nodiscard]] std::size_t value_offset() const noexcept { return static_cast<std::size_t>(value_at_ - begin_); }
    /// Requires: offset is at most the length of the text. Cost: O(offset), so it is for mistakes only.
    [[nodiscard]] TextPlace place_of(std::size_t offset) const noexcept;
    /// What is expected there instead; a half sentence. Meaningful after TomlPiece::refused.
    [[nodiscard]] std::string_view why() const noexcept { return why_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    enum class State : std::uint8_t { line, array, over, failed };

    [[nodiscard]] bool is_over() const noexcept { return at_ == end_; }
    [[nodiscard]] char peek(std::size_t ahead = 0) const noexcept {
        return static_cast<std::size_t>(end_ - at_) > ahead ? at_[ahead] : '\0';
    }
    TomlPiece refuse(const char* at, std::string_view why) noexcept;
    void skip_blanks() noexcept;
    [[nodiscard]] bool take_newline() noexcept;
    [[nodiscard]] bool take_comment() noexcept;
    [[nodiscard]] bool end_line() noexcept;
    [[nodiscard]] bool skip_to_value() noexcept;
    [[nodiscard]] bool take_key() noexcept;
    TomlPiece take_header() noexcept;
    TomlPiece take_pair() noexcept;
    TomlPiece next_in_array() noexcept;
    [[nodiscard]] bool take_scalar() noexcept;
    [[nodiscard]] bool take_text() noexcept;
    [[nodiscard]] bool take_literal_text() noexcept;
    [[nodiscard]] bool take_escape(std::size_t& used) noexcept;
    [[nodiscard]] bool append_code_point(std::uint64_t code, std::size_t& used) noexcept;
    [[nodiscard]] bool take_number() noexcept;
    [[nodiscard]] bool take_digits(bool is_hex, std::uint64_t& number, unsigned& digits) noexcept;
    [[nodiscard]] bool take_fraction(bool is_negative, std::uint64_t whole) noexcept;
    [[nodiscard]] bool set_integer(bool is_negative, std::uint64_t number, const char* begin) noexcept;
    [[nodiscard]] bool fails(const char* at, std::string_view why) noexcept;

    const char* begin_;
    const char* at_;
    const char* end_;
    const char* key_at_;
    const char* value_at_;
    State state_ = State::line;
    std::string_view key_;
    Scalar scalar_;
    std::string_view why_;
    std::array<char, kLettersMax> room_{};
};

}  // namespace heapwright::config
