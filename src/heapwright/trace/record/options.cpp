// Reading HEAPWRIGHT_RECORD, and naming files.
#include <heapwright/trace/record/options.hpp>

#include <cstring>

#include <sys/syscall.h>

#include <heapwright/os/syscall.hpp>
#include <heapwright/trace/record/text_parts.hpp>

namespace heapwright::trace::record {

namespace {

bool copy_text(std::string_view from, char* to, std::size_t room) noexcept {
    if (from.size() >= room) {
        return false;
    }
    std::memcpy(to, from.data(), from.size());
    to[from.size()] = '\0';
    return true;
}

bool read_number(std::string_view text, std::uint64_t& number) noexcept { return take_decimal(text, number) && text.empty(); }

bool read_flag(std::string_view text, bool& flag) noexcept {
    flag = text == "1" || text == "yes" || text == "on";
    return flag || text == "0" || text == "no" || text == "off";
}

bool read_stack(std::string_view text, stack::StackMode& mode) noexcept {
    if (text == "none") {
        mode = stack::StackMode::none;
    } else if (text == "frames") {
        mode = stack::StackMode::frames;
    } else {
        mode = stack::StackMode::full;
    }
    return text == "full" || mode != stack::StackMode::full;
}

bool set(Options& options, std::string_view key, std::string_view value) noexcept {
    std::uint64_t number = 0;
    if (key == "out") {
        return !value.empty() && copy_text(value, options.out, sizeof(options.out));
    }
    if (key == "fallback") {
        return copy_text(value, options.fallback, sizeof(options.fallback));
    }
    if (key == "stack") {
        return read_stack(value, options.stack);
    }
    if (key == "mappings") {
        return read_flag(value, options.mappings);
    }
    if (key == "children") {
        return read_flag(value, options.children);
    }
    if (!read_number(value, number)) {
        return false;
    }
    if (key == "first") {
        options.first_pid = static_cast<std::uint32_t>(number);
    } else if (key == "depth") {
        options.depth = number == 0 ? kDefaultDepth : static_cast<unsigned>(number < 1024 ? number : 1024);
    } else if (key == "sample") {
        options.sample_interval_bytes = number;
    } else if (key == "max_size") {
        options.max_file_bytes = number;
    } else if (key == "duration_ms") {
        options.duration_ns = number * 1'000'000;
    } else {
        return false;
    }
    return true;
}

void prepend_folder(char* path, std::size_t room, const char* folder, std::size_t folder_bytes) noexcept {
    const std::size_t path_bytes = std::strlen(path);
    if (path_bytes == 0 || path[0] == '/' || folder_bytes + 1 + path_bytes >= room) {
        return;
    }
    std::memmove(path + folder_bytes + 1, path, path_bytes + 1);
    std::memcpy(path, folder, folder_bytes);
    path[folder_bytes] = '/';
}

void append_pid(TextBuffer& text, std::uint32_t pid, unsigned attempt) noexcept {
    text.append_decimal(pid);
    if (attempt > 1) {
        text.append("-").append_decimal(attempt);
    }
}

/// `name` with the process number in it.
void append_numbered(TextBuffer& text, std::string_view name, std::uint32_t pid, unsigned attempt) noexcept {
    const std::size_t mark = name.find("%p");
    if (mark != std::string_view::npos) {
        text.append(name.substr(0, mark));
        append_pid(text, pid, attempt);
        text.append(without_first(name, mark + 2));
        return;
    }
    std::size_t dot = name.rfind('.');
    const std::size_t slash = name.rfind('/');
    if (dot == std::string_view::npos || (slash != std::string_view::npos && dot < slash)) {
        dot = name.size();
    }
    text.append(name.substr(0, dot)).append(".");
    append_pid(text, pid, attempt);
    text.append(without_first(name, dot));
}

}  // namespace

bool Options::parse(std::string_view text) noexcept {
    bool understood = true;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view item = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : without_first(text, comma + 1);
        const std::size_t equals = item.find('=');
        if (item.empty()) {
            continue;
        }
        understood = equals != std::string_view::npos && set(*this, item.substr(0, equals), without_first(item, equals + 1)) && understood;
    }
    return understood;
}

void Options::make_absolute() noexcept {
    char folder[kPathBytesMax];
    const long bytes = os::raw_syscall(SYS_getcwd, folder, sizeof(folder));
    if (bytes <= 1 || folder[0] != '/') {
        return;  // "(unreachable)": relative names are still right as long as nobody changes the folder
    }
    const auto length = static_cast<std::size_t>(bytes) - 1;
    prepend_folder(out, sizeof(out), folder, length == 1 ? 0 : length);
    prepend_folder(fallback, sizeof(fallback), folder, length == 1 ? 0 : length);
}

void Options::append_path(TextBuffer& path, std::uint32_t pid, unsigned attempt) const noexcept {
    const std::string_view name(out);
    if (pid == first_pid && attempt == 1 && name.find("%p") == std::string_view::npos) {
        path.append(name);
        return;
    }
    append_numbered(path, name, pid, attempt);
}

void Options::append_fallback_path(TextBuffer& path, std::uint32_t pid, unsigned attempt) const noexcept {
    path.append(fallback).append("/");
    append_numbered(path, file_name_of(out), pid, attempt);
}

}  // namespace heapwright::trace::record
