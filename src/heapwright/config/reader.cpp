#include <heapwright/config/reader.hpp>

#include <array>
#include <atomic>
#include <span>

#include <heapwright/config/environment.hpp>
#include <heapwright/config/schema.hpp>
#include <heapwright/config/toml_scanner.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright::config {

namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 20;
constexpr std::size_t kPathLettersMax = 4096;
constexpr std::size_t kSectionsMax = 16;

/// Goes through the pieces of one text.
class Reading {
public:
    Reading(std::string_view text, std::string_view name, MemoryConfig& config, SiteSink sites, TextBuffer& mistake) noexcept
        : scanner_(text), name_(name), config_(config), sites_(sites), mistake_(mistake) {}

    [[nodiscard]] bool run() noexcept {
        while (true) {
            const TomlPiece piece = scanner_.next();
            if (piece == TomlPiece::end) {
                return end_site() && (is_whole(config_, half_) || fails());
            }
            if (!take(piece)) {
                return false;
            }
        }
    }

private:
    static constexpr std::size_t kNowhere = SIZE_MAX;

    bool take(TomlPiece piece) noexcept {
        switch (piece) {
            case TomlPiece::table: return take_table();
            case TomlPiece::element: return take_element();
            case TomlPiece::value:
            case TomlPiece::array_begin: return take_pair(piece == TomlPiece::array_begin);
            case TomlPiece::array_value: return set();
            case TomlPiece::refused: half_.append(scanner_.why()); return fails(scanner_.value_offset());
            case TomlPiece::array_end:
            case TomlPiece::end: break;
        }
        return true;
    }

    bool take_table() noexcept {
        if (!end_site()) {
            return false;
        }
        section_ = find_section(scanner_.key());
        if (section_ == nullptr) {
            append_unknown_section(half_, scanner_.key());
            return fails(scanner_.key_offset());
        }
        bool& is_seen = sections_seen_[static_cast<std::size_t>(section_ - sections().data())];
        if (is_seen) {
            half_.append("["sv).append(section_->name).append("] stands here for the second time; write its keys in one place"sv);
            return fails(scanner_.key_offset());
        }
        is_seen = true;
        object_ = &config_;
        fields_seen_ = 0;
        return true;
    }

    bool take_element() noexcept {
        if (!end_site()) {
            return false;
        }
        if (scanner_.key() != site_section().name) {
            append_unknown_section(half_, scanner_.key());
            return fails(scanner_.key_offset());
        }
        site_ = PlannedSite();
        site_offset_ = scanner_.key_offset();
        section_ = &site_section();
        object_ = &site_;
        fields_seen_ = 0;
        return true;
    }

    bool end_site() noexcept {
        if (object_ == &site_) {
            if (!is_whole(site_, half_)) {
                return fails(site_offset_);
            }
            sites_(site_);
        }
        object_ = nullptr;
        return true;
    }

    bool take_pair(bool is_list) noexcept {
        if (object_ == nullptr) {
            half_.append("'"sv).append(head_of(scanner_.key(), 60)).append("' stands before the first [section]; put it into one"sv);
            return fails(scanner_.key_offset());
        }
        field_ = find_field(*section_, scanner_.key());
        if (field_ == nullptr) {
            append_unknown_key(half_, *section_, scanner_.key());
            return fails(scanner_.key_offset());
        }
        const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(field_ - section_->fields.data());
        if ((fields_seen_ & bit) != 0) {
            half_.append(field_->key).append(" stands here for the second time; keep one of the two"sv);
            return fails(scanner_.key_offset());
        }
        fields_seen_ |= bit;
        if (is_array(field_->kind) != is_list) {
            append_shape(half_, *field_);
            return fails(scanner_.value_offset());
        }
        if (is_list) {
            clear_array(*field_, object_);
            return true;
        }
        return set();
    }

    bool set() noexcept { return set_field(*field_, object_, scanner_.scalar(), half_) || fails(scanner_.value_offset()); }

    bool fails(std::size_t offset = kNowhere) noexcept {
        mistake_.append(name_).append_char(':');
        if (offset != kNowhere) {
            const TextPlace place = scanner_.place_of(offset);
            mistake_.append_decimal(place.line).append_char(':').append_decimal(place.column).append_char(':');
        }
        mistake_.append_char(' ').append(half_.view());
        return false;
    }

    TomlScanner scanner_;
    std::string_view name_;
    MemoryConfig& config_;
    SiteSink sites_;
    TextBuffer& mistake_;
    Text<512> half_;
    const Section* section_ = nullptr;
    const Field* field_ = nullptr;
    void* object_ = nullptr;  // what the section's fields are of: config_ or site_
    std::uint64_t fields_seen_ = 0;
    std::array<bool, kSectionsMax> sections_seen_{};
    std::size_t site_offset_ = 0;
    PlannedSite site_;
};

/// A file in memory, for the time of a reading.
class MappedText {
public:
    /// Returns:  false, with half a sentence.
    [[nodiscard]] bool read(const char* path, TextBuffer& why) noexcept {
        auto file = os::File::open_read(path);
        if (!file) {
            why.append(name_of(file.error().kind)).append("; check the path in "sv).append(kConfigVariable);
            return false;
        }
        const auto size = file->size();
        if (!size || *size > kFileBytesMax) {
            why.append("it is no file of at most 64 MiB; give the path of a memory.toml"sv);
            return false;
        }
        // One byte more than the file says: it may have grown, and files of /proc are larger than they say.
        room_bytes_ = os::round_to_pages(static_cast<std::size_t>(*size) + 1);
        room_ = static_cast<char*>(os::map_pages(room_bytes_, "heapwright config"));
        if (room_ == nullptr) {
            why.append("no memory to read it"sv);
            return false;
        }
        const auto read = file->read_full(std::as_writable_bytes(std::span(room_, room_bytes_)));
        if (!read) {
            why.append("it cannot be read"sv);
            return false;
        }
        used_ = *read;
        return true;
    }
    MappedText() noexcept = default;
    MappedText(const MappedText&) = delete;
    MappedText& operator=(const MappedText&) = delete;
    ~MappedText() {
        if (room_ != nullptr) {
            os::release(room_, room_bytes_);
        }
    }
    [[nodiscard]] std::string_view view() const noexcept { return {room_, used_}; }

private:
    char* room_ = nullptr;
    std::size_t room_bytes_ = 0;
    std::size_t used_ = 0;
};

// The heap and the preload library both ask; what is wrong is said once.
constinit std::atomic<bool> complained{false};

void complain(std::string_view mistake) noexcept {
    // Relaxed: it protects nothing but the line itself.
    if (!complained.exchange(true, std::memory_order_relaxed)) {
        Text<1024> line;
        line.append("heapwright: "sv).append(mistake).append("; the program runs with the defaults"sv);
        os::write_stderr_line(line.view());
    }
}

}  // namespace

bool read_memory_config(std::string_view text, std::string_view name, MemoryConfig& config, SiteSink sites, TextBuffer& mistake) noexcept {
    config = MemoryConfig();
    Reading reading(text, name, config, sites, mistake);
    if (reading.run()) {
        return true;
    }
    config = MemoryConfig();
    return false;
}

bool read_memory_config_file(const char* path, MemoryConfig& config, SiteSink sites, TextBuffer& mistake) noexcept {
    config = MemoryConfig();
    MappedText text;
    Text<256> why;
    if (!text.read(path, why)) {
        mistake.append("cannot read '"sv).append(path).append("': "sv).append(why.view());
        return false;
    }
    return read_memory_config(text.view(), path, config, {}, mistake) && read_memory_config(text.view(), path, config, sites, mistake);
}

bool is_process_configured() noexcept {
    Text<2> beginning;  // one letter and the closing zero: whether there is any
    return !os::runs_with_raised_rights() && append_variable(kConfigVariable, beginning) && !beginning.view().empty();
}

bool read_memory_config_of_process(MemoryConfig& config, SiteSink sites) noexcept {
    config = MemoryConfig();
    Text<kPathLettersMax> path;
    if (os::runs_with_raised_rights() || !append_variable(kConfigVariable, path) || path.view().empty()) {
        return false;
    }
    Text<768> mistake;
    if (read_memory_config_file(path.c_str(), config, sites, mistake)) {
        return true;
    }
    complain(mistake.view());
    return false;
}

}  // namespace heapwright::config
