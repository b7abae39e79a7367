// Writes JSON as it goes, without a document in memory: a trace of a compiler has 200,000 sites.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heapwright::study {

/// Takes a piece of output; pieces come in order.
using TextSink = std::function<void(std::string_view)>;

/// One JSON value, written piece by piece. Misuse (a value without a key in an object) is a check.
///
/// Invalid UTF-8 becomes U+FFFD and numbers that JSON does not have (NaN, infinity) become 0, so the output always parses.
///
/// Example:
///   JsonWriter json(sink);
///   json.begin_object();
///   json.member("size", 48);
///   json.end_object();
///   json.finish();
class JsonWriter {
public:
    /// Members down to `line_depth` containers deep stand on lines of their own; 0: everything on one line.
    explicit JsonWriter(TextSink sink, std::size_t line_depth = 0) : sink_(std::move(sink)), line_depth_(line_depth) {}

    void begin_object() { open('{'); }
    void end_object() { close('}'); }
    void begin_array() { open('['); }
    void end_array() { close(']'); }
    void key(std::string_view name);

    void value(std::string_view text);
    void value(const char* text) { value(std::string_view(text)); }
    void value(bool flag);
    void value(double number);
    void value(std::unsigned_integral auto number) { unsigned_value(number); }
    void value(std::signed_integral auto number) { signed_value(number); }

    template <class Value>
    void member(std::string_view name, const Value& content) {
        key(name);
        value(content);
    }

    template <class Range>
    void values(const Range& range) {
        begin_array();
        for (const auto& item : range) {
            value(item);
        }
        end_array();
    }
    template <class Range>
    void member_values(std::string_view name, const Range& range) {
        key(name);
        values(range);
    }

    /// Bytes as a base64 text.
    void base64(std::span<const std::uint8_t> bytes);

    /// Hands the rest to the sink.
    ///
    /// Requires: every container is closed (checked).
    void finish();

private:
    struct Level {
        char bracket;
        bool empty = true;
        bool has_key = false;
    };

    void open(char bracket);
    void close(char bracket);
    void before_item();
    void flush_if_full();
    void text(std::string_view content);
    void unsigned_value(std::uint64_t number);
    void signed_value(std::int64_t number);

    TextSink sink_;
    std::size_t line_depth_;
    std::string buffer_;
    std::vector<Level> levels_;
};

/// `bytes` in base64, with padding.
[[nodiscard]] std::string base64_text(std::span<const std::uint8_t> bytes);

/// Bytes of the well-formed UTF-8 character at the start of `text`, 0 when it is damaged.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

}  // namespace heapwright::study
