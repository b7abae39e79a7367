// Reads the bytes of unwind tables without ever stepping over their end.
#pragma once

#include <cstdint>
#include <cstring>

namespace heapwright::trace::stack::detail {

/// Bytes that are kept for later.
struct ByteRange {
    const std::uint8_t* begin = nullptr;
    std::uint32_t size = 0;
};

/// A cursor over bytes in memory. After a failed read every further read gives 0 and failed() is true.
class ByteReader {
public:
    constexpr ByteReader(const std::uint8_t* begin, const std::uint8_t* end) noexcept : at_{begin}, end_{end} {}

    constexpr explicit ByteReader(ByteRange range) noexcept : at_{range.begin}, end_{range.begin + range.size} {}

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool at_end() const noexcept { return failed_ || at_ >= end_; }
    [[nodiscard]] const std::uint8_t* position() const noexcept { return at_; }
    [[nodiscard]] const std::uint8_t* end() const noexcept { return end_; }

    template <class T>
    [[nodiscard]] T take() noexcept {
        T value{};
        if (!has(sizeof(T))) {
            return value;
        }
        std::memcpy(&value, at_, sizeof(T));
        at_ += sizeof(T);
        return value;
    }

    void skip(std::uint64_t bytes) noexcept {
        if (has(bytes)) {
            at_ += bytes;
        }
    }

    /// The next `bytes` as a reader of their own, stepped over here.
    [[nodiscard]] ByteReader part(std::uint64_t bytes) noexcept {
        const std::uint8_t* const begin = at_;
        skip(bytes);
        return failed_ ? ByteReader{end_, end_} : ByteReader{begin, at_};
    }

    [[nodiscard]] std::uint64_t uleb() noexcept {
        if (!failed_ && at_ < end_ && *at_ < 0x80) {  // nearly always
            return *at_++;
        }
        return uleb_slow();
    }

    /// The next `bytes` bytes, stepped over.
    [[nodiscard]] ByteRange range(std::uint64_t bytes) noexcept {
        const std::uint8_t* const begin = at_;
        skip(bytes);
        return failed_ ? ByteRange{} : ByteRange{begin, static_cast<std::uint32_t>(bytes)};
    }

    [[nodiscard]] std::uint64_t uleb_slow() noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const auto byte = take<std::uint8_t>();
            if (shift < 64) {
                value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            }
            if ((byte & 0x80U) == 0) {
                return value;
            }
        }
    }

    [[nodiscard]] std::int64_t sleb() noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0;;) {
            const auto byte = take<std::uint8_t>();
            if (shift < 64) {
                value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            }
            shift += 7;
            if ((byte & 0x80U) == 0) {
                if (shift < 64 && (byte & 0x40U) != 0) {
                    value |= ~std::uint64_t{0} << shift;
                }
                return static_cast<std::int64_t>(value);
            }
        }
    }

    /// A pointer in one of the encodings DW_EH_PE_*. `data_base` serves the data-relative ones. Indirect pointers are
    /// not followed; encodings that x86-64 does not use fail.
    [[nodiscard]] std::uint64_t encoded(std::uint8_t encoding, std::uint64_t data_base) noexcept {
        constexpr std::uint8_t kOmitted = 0xff;
        if (encoding == kOmitted) {
            return 0;
        }
        const auto place = reinterpret_cast<std::uint64_t>(at_);
        const std::uint64_t value = encoded_number(encoding & 0x0fU);
        switch (encoding & 0x70U) {
            case 0x00: return value;
            case 0x10: return value + place;
            case 0x30: return value + data_base;
            default: failed_ = true; return 0;
        }
    }

private:
    [[nodiscard]] bool has(std::uint64_t bytes) noexcept {
        if (failed_ || bytes > static_cast<std::uint64_t>(end_ - at_)) {
            failed_ = true;
            return false;
        }
        return true;
    }

    [[nodiscard]] std::uint64_t encoded_number(unsigned format) noexcept {
        switch (format) {
            case 0x0: return take<std::uint64_t>();
            case 0x1: return uleb();
            case 0x2: return take<std::uint16_t>();
            case 0x3: return take<std::uint32_t>();
            case 0x4: return take<std::uint64_t>();
            case 0x9: return static_cast<std::uint64_t>(sleb());
            case 0xa: return static_cast<std::uint64_t>(std::int64_t{take<std::int16_t>()});
            case 0xb: return static_cast<std::uint64_t>(std::int64_t{take<std::int32_t>()});
            case 0xc: return take<std::uint64_t>();
            default: failed_ = true; return 0;
        }
    }

    const std::uint8_t* at_;
    const std::uint8_t* end_;
    bool failed_ = false;
};

}  // namespace heapwright::trace::stack::detail
