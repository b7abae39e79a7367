#include <heapwright/study/doctor/mappings.hpp>

#include <charconv>
#include <optional>

#include <heapwright/os/maps.hpp>

namespace heapwright::study::doctor {

namespace {

/// "Rss:                 8 kB": the counter's place in the mapping, or nothing for a counter that is not kept.
std::uint64_t* counter_of(ProcessMapping& mapping, std::string_view name) {
    if (name == "Rss") {
        return &mapping.resident_bytes;
    }
    if (name == "Anonymous") {
        return &mapping.anonymous_bytes;
    }
    if (name == "LazyFree") {
        return &mapping.lazy_free_bytes;
    }
    if (name == "AnonHugePages") {
        return &mapping.huge_bytes;
    }
    return name == "Swap" ? &mapping.swapped_bytes : nullptr;
}

/// Whether the line is a counter; if it is one that is kept, reads it.
bool read_counter(std::string_view line, ProcessMapping& mapping) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line.find_first_of(" -") < colon) {
        return false;
    }
    if (line.starts_with("VmFlags:")) {
        mapping.wants_huge_pages = line.find(" hg", colon) != std::string_view::npos;
        return true;
    }
    std::uint64_t* const counter = counter_of(mapping, line.substr(0, colon));
    const std::size_t at = line.find_first_of("0123456789", colon);
    if (counter != nullptr && at != std::string_view::npos) {
        std::from_chars(line.data() + at, line.data() + line.size(), *counter);
        *counter <<= 10;
    }
    return true;
}

std::optional<ProcessMapping> read_mapping(std::string_view line) {
    os::Mapping read;
    if (!os::detail::parse_maps_line(line, read) || read.end <= read.start) {
        return std::nullopt;
    }
    ProcessMapping mapping;
    mapping.start = read.start;
    mapping.end = read.end;
    mapping.inode = read.inode;
    mapping.readable = read.readable;
    mapping.writable = read.writable;
    mapping.executable = read.executable;
    mapping.shared = read.shared;
    mapping.path = read.path;
    return mapping;
}

}  // namespace

std::string_view ProcessMapping::file_name() const {
    std::string_view name = path;
    if (constexpr std::string_view kDeleted = " (deleted)"; name.ends_with(kDeleted)) {
        name.remove_suffix(kDeleted.size());
    }
    return name.substr(name.rfind('/') + 1);
}

Result<std::vector<ProcessMapping>> parse_mappings(std::string_view text) {
    std::vector<ProcessMapping> mappings;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        if (!line.empty() && (mappings.empty() || !read_counter(line, mappings.back()))) {
            auto mapping = read_mapping(line);
            if (!mapping) {
                return fail_with(Errc::damaged_data, at);
            }
            mappings.push_back(std::move(*mapping));
        }
        at = end + 1;
    }
    return mappings;
}

}  // namespace heapwright::study::doctor
