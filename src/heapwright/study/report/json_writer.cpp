#include <heapwright/study/report/json_writer.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <heapwright/base/check.hpp>

namespace heapwright::study {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16U;
constexpr char kHexDigits[] = "0123456789abcdef";

}  // namespace

std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
    const unsigned lead = byte(0);
    if (lead < 0x80) {
        return text.empty() ? 0 : 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return follows(1) ? 2 : 0;
    }
    if (lead >= 0xe0 && lead <= 0xef) {  // neither overlong nor a surrogate
        return follows(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        return follows(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

void JsonWriter::flush_if_full() {
    if (buffer_.size() >= kBufferBytes) {
        sink_(buffer_);
        buffer_.clear();
    }
}

void JsonWriter::before_item() {
    if (levels_.empty()) {
        return;
    }
    Level& level = levels_.back();
    if (level.bracket == '{') {
        HEAPWRIGHT_CHECK(level.has_key, "a value in a JSON object needs a key");
        level.has_key = false;
        return;
    }
    if (!level.empty) {
        buffer_ += ',';
    }
    level.empty = false;
    if (levels_.size() <= line_depth_) {
        buffer_ += '\n';
    }
}

void JsonWriter::open(char bracket) {
    before_item();
    buffer_ += bracket;
    levels_.push_back({bracket});
}

void JsonWriter::close(char bracket) {
    HEAPWRIGHT_CHECK(!levels_.empty() && levels_.back().bracket == (bracket == '}' ? '{' : '['),
                     "JSON containers close in the order they opened");
    const bool lines = levels_.size() <= line_depth_ && !levels_.back().empty;
    levels_.pop_back();
    if (lines) {
        buffer_ += '\n';
    }
    buffer_ += bracket;
    flush_if_full();
}

void JsonWriter::key(std::string_view name) {
    HEAPWRIGHT_CHECK(!levels_.empty() && levels_.back().bracket == '{' && !levels_.back().has_key,
                     "a JSON key stands in an object, before its value");
    Level& level = levels_.back();
    if (!level.empty) {
        buffer_ += ',';
    }
    level.empty = false;
    level.has_key = true;
    if (levels_.size() <= line_depth_) {
        buffer_ += '\n';
    }
    text(name);
    buffer_ += ':';
}

void JsonWriter::text(std::string_view content) {
    buffer_ += '"';
    for (std::size_t i = 0; i < content.size();) {
        const auto byte = static_cast<unsigned char>(content[i]);
        if (byte == '"' || byte == '\\') {
            buffer_ += '\\';
            buffer_ += content[i];
        } else if (byte < 0x20) {
            buffer_ += "\\u00";
            buffer_ += kHexDigits[byte >> 4U];
            buffer_ += kHexDigits[byte & 15U];
        } else if (byte < 0x80) {
            buffer_ += content[i];
        } else {
            const std::size_t length = utf8_length(content.substr(i));
            buffer_ += length == 0 ? std::string_view("\\ufffd") : content.substr(i, length);
            i += length == 0 ? 1 : length;
            continue;
        }
        ++i;
    }
    buffer_ += '"';
    flush_if_full();
}

void JsonWriter::value(std::string_view content) {
    before_item();
    text(content);
}

void JsonWriter::value(bool flag) {
    before_item();
    buffer_ += flag ? "true" : "false";
}

void JsonWriter::value(double number) {
    before_item();
    std::array<char, 40> room;
    const auto end = std::to_chars(room.data(), room.data() + room.size(), std::isfinite(number) ? number : 0.0);
    buffer_.append(room.data(), end.ptr);
}

void JsonWriter::unsigned_value(std::uint64_t number) {
    before_item();
    std::array<char, 24> room;
    const auto end = std::to_chars(room.data(), room.data() + room.size(), number);
    buffer_.append(room.data(), end.ptr);
    flush_if_full();
}

void JsonWriter::signed_value(std::int64_t number) {
    before_item();
    std::array<char, 24> room;
    const auto end = std::to_chars(room.data(), room.data() + room.size(), number);
    buffer_.append(room.data(), end.ptr);
    flush_if_full();
}

void JsonWriter::base64(std::span<const std::uint8_t> bytes) {
    before_item();
    buffer_ += '"';
    buffer_ += base64_text(bytes);
    buffer_ += '"';
    flush_if_full();
}

void JsonWriter::finish() {
    HEAPWRIGHT_CHECK(levels_.empty(), "a JSON document is finished when everything in it is closed");
    buffer_ += '\n';
    sink_(buffer_);
    buffer_.clear();
}

std::string base64_text(std::span<const std::uint8_t> bytes) {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t here = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = (group << 8U) | (k < here ? bytes[i + k] : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            text += k <= here ? kAlphabet[(group >> (18U - 6U * k)) & 63U] : '=';
        }
    }
    return text;
}

}  // namespace heapwright::study
