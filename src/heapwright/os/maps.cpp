// Reads /proc/self/maps and smaps through a window of the caller's buffer.
#include <heapwright/os/maps.hpp>

#include <heapwright/base/check.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::os {
namespace {

constexpr std::size_t kPathRoomBytes = kMapsBufferBytes / 2;

bool take_char(std::string_view& text, char letter) noexcept {
    if (text.empty() || text.front() != letter) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// Hands out a file's lines without their newlines. A line longer than the room is cut.
class LineReader {
public:
    LineReader(File& file, std::span<char> room) noexcept : file_(file), room_(room) {}

    /// Returns:  false at the end; or what reading failed with.
    Result<bool> next(std::string_view& line) noexcept {
        for (;;) {
            const std::string_view seen(room_.data() + begin_, end_ - begin_);
            const std::size_t newline = seen.find('\n');
            if (newline != std::string_view::npos) {
                begin_ += newline + 1;
                if (skipping_) {
                    skipping_ = false;
                    continue;
                }
                line = head_of(seen, newline);
                return true;
            }
            if (skipping_) {
                begin_ = end_;
            } else if (seen.size() == room_.size()) {
                skipping_ = true;
                begin_ = end_;
                line = seen;
                return true;
            }
            const Result<bool> more = refill();
            if (!more) {
                return more;
            }
            if (!*more) {
                line = {room_.data() + begin_, end_ - begin_};
                begin_ = end_;
                return !skipping_ && !line.empty();
            }
        }
    }

private:
    Result<bool> refill() noexcept {
        __builtin_memmove(room_.data(), room_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        const Result<std::size_t> got = file_.read_some(std::as_writable_bytes(room_.subspan(end_)));
        if (!got) {
            return std::unexpected(got.error());
        }
        end_ += *got;
        return *got > 0;
    }

    File& file_;
    std::span<char> room_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool skipping_ = false;  // the rest of a cut line
};

/// "VmFlags: rd wr mr mw me ac rr dd": the two that mark_observer_pages() leaves, on memory without a file.
bool has_observers_flags(std::string_view flags, const Mapping& mapping) noexcept {
    return mapping.inode == 0 && flags.find(" dd") != std::string_view::npos && flags.find(" rr") != std::string_view::npos;
}

/// "Rss:                 12 kB"; other keys are passed over.
void take_counter(std::string_view line, Mapping& mapping) noexcept {
    if (line.starts_with("VmFlags:")) {
        mapping.is_observers = has_observers_flags(line, mapping);
        return;
    }
    struct Key {
        std::string_view name;
        std::uint64_t Mapping::* field;
    };
    static constexpr Key kKeys[] = {{.name = "Rss:", .field = &Mapping::resident_bytes},
                                    {.name = "Anonymous:", .field = &Mapping::anonymous_bytes},
                                    {.name = "AnonHugePages:", .field = &Mapping::huge_bytes},
                                    {.name = "Swap:", .field = &Mapping::swapped_bytes}};
    for (const Key& key : kKeys) {
        if (!line.starts_with(key.name)) {
            continue;
        }
        line.remove_prefix(key.name.size());
        while (take_char(line, ' ')) {}
        std::uint64_t kibibytes = 0;
        if (take_decimal(line, kibibytes)) {
            mapping.*key.field = kibibytes * 1024;
        }
        return;
    }
}

/// Turns lines into mappings: hands each over when the next one begins, because counters follow it.
class MappingWalk {
public:
    MappingWalk(std::span<char> path_room, MapsDetail detail, MappingCallback callback, void* context) noexcept
        : path_(path_room.data(), path_room.size()), detail_(detail), callback_(callback), context_(context) {}

    /// Returns:  false when the callback wants no more.
    Result<bool> take(std::string_view line) noexcept {
        if (!line.empty() && line.front() >= 'A' && line.front() <= 'Z') {
            take_counter(line, mapping_);
            return true;
        }
        if (!finish()) {
            return false;
        }
        mapping_ = Mapping{};
        if (!detail::parse_maps_line(line, mapping_)) {
            return fail_with(Errc::damaged_data, handed_over_);
        }
        path_.clear();
        path_.append(mapping_.path);
        mapping_.path = path_.view();
        mapping_.has_counters = detail_ == MapsDetail::counters;
        pending_ = true;
        return true;
    }

    bool finish() noexcept {
        if (!pending_) {
            return true;
        }
        pending_ = false;
        ++handed_over_;
        return callback_(mapping_, context_);
    }

    [[nodiscard]] std::size_t handed_over() const noexcept { return handed_over_; }

private:
    TextBuffer path_;
    MapsDetail detail_;
    MappingCallback callback_;
    void* context_;
    Mapping mapping_;
    std::size_t handed_over_ = 0;
    bool pending_ = false;
};

}  // namespace

bool detail::parse_maps_line(std::string_view line, Mapping& mapping) noexcept {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    if (!take_hex(line, start) || !take_char(line, '-') || !take_hex(line, end) || !take_char(line, ' ') || end < start) {
        return false;
    }
    if (line.size() < 5 || line[4] != ' ') {
        return false;
    }
    mapping.start = start;
    mapping.end = end;
    mapping.readable = line[0] == 'r';
    mapping.writable = line[1] == 'w';
    mapping.executable = line[2] == 'x';
    mapping.shared = line[3] == 's';
    line.remove_prefix(5);
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    if (!take_hex(line, mapping.offset) || !take_char(line, ' ') || !take_hex(line, major) || !take_char(line, ':') ||
        !take_hex(line, minor) || !take_char(line, ' ') || !take_decimal(line, mapping.inode)) {
        return false;
    }
    mapping.device_major = static_cast<std::uint32_t>(major);
    mapping.device_minor = static_cast<std::uint32_t>(minor);
    while (take_char(line, ' ')) {}
    mapping.path = line;
    return true;
}

Result<std::size_t> for_each_mapping_in(const char* path, std::span<char> buffer, MapsDetail detail, MappingCallback callback,
                                        void* context) noexcept {
    HEAPWRIGHT_CHECK(buffer.size() >= kMapsBufferBytes, "the buffer for mappings is too small");
    Result<File> file = File::open_read(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    MappingWalk walk(buffer.first(kPathRoomBytes), detail, callback, context);
    LineReader lines(*file, buffer.subspan(kPathRoomBytes));
    std::string_view line;
    for (;;) {
        const Result<bool> got = lines.next(line);
        if (!got) {
            return std::unexpected(got.error());
        }
        if (!*got) {
            break;
        }
        const Result<bool> wants_more = walk.take(line);
        if (!wants_more) {
            return std::unexpected(wants_more.error());
        }
        if (!*wants_more) {
            return walk.handed_over();
        }
    }
    walk.finish();
    return walk.handed_over();
}

Result<std::size_t> for_each_mapping(std::span<char> buffer, MapsDetail detail, MappingCallback callback, void* context) noexcept {
    const char* path = detail == MapsDetail::counters ? "/proc/self/smaps" : "/proc/self/maps";
    return for_each_mapping_in(path, buffer, detail, callback, context);
}

}  // namespace heapwright::os
