#include <heapwright/config/file/config_file.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include <heapwright/config/file/detail/toml.hpp>
#include <heapwright/config/reader.hpp>
#include <heapwright/config/schema.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::config {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The text with a question mark for each letter beyond ASCII. TOML has neither outside of texts and comments: where this one
/// can be parsed, all such letters are where version 3.3 of toml++ takes no undefined step over them.
std::string with_plain_letters(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte < 0x80) {
            plain += letter;
        } else if (byte >= 0xC0) {  // one for the bytes that follow, too, so that columns stay
            plain += '?';
        }
    }
    return plain;
}

/// Whether a letter beyond ASCII stands at a place that toml++ names: it counts letters, not bytes.
bool is_wide_letter_at(std::string_view text, const toml::source_position& place) {
    for (toml::source_index line = 1; line < place.line; ++line) {
        text.remove_prefix(std::min(text.size(), text.find('\n')) + (text.contains('\n') ? 1 : 0));
    }
    const auto begins_letter = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80; };
    for (toml::source_index column = 0; !text.empty(); text.remove_prefix(1)) {
        column += begins_letter(text.front()) ? 1U : 0U;
        if (column == place.column) {
            return static_cast<unsigned char>(text.front()) >= 0x80;
        }
    }
    return false;
}

ConfigMistake mistake_at(const toml::source_region& region, std::string sentence) {
    return {.line = region.begin.line, .column = region.begin.column, .sentence = std::move(sentence)};
}

/// A value of toml++ as the schema takes it; what it has no word for, such as dates, is none.
bool to_scalar(const toml::node& node, Scalar& scalar) {
    if (const auto* text = node.as_string()) {
        scalar = {.kind = ScalarKind::text, .text = text->get()};
    } else if (const auto* integer = node.as_integer()) {
        scalar = {.kind = ScalarKind::integer, .text = {}, .integer = integer->get()};
    } else if (const auto* number = node.as_floating_point()) {
        scalar = {.kind = ScalarKind::fraction, .text = {}, .integer = 0, .fraction = number->get()};
    } else if (const auto* flag = node.as_boolean()) {
        scalar = {.kind = ScalarKind::flag, .text = {}, .integer = 0, .fraction = 0, .flag = flag->get()};
    } else {
        return false;
    }
    return true;
}

/// Goes through a parsed file and collects what is wrong.
class TableReader {
public:
    explicit TableReader(ConfigReading& reading) : reading_(reading) {}

    void read(const toml::table& root) {
        for (const auto& [key, node] : root) {
            const std::string_view name = key.str();
            if (name == site_section().name && node.is_array()) {
                read_sites(*node.as_array());
            } else if (const Section* section = find_section(name)) {
                if (const auto* table = node.as_table()) {
                    read_fields(*table, *section, &reading_.file.memory);
                } else {
                    complain(key.source(), unknown_section(name));
                }
            } else if (!node.is_table() && !node.is_array_of_tables()) {
                complain(key.source(), "'" + std::string(head_of(name, 60)) + "' stands before the first [section]; put it into one");
            } else {
                complain(key.source(), unknown_section(name));
            }
        }
        Text<512> sentence;
        if (reading_.mistakes.empty() && !is_whole(reading_.file.memory, sentence)) {
            reading_.mistakes.push_back({0, 0, std::string(sentence.view())});
        }
    }

private:
    static std::string unknown_section(std::string_view name) {
        Text<512> sentence;
        append_unknown_section(sentence, name);
        return std::string(sentence.view());
    }
    void complain(const toml::source_region& region, std::string sentence) {
        reading_.mistakes.push_back(mistake_at(region, std::move(sentence)));
    }
    void complain(const toml::source_region& region, const TextBuffer& sentence) { complain(region, std::string(sentence.view())); }

    void read_sites(const toml::array& sites) {
        for (const toml::node& node : sites) {
            const auto* table = node.as_table();
            if (table == nullptr) {
                complain(node.source(), "site holds something else than tables; write each as [[site]]");
                continue;
            }
            PlannedSite site;
            const std::size_t before = reading_.mistakes.size();
            read_fields(*table, site_section(), &site);
            Text<512> sentence;
            if (reading_.mistakes.size() == before && !is_whole(site, sentence)) {
                complain(node.source(), sentence);
            }
            reading_.file.plan.push_back(site);
        }
    }

    void read_fields(const toml::table& table, const Section& section, void* object) {
        for (const auto& [key, node] : table) {
            if (const Field* field = find_field(section, key.str())) {
                read_field(*field, node, object);
                continue;
            }
            Text<1024> sentence;
            append_unknown_key(sentence, section, key.str());
            complain(key.source(), sentence);
        }
    }

    void read_field(const Field& field, const toml::node& node, void* object) {
        const auto* list = node.as_array();
        if ((list != nullptr) != is_array(field.kind)) {
            Text<512> sentence;
            append_shape(sentence, field);
            complain(node.source(), sentence);
        } else if (list == nullptr) {
            set(field, node, object);
        } else {
            clear_array(field, object);
            for (const toml::node& item : *list) {
                set(field, item, object);
            }
        }
    }

    void set(const Field& field, const toml::node& node, void* object) {
        Scalar scalar;
        Text<512> sentence;
        if (!to_scalar(node, scalar)) {
            sentence.append(field.key).append(" cannot be of this type; expected ").append(field.expected);
            complain(node.source(), sentence);
        } else if (!set_field(field, object, scalar, sentence)) {
            complain(node.source(), sentence);
        }
    }

    ConfigReading& reading_;
};

}  // namespace

ConfigReading read_config(std::string_view text) {
    ConfigReading reading;
    text.remove_prefix(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    try {
        if (const std::string plain = with_plain_letters(text); plain != text) {
            static_cast<void>(toml::parse(plain));
        }
        TableReader(reading).read(toml::parse(text));
    } catch (const toml::parse_error& error) {
        reading = {};
        const std::string why = is_wide_letter_at(text, error.source().begin) ? "letters beyond ASCII stand in quotes and comments only"
                                                                              : std::string(error.description());
        reading.mistakes.push_back(mistake_at(error.source(), "this is no TOML: " + why));
    }
    std::ranges::stable_sort(reading.mistakes, {}, [](const ConfigMistake& mistake) { return std::pair(mistake.line, mistake.column); });
    return reading;
}

ConfigReading check_config(std::string_view text) {
    ConfigReading reading = read_config(text);
    if (!reading.mistakes.empty()) {
        return reading;
    }
    ConfigFile inside;
    Text<1024> mistake;
    auto keep = [&inside](const PlannedSite& site) noexcept { inside.plan.push_back(site); };
    if (!read_memory_config(text, "", inside.memory, keep, mistake)) {
        std::string_view sentence = mistake.view();  // ":line:column: what"
        ConfigMistake found;
        std::uint64_t line = 0;
        std::uint64_t column = 0;
        sentence.remove_prefix(1);
        if (take_decimal(sentence, line) && sentence.starts_with(':')) {
            sentence.remove_prefix(1);
            static_cast<void>(take_decimal(sentence, column));
        }
        found.line = static_cast<std::uint32_t>(line);
        found.column = static_cast<std::uint32_t>(column);
        found.sentence = std::string(sentence.substr(std::min(sentence.size(), sentence.find(' ') + 1))) +
                         "; it is TOML, but not of the kind that a program reads while it starts";
        reading.mistakes.push_back(std::move(found));
    }
    return reading;
}

Result<std::string> load_config_text(const std::string& path) {
    constexpr std::size_t kBytesMax = std::size_t{64} << 20;
    auto file = os::File::open_read(path.c_str());
    if (!file) {
        return std::unexpected(file.error());
    }
    std::string text;
    std::array<char, 65536> room;
    while (true) {
        const auto read = file->read_some(std::as_writable_bytes(std::span(room)));
        if (!read) {
            return std::unexpected(read.error());
        }
        if (*read == 0) {
            break;
        }
        text.append(room.data(), *read);
        if (text.size() > kBytesMax) {
            return fail_with(Errc::limit_reached, kBytesMax);
        }
    }
    return text;
}

std::string sentence_of(const ConfigMistake& mistake, std::string_view name) {
    std::string text(name);
    if (mistake.line != 0) {
        text += ":" + std::to_string(mistake.line) + ":" + std::to_string(mistake.column);
    }
    return text + ": " + mistake.sentence;
}

}  // namespace heapwright::config
