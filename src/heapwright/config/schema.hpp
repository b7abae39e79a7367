// Every key of a memory.toml in one table: its type, range, default, meaning, and what it has an effect on. Both readers,
// the printer, `heapwright config explain` and the tests work from it, so that none of them can forget a key.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>
#include <heapwright/config/toml_scanner.hpp>

namespace heapwright::config {

/// What a key holds, and as which member: what place() points to.
enum class FieldKind : std::uint8_t {
    flag,      ///< bool
    count,     ///< std::uint64_t
    size,      ///< std::uint64_t, bytes
    duration,  ///< std::uint64_t, ns
    share,     ///< Share
    word,      ///< an enum of one byte; words in the order of its values
    text,      ///< ConfigText
    texts,     ///< ConfigText, parted by commas; an array
    sizes,     ///< SizeList; an array
    build_id,  ///< BuildId
    offsets,   ///< OffsetList; an array
    callers,   ///< CallerList; an array
};

struct Field {
    std::string_view key;
    FieldKind kind;
    void* (*place)(void* object) noexcept;  ///< of a MemoryConfig, or of a PlannedSite
    std::string_view expected;              ///< "a size, as in \"64KiB\""
    std::string_view meaning;
    std::string_view consumer;  ///< who acts on it
    std::uint64_t least = 0;
    std::uint64_t most = UINT64_MAX;
    // NOLINTNEXTLINE(readability-redundant-member-init): g++ warns of rows that leave out a member without one
    std::span<const std::string_view> words = {};
};

struct Section {
    std::string_view name;
    std::string_view meaning;
    std::span<const Field> fields;
};

/// The sections of a MemoryConfig, in the order in which they are printed.
[[nodiscard]] std::span<const Section> sections() noexcept;
/// [[site]]
[[nodiscard]] const Section& site_section() noexcept;

/// nullptr where there is none of that name.
[[nodiscard]] const Section* find_section(std::string_view name) noexcept;
[[nodiscard]] const Field* find_field(const Section& section, std::string_view key) noexcept;

[[nodiscard]] constexpr bool is_array(FieldKind kind) noexcept {
    return kind == FieldKind::texts || kind == FieldKind::sizes || kind == FieldKind::offsets || kind == FieldKind::callers;
}

/// Sets a field, or with an array appends to it.
///
/// Returns:  false when the value is of another type or out of range; then the object is as it was, and `mistake` has half a
///           sentence: what was met and what was expected.
[[nodiscard]] bool set_field(const Field& field, void* object, const Scalar& value, TextBuffer& mistake) noexcept;
/// Before the first value of an array.
void clear_array(const Field& field, void* object) noexcept;

/// The half sentence when a list stands where none is expected, or the other way round.
void append_shape(TextBuffer& text, const Field& field) noexcept;

/// What has to hold between fields. Returns: as set_field.
[[nodiscard]] bool is_whole(const MemoryConfig& config, TextBuffer& mistake) noexcept;
[[nodiscard]] bool is_whole(const PlannedSite& site, TextBuffer& mistake) noexcept;

/// The half sentences on names: with the nearest that is known.
void append_unknown_key(TextBuffer& text, const Section& section, std::string_view key) noexcept;
void append_unknown_section(TextBuffer& text, std::string_view name) noexcept;

/// The value as it stands in a memory.toml, on one line.
void append_value(TextBuffer& text, const Field& field, const void* object) noexcept;
/// "a size from 64B to 1TiB".
void append_range(TextBuffer& text, const Field& field) noexcept;

}  // namespace heapwright::config
