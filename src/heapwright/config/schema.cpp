#include <heapwright/config/schema.hpp>

#include <cstddef>

#include <heapwright/config/quantity.hpp>

namespace heapwright::config {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kSlip = 4;  // letters; further away is no slip of the finger
constexpr std::size_t kShownLetters = 60;

template <class T>
T& at(const Field& field, void* object) noexcept {
    return *static_cast<T*>(field.place(object));
}
template <class T>
const T& at(const Field& field, const void* object) noexcept {
    return *static_cast<const T*>(field.place(const_cast<void*>(object)));  // place() only computes an address
}

void append_quoted(TextBuffer& text, std::string_view content) noexcept {
    text.append_char('"');
    for (const char letter : content) {
        const auto code = static_cast<unsigned char>(letter);
        if (letter == '"' || letter == '\\') {
            text.append_char('\\').append_char(letter);
        } else if (code < 0x20 || code == 0x7F) {
            constexpr std::string_view kDigits = "0123456789ABCDEF";
            text.append(R"(\u00)").append_char(kDigits[code >> 4U]).append_char(kDigits[code & 15U]);
        } else {
            text.append_char(letter);
        }
    }
    text.append_char('"');
}

/// A value as it was met, for a sentence.
void append_met(TextBuffer& text, const Scalar& value) noexcept {
    switch (value.kind) {
        case ScalarKind::text:
            append_quoted(text, head_of(value.text, kShownLetters));
            if (value.text.size() > kShownLetters) {
                text.append("..."sv);
            }
            break;
        case ScalarKind::integer: text.append_decimal(value.integer); break;
        case ScalarKind::fraction: text.append("a fraction"sv); break;
        case ScalarKind::flag: text.append(value.flag ? "true"sv : "false"sv); break;
    }
}

bool set_number(const Field& field, std::uint64_t& place, const Scalar& value) noexcept {
    std::uint64_t number = 0;
    if (value.kind == ScalarKind::integer) {
        // A time without a unit would be read as whatever the reader of the file is used to.
        if (value.integer < 0 || (field.kind == FieldKind::duration && value.integer != 0)) {
            return false;
        }
        number = static_cast<std::uint64_t>(value.integer);
    } else {
        const bool may_be_text = value.kind == ScalarKind::text && field.kind != FieldKind::count && field.kind != FieldKind::offsets;
        if (!may_be_text || !(field.kind == FieldKind::duration ? read_duration(value.text, number) : read_size(value.text, number))) {
            return false;
        }
    }
    if (number < field.least || number > field.most) {
        return false;
    }
    place = number;
    return true;
}

bool set_word(const Field& field, void* object, std::string_view word) noexcept {
    for (std::size_t i = 0; i < field.words.size(); ++i) {
        if (field.words[i] == word) {
            at<unsigned char>(field, object) = static_cast<unsigned char>(i);
            return true;
        }
    }
    return false;
}

bool set_text(const Field& field, void* object, std::string_view text) noexcept {
    if (text.size() > field.most || text.find('\0') != std::string_view::npos) {
        return false;
    }
    ConfigText copy;
    if (!copy.append(text)) {
        return false;
    }
    at<ConfigText>(field, object) = copy;
    return true;
}

bool append_text(const Field& field, void* object, std::string_view text) noexcept {
    auto& list = at<ConfigText>(field, object);
    ConfigText longer = list;
    if (text.empty() || text.find(',') != std::string_view::npos || text.find('\0') != std::string_view::npos ||
        !(list.empty() || longer.append(","sv)) || !longer.append(text)) {
        return false;
    }
    list = longer;
    return true;
}

template <class List>
bool append_number(const Field& field, void* object, const Scalar& value, bool ascends) noexcept {
    auto& list = at<List>(field, object);
    std::uint64_t number = 0;
    if (list.count == List::kMost || !set_number(field, number, value) ||
        (ascends && list.count > 0 && number <= list.values[list.count - 1])) {
        return false;
    }
    list.values[list.count++] = number;
    return true;
}

bool append_caller(const Field& field, void* object, std::string_view text) noexcept {
    auto& list = at<CallerList>(field, object);
    if (list.count == CallerList::kMost || !read_caller(text, list.values[list.count])) {
        return false;
    }
    ++list.count;
    return true;
}

bool set_value(const Field& field, void* object, const Scalar& value) noexcept {
    const bool is_text = value.kind == ScalarKind::text;
    switch (field.kind) {
        case FieldKind::flag:
            if (value.kind == ScalarKind::flag) {
                at<bool>(field, object) = value.flag;
            }
            return value.kind == ScalarKind::flag;
        case FieldKind::count:
        case FieldKind::size:
        case FieldKind::duration: return set_number(field, at<std::uint64_t>(field, object), value);
        case FieldKind::share:
            if (value.kind == ScalarKind::integer) {
                return (value.integer == 0 || value.integer == 1) && share_of(static_cast<double>(value.integer), at<Share>(field, object));
            }
            return is_text ? read_share(value.text, at<Share>(field, object))
                           : value.kind == ScalarKind::fraction && share_of(value.fraction, at<Share>(field, object));
        case FieldKind::word: return is_text && set_word(field, object, value.text);
        case FieldKind::text: return is_text && set_text(field, object, value.text);
        case FieldKind::texts: return is_text && append_text(field, object, value.text);
        case FieldKind::sizes: return append_number<SizeList>(field, object, value, true);
        case FieldKind::build_id: return is_text && read_build_id(value.text, at<BuildId>(field, object));
        case FieldKind::offsets: return append_number<OffsetList>(field, object, value, false);
        case FieldKind::callers: return is_text && append_caller(field, object, value.text);
    }
    return false;
}

bool has_range(const Field& field) noexcept {
    const bool is_number = field.kind == FieldKind::count || field.kind == FieldKind::size || field.kind == FieldKind::duration ||
                           field.kind == FieldKind::sizes;
    // Counts that nobody reaches are no range worth telling.
    return is_number && (field.least != 0 || field.most < (field.kind == FieldKind::count ? std::uint64_t{1} << 40U : INT64_MAX));
}

void append_number_of(TextBuffer& text, FieldKind kind, std::uint64_t number) noexcept {
    if (kind == FieldKind::count) {
        text.append_decimal(number);
    } else if (number == 0) {
        text.append_char('0');
    } else {
        text.append_char('"');
        kind == FieldKind::duration ? append_duration(text, number) : append_size(text, number);
        text.append_char('"');
    }
}

template <class Items, class NameOf>
std::string_view nearest(const Items& items, std::string_view wanted, NameOf name_of) noexcept {
    std::string_view found;
    std::size_t least = wanted.size() < kSlip ? wanted.size() : kSlip;  // what shares no letter is no slip
    for (const auto& item : items) {
        if (const std::size_t distance = edit_distance(name_of(item), wanted); distance < least) {
            least = distance;
            found = name_of(item);
        }
    }
    return found;
}

void append_sizes(TextBuffer& text, const SizeList& sizes) noexcept {
    std::string_view before = "["sv;
    for (const std::uint64_t size : sizes.view()) {
        text.append(before);
        append_number_of(text, FieldKind::size, size);
        before = ", "sv;
    }
    text.append(sizes.count == 0 ? "[]"sv : "]"sv);
}

void append_offsets(TextBuffer& text, const OffsetList& offsets) noexcept {
    std::string_view before = "["sv;
    for (const std::uint64_t offset : offsets.view()) {
        text.append(before).append_hex(offset);
        before = ", "sv;
    }
    text.append(offsets.count == 0 ? "[]"sv : "]"sv);
}

void append_callers(TextBuffer& text, const CallerList& callers) noexcept {
    text.append_char('[');
    for (const CallerCode& caller : callers.view()) {
        Text<2 * BuildId::kBytesMax + FileNameText::kLettersMax + 32> word;
        append_caller_code(word, caller);
        text.append(&caller == callers.values.data() ? ""sv : ", "sv);
        append_quoted(text, word.view());
    }
    text.append_char(']');
}

void append_texts(TextBuffer& text, std::string_view list) noexcept {
    text.append_char('[');
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        append_quoted(text, head_of(list, comma));
        list = comma == std::string_view::npos ? std::string_view() : tail_of(list, comma + 1);
        text.append(list.empty() ? ""sv : ", "sv);
    }
    text.append_char(']');
}

}  // namespace

const Section* find_section(std::string_view name) noexcept {
    for (const Section& section : sections()) {
        if (section.name == name) {
            return &section;
        }
    }
    return nullptr;
}

const Field* find_field(const Section& section, std::string_view key) noexcept {
    for (const Field& field : section.fields) {
        if (field.key == key) {
            return &field;
        }
    }
    return nullptr;
}

void append_range(TextBuffer& text, const Field& field) noexcept {
    if (!has_range(field)) {
        return;
    }
    const FieldKind kind = field.kind == FieldKind::sizes ? FieldKind::size : field.kind;
    text.append(", from "sv);
    append_number_of(text, kind, field.least);
    text.append(" to "sv);
    append_number_of(text, kind, field.most);
}

bool set_field(const Field& field, void* object, const Scalar& value, TextBuffer& mistake) noexcept {
    if (set_value(field, object, value)) {
        return true;
    }
    mistake.append(field.key).append(" cannot "sv).append(is_array(field.kind) ? "hold "sv : "be "sv);
    append_met(mistake, value);
    mistake.append("; expected "sv).append(field.expected);
    append_range(mistake, field);
    if (value.kind == ScalarKind::text && field.kind == FieldKind::word) {
        const std::string_view word = nearest(field.words, value.text, [](std::string_view name) { return name; });
        if (!word.empty()) {
            mistake.append("; did you mean '"sv).append(word).append("'?"sv);
        }
    }
    return false;
}

void clear_array(const Field& field, void* object) noexcept {
    switch (field.kind) {
        case FieldKind::texts: at<ConfigText>(field, object).clear(); break;
        case FieldKind::sizes: at<SizeList>(field, object) = SizeList(); break;
        case FieldKind::offsets: at<OffsetList>(field, object) = OffsetList(); break;
        case FieldKind::callers: at<CallerList>(field, object) = CallerList(); break;
        default: break;
    }
}

void append_shape(TextBuffer& text, const Field& field) noexcept {
    text.append(field.key).append(is_array(field.kind) ? " is a list; expected "sv : " is no list; expected "sv).append(field.expected);
}

bool is_whole(const MemoryConfig& config, TextBuffer& mistake) noexcept {
    constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
    if (config.allocator.largest_chunk_bytes < config.allocator.arena_size_bytes) {
        mistake.append("allocator.largest_chunk is less than allocator.arena_size; make it at least as much"sv);
    } else if (config.heap.reserve_bytes % kGib != 0) {
        mistake.append(R"(heap.reserve is no whole number of GiB; write it as in "64GiB")");
    } else {
        return true;
    }
    return false;
}

bool is_whole(const PlannedSite& site, TextBuffer& mistake) noexcept {
    if (site.module.size == 0) {
        mistake.append("a [[site]] has no module; give the build id of the program or library"sv);
    } else if (site.returns.count == 0) {
        mistake.append("a [[site]] has no returns; give the offset of at least one return address"sv);
    } else if (site.returns.count + site.callers.count > OffsetList::kMost) {
        mistake.append("a [[site]] has more than "sv).append_decimal(OffsetList::kMost);
        mistake.append(" return addresses in returns and callers together; leave out the outermost"sv);
    } else if (site.min_bytes > site.max_bytes) {
        mistake.append("a [[site]] has more min_bytes than max_bytes; exchange them"sv);
    } else {
        return true;
    }
    return false;
}

void append_unknown_key(TextBuffer& text, const Section& section, std::string_view key) noexcept {
    text.append("no key of ["sv).append(section.name).append("] is called '"sv).append(head_of(key, kShownLetters)).append("'; "sv);
    const std::string_view near = nearest(section.fields, key, [](const Field& field) { return field.key; });
    if (!near.empty()) {
        text.append("did you mean '"sv).append(near).append("'?"sv);
        return;
    }
    for (const Section& other : sections()) {
        if (&other != &section && find_field(other, key) != nullptr) {
            text.append("it is one of ["sv).append(other.name).append("]"sv);
            return;
        }
    }
    text.append("known are "sv);
    for (const Field& field : section.fields) {
        text.append(&field == section.fields.data() ? ""sv : ", "sv).append(field.key);
    }
}

void append_unknown_section(TextBuffer& text, std::string_view name) noexcept {
    if (find_section(name) != nullptr) {
        text.append("'"sv).append(name).append("' is one section; write ["sv).append(name).append("] and its keys below"sv);
        return;
    }
    text.append("no section is called '"sv).append(head_of(name, kShownLetters)).append("'; "sv);
    const std::string_view near = nearest(sections(), name, [](const Section& section) { return section.name; });
    if (name == site_section().name) {
        text.append("write it as [[site]]"sv);
    } else if (!near.empty()) {
        text.append("did you mean '"sv).append(near).append("'?"sv);
    } else {
        text.append("known are "sv);
        for (const Section& section : sections()) {
            text.append(section.name).append(", "sv);
        }
        text.append("and [[site]]"sv);
    }
}

void append_value(TextBuffer& text, const Field& field, const void* object) noexcept {
    switch (field.kind) {
        case FieldKind::flag: text.append(at<bool>(field, object) ? "true"sv : "false"sv); break;
        case FieldKind::count:
        case FieldKind::size:
        case FieldKind::duration: append_number_of(text, field.kind, at<std::uint64_t>(field, object)); break;
        case FieldKind::share:
            text.append_char('"');
            append_share(text, at<Share>(field, object));
            text.append_char('"');
            break;
        case FieldKind::word: append_quoted(text, field.words[at<unsigned char>(field, object)]); break;
        case FieldKind::text: append_quoted(text, at<ConfigText>(field, object).view()); break;
        case FieldKind::texts: append_texts(text, at<ConfigText>(field, object).view()); break;
        case FieldKind::sizes: append_sizes(text, at<SizeList>(field, object)); break;
        case FieldKind::build_id:
            text.append_char('"');
            append_build_id(text, at<BuildId>(field, object));
            text.append_char('"');
            break;
        case FieldKind::offsets: append_offsets(text, at<OffsetList>(field, object)); break;
        case FieldKind::callers: append_callers(text, at<CallerList>(field, object)); break;
    }
}

}  // namespace heapwright::config
