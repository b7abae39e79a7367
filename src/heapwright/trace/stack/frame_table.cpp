// .eh_frame_hdr and .eh_frame as the LSB and the DWARF standard describe them.
#include <heapwright/trace/stack/detail/frame_table.hpp>

#include <cstddef>

namespace heapwright::trace::stack::detail {

namespace {

constexpr std::uint8_t kOmitted = 0xff;
constexpr std::uint8_t kSortedTable = 0x3b;  // data-relative, signed 4 bytes: the only form linkers write

/// One length-prefixed entry of .eh_frame.
struct Entry {
    ByteReader body{nullptr, nullptr};    // after the identifier
    const std::uint8_t* id_at = nullptr;  // where the identifier stands
    std::uint32_t id = 0;                 // 0: a CIE; else the distance back to it
};

/// Takes the entry at the cursor. False: the terminator, or nonsense.
bool take_entry(ByteReader& reader, Entry& entry) noexcept {
    std::uint64_t bytes = reader.take<std::uint32_t>();
    if (bytes == 0xffffffffU) {
        bytes = reader.take<std::uint64_t>();
    }
    if (reader.failed() || bytes < sizeof(std::uint32_t)) {
        return false;
    }
    entry.body = reader.part(bytes);
    entry.id_at = entry.body.position();
    entry.id = entry.body.take<std::uint32_t>();
    return !reader.failed() && !entry.body.failed();
}

/// Reads the letters of the augmentation; false when one is unknown and its data cannot be stepped over.
bool read_augmentation(const char* letters, ByteReader body, FrameDescription& found) noexcept {
    for (const char* letter = letters + 1; *letter != '\0'; ++letter) {
        switch (*letter) {
            case 'L': body.skip(1); break;
            case 'R': found.pointer_encoding = body.take<std::uint8_t>(); break;
            case 'S': found.is_signal_frame = true; break;
            case 'P': {
                const auto encoding = body.take<std::uint8_t>();
                (void)body.encoded(encoding & 0x7fU, 0);
                break;
            }
            case 'B': break;
            default: return true;  // the length of the data is known, so the rest can be left alone
        }
    }
    return !body.failed();
}

bool read_common(Entry entry, FrameDescription& found) noexcept {
    ByteReader& body = entry.body;
    const auto version = body.take<std::uint8_t>();
    if (version != 1 && version != 3) {
        return false;
    }
    const auto* const letters = reinterpret_cast<const char*>(body.position());
    while (body.take<std::uint8_t>() != 0) {
        if (body.failed()) {
            return false;
        }
    }
    found.code_step = body.uleb();
    found.data_step = body.sleb();
    found.return_register = version == 1 ? body.take<std::uint8_t>() : body.uleb();
    found.pointer_encoding = 0;
    found.is_signal_frame = false;
    if (letters[0] == 'z') {
        const std::uint64_t bytes = body.uleb();
        if (!read_augmentation(letters, body.part(bytes), found)) {
            return false;
        }
    } else if (letters[0] != '\0') {
        return false;
    }
    found.common = body;
    return !body.failed();
}

/// Reads an FDE and its CIE.
bool read_function(const LoadedFile& file, Entry entry, FrameDescription& found) noexcept {
    if (entry.id == 0 || entry.id > static_cast<std::uint64_t>(entry.id_at - file.tables_begin)) {
        return false;
    }
    ByteReader common_reader{entry.id_at - entry.id, file.tables_end};
    Entry common;
    if (!take_entry(common_reader, common) || common.id != 0 || !read_common(common, found)) {
        return false;
    }
    const bool has_augmentation = common.body.position()[1] == 'z';  // the letters follow the version
    ByteReader& body = entry.body;
    found.begin = body.encoded(found.pointer_encoding & 0x7fU, 0);
    found.end = found.begin + body.encoded(found.pointer_encoding & 0x0fU, 0);
    if (has_augmentation) {
        body.skip(body.uleb());
    }
    found.function = body;
    return !body.failed();
}

bool read_function_at(const LoadedFile& file, std::uint64_t address, FrameDescription& found) noexcept {
    const auto* const place = reinterpret_cast<const std::uint8_t*>(address);
    if (place < file.tables_begin || place >= file.tables_end) {
        return false;
    }
    ByteReader reader{place, file.tables_end};
    Entry entry;
    return take_entry(reader, entry) && read_function(file, entry, found);
}

bool search_all(const LoadedFile& file, std::uint64_t eh_frame, std::uint64_t pc, FrameDescription& found) noexcept {
    const auto* const place = reinterpret_cast<const std::uint8_t*>(eh_frame);
    if (place < file.tables_begin || place >= file.tables_end) {
        return false;
    }
    ByteReader reader{place, file.tables_end};
    Entry entry;
    while (take_entry(reader, entry)) {
        if (entry.id != 0 && read_function(file, entry, found) && pc - found.begin < found.end - found.begin) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool find_frame_description(const LoadedFile& file, std::uint64_t pc, FrameDescription& found) noexcept {
    if (file.eh_frame_hdr == nullptr) {
        return false;
    }
    const auto base = reinterpret_cast<std::uint64_t>(file.eh_frame_hdr);
    ByteReader reader{file.eh_frame_hdr, file.tables_end};
    const auto version = reader.take<std::uint8_t>();
    const auto frame_encoding = reader.take<std::uint8_t>();
    const auto count_encoding = reader.take<std::uint8_t>();
    const auto table_encoding = reader.take<std::uint8_t>();
    const std::uint64_t eh_frame = reader.encoded(frame_encoding, base);
    if (reader.failed() || version != 1) {
        return false;
    }
    const std::uint64_t count = count_encoding == kOmitted ? 0 : reader.encoded(count_encoding, base);
    struct Row {
        std::int32_t begin;  // both relative to the header
        std::int32_t entry;
    };
    const auto room = static_cast<std::uint64_t>(file.tables_end - reader.position()) / sizeof(Row);
    if (count == 0 || table_encoding != kSortedTable || count > room || reader.failed()) {
        return search_all(file, eh_frame, pc, found);
    }
    // The last row that begins at or before pc.
    const auto* const rows = reader.position();
    const auto row_at = [rows](std::uint64_t number) noexcept {
        Row row;
        std::memcpy(&row, rows + number * sizeof(Row), sizeof(Row));
        return row;
    };
    std::uint64_t low = 0;
    for (std::uint64_t high = count; high - low > 1;) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (base + static_cast<std::uint64_t>(std::int64_t{row_at(middle).begin}) <= pc) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return read_function_at(file, base + static_cast<std::uint64_t>(std::int64_t{row_at(low).entry}), found) &&
           pc - found.begin < found.end - found.begin;
}

}  // namespace heapwright::trace::stack::detail
