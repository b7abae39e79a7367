// Writing and reading the numbers of a payload within fixed bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <heapwright/base/varint.hpp>

namespace heapwright::trace {

/// Appends numbers to bytes that the caller owns. What does not fit is left out and `overflowed()` says so.
class ByteWriter {
public:
    ByteWriter() noexcept = default;
    explicit ByteWriter(std::span<std::uint8_t> room) noexcept
        : begin_(room.data()), cursor_(room.data()), end_(room.data() + room.size()) {}

    void varint(std::uint64_t number) noexcept {
        if (claim(kVarintBytesMax)) {
            cursor_ = put_varint(cursor_, number);
        }
    }
    void signed_varint(std::int64_t number) noexcept { varint(zigzag(number)); }
    void byte(std::uint8_t value) noexcept {
        if (claim(1)) {
            *cursor_++ = value;
        }
    }
    void bytes(const void* data, std::size_t count) noexcept {
        if (count != 0 && claim(count)) {
            std::memcpy(cursor_, data, count);
            cursor_ += count;
        }
    }
    /// A length and the bytes.
    void text(std::string_view text) noexcept {
        varint(text.size());
        bytes(text.data(), text.size());
    }

    /// Forgets everything after the first `count` bytes.
    void rewind(std::size_t count) noexcept {
        cursor_ = begin_ + count;
        overflowed_ = false;
    }

    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(cursor_ - begin_); }
    [[nodiscard]] std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - cursor_); }
    [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
    [[nodiscard]] std::span<const std::uint8_t> written() const noexcept { return {begin_, size()}; }

private:
    bool claim(std::size_t count) noexcept {
        if (room() < count) {
            overflowed_ = true;
        }
        return !overflowed_;
    }

    std::uint8_t* begin_ = nullptr;
    std::uint8_t* cursor_ = nullptr;
    std::uint8_t* end_ = nullptr;
    bool overflowed_ = false;
};

/// Reads what a ByteWriter wrote. After the first number that does not fit into the bytes every read gives 0 and
/// `ok()` is false, so that a caller may check once per record.
class ByteReader {
public:
    ByteReader() noexcept = default;
    explicit ByteReader(std::span<const std::uint8_t> bytes) noexcept : cursor_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    std::uint64_t varint() noexcept {
        std::uint64_t number = 0;
        if (!get_varint(cursor_, end_, number)) {
            fail();
        }
        return number;
    }
    std::int64_t signed_varint() noexcept { return unzigzag(varint()); }
    std::uint8_t byte() noexcept {
        if (cursor_ == end_) {
            fail();
            return 0;
        }
        return *cursor_++;
    }
    std::span<const std::uint8_t> bytes(std::uint64_t count) noexcept {
        if (count > rest()) {
            fail();
            return {};
        }
        const std::span<const std::uint8_t> result(cursor_, static_cast<std::size_t>(count));
        cursor_ += count;
        return result;
    }
    /// Points into the payload.
    std::string_view text() noexcept {
        const auto raw = bytes(varint());
        return {reinterpret_cast<const char*>(raw.data()), raw.size()};
    }

    [[nodiscard]] std::size_t rest() const noexcept { return static_cast<std::size_t>(end_ - cursor_); }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool at_end() const noexcept { return cursor_ == end_; }

private:
    void fail() noexcept {
        ok_ = false;
        cursor_ = end_;
    }

    const std::uint8_t* cursor_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    bool ok_ = true;
};

}  // namespace heapwright::trace
