// Text made in a fixed buffer, for code that may not allocate: sentences of failed checks, small system files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heapwright {

/// Appends text to bytes that the caller owns. What does not fit is cut off, and truncated() says so.
///
///   T1  the used length never exceeds the capacity
///   T2  the text is followed by a zero byte wherever the caller gave at least one byte
class TextBuffer {
public:
    /// Keeps one byte of `bytes` for the closing zero.
    TextBuffer(char* begin, std::size_t bytes) noexcept;
    TextBuffer(const TextBuffer&) = delete;
    TextBuffer& operator=(const TextBuffer&) = delete;

    TextBuffer& append(std::string_view text) noexcept;
    /// Letters up to a zero byte; nullptr is an empty text. Of its own, because std::string_view would ask for strlen,
    /// which a freestanding floor does not have.
    TextBuffer& append(const char* letters) noexcept;
    TextBuffer& append_char(char letter) noexcept { return append(std::string_view(&letter, 1)); }
    TextBuffer& append_decimal(std::uint64_t number) noexcept;
    TextBuffer& append_decimal(std::int64_t number) noexcept;
    TextBuffer& append_decimal(std::uint32_t number) noexcept { return append_decimal(std::uint64_t{number}); }
    TextBuffer& append_decimal(std::int32_t number) noexcept { return append_decimal(std::int64_t{number}); }

    /// "0x" and lower case digits without leading zeros.
    TextBuffer& append_hex(std::uint64_t number) noexcept;
    TextBuffer& append_pointer(const void* address) noexcept;

    /// A size rounded to one decimal: "1 byte", "48 bytes", "80 KiB", "1.5 MiB".
    TextBuffer& append_bytes_human(std::uint64_t bytes) noexcept;

    /// A size exact and rounded: "48 bytes", "81920 bytes (80 KiB)".
    TextBuffer& append_bytes_exact(std::uint64_t bytes) noexcept;

    void clear() noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {begin_, used_}; }
    /// The text with its closing zero; "" where the caller gave no byte.
    [[nodiscard]] const char* c_str() const noexcept { return begin_ == nullptr ? "" : begin_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool truncated() const noexcept { return truncated_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    char* begin_;
    std::size_t capacity_;  // letters that fit, the closing zero not counted
    std::size_t used_ = 0;
    bool truncated_ = false;
};

namespace detail {

/// A base, so that the room exists before the TextBuffer that writes into it.
template <std::size_t Bytes>
struct TextRoom {
    char room[Bytes];
};

}  // namespace detail

/// A TextBuffer with its own room for `Bytes - 1` letters and the closing zero.
template <std::size_t Bytes>
class Text : private detail::TextRoom<Bytes>, public TextBuffer {
    static_assert(Bytes > 0, "a text needs room for its closing zero");

public:
    Text() noexcept : TextBuffer(this->room, Bytes) {}
};

/// The text from `at` on; empty where it has ended. std::string_view::substr would bring the C++ runtime's exceptions.
[[nodiscard]] constexpr std::string_view tail_of(std::string_view text, std::size_t at) noexcept {
    return at < text.size() ? std::string_view(text.data() + at, text.size() - at) : std::string_view();
}

/// The first `length` letters, or all where it has fewer.
[[nodiscard]] constexpr std::string_view head_of(std::string_view text, std::size_t length) noexcept {
    return {text.data(), length < text.size() ? length : text.size()};
}

/// Reads a decimal number from the front of `text` and removes it.
///
/// Returns:  false when `text` does not begin with a digit or the number exceeds 64 bits; then nothing changes.
[[nodiscard]] bool take_decimal(std::string_view& text, std::uint64_t& number) noexcept;

/// The same for hexadecimal digits without "0x".
[[nodiscard]] bool take_hex(std::string_view& text, std::uint64_t& number) noexcept;

}  // namespace heapwright
