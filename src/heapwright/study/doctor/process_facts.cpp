#include <heapwright/study/doctor/process_facts.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace heapwright::study::doctor {

namespace {

constexpr std::uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD of the kernel

std::string folder_of(int pid) { return "/proc/" + std::to_string(pid); }

/// What /proc/PID/stat says, counted from behind the name, which may hold blanks and brackets.
struct Stat {
    std::string name;
    char state = '?';
    int parent = 0;
    std::uint64_t rss_pages = 0;
    std::uint64_t flags = 0;
    std::uint64_t start_time = 0;
};

Result<Stat> read_stat(int pid) {
    auto text = read_text(folder_of(pid) + "/stat");
    if (!text) {
        return std::unexpected(text.error());
    }
    const std::size_t open = text->find('(');
    const std::size_t close = text->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) {
        return fail_with(Errc::damaged_data);
    }
    Stat stat;
    stat.name = text->substr(open + 1, close - open - 1);
    std::size_t at = close + 1;
    constexpr int kState = 3;
    constexpr int kParent = 4;
    constexpr int kFlags = 9;
    constexpr int kStartTime = 22;
    constexpr int kRss = 24;
    for (int field = kState; field <= kRss && at < text->size(); ++field) {
        at = text->find_first_not_of(" \n", at);
        if (at == std::string::npos) {
            break;
        }
        const std::size_t end = std::min(text->find_first_of(" \n", at), text->size());
        std::uint64_t number = 0;
        std::from_chars(text->data() + at, text->data() + end, number);
        if (field == kState) {
            stat.state = (*text)[at];
        } else if (field == kParent) {
            stat.parent = static_cast<int>(number);
        } else if (field == kRss) {
            stat.rss_pages = number;
        } else if (field == kFlags) {
            stat.flags = number;
        } else if (field == kStartTime) {
            stat.start_time = number;
        }
        at = end;
    }
    return stat;
}

/// The value behind `name` ("HOME=") in a text of variables that end with a zero each; empty where there is none.
std::string variable_in(std::string_view variables, std::string_view name) {
    while (!variables.empty()) {
        const std::size_t end = std::min(variables.find('\0'), variables.size());
        const std::string_view variable = variables.substr(0, end);
        if (variable.starts_with(name)) {
            return std::string{variable.substr(name.size())};
        }
        variables.remove_prefix(std::min(end + 1, variables.size()));
    }
    return {};
}

/// A file of /proc that is gone, or whose process is, was not found.
std::unexpected<Error> failure_of(int reason, std::size_t offset) {
    if (reason == EACCES || reason == EPERM) {
        return fail_with(Errc::permission_denied, offset, reason);
    }
    return fail_with(reason == ENOENT || reason == ESRCH ? Errc::not_found : Errc::io_failed, offset, reason);
}

/// The number behind `key` in /proc/PID/status; 0 where there is none.
std::uint64_t number_in(std::string_view text, std::string_view key) {
    const std::size_t found = text.find(key);
    if (found == std::string_view::npos) {
        return 0;
    }
    const std::size_t at = text.find_first_of("0123456789", found + key.size());
    std::uint64_t number = 0;
    if (at != std::string_view::npos) {
        std::from_chars(text.data() + at, text.data() + text.size(), number);
    }
    return number;
}

/// What kind of program the executable is. Where it may not be read, the usual kind is assumed.
void read_executable(ProcessFacts& process) {
    const std::string link = folder_of(process.pid) + "/exe";
    std::array<char, 4096> target{};
    if (const ssize_t length = readlink(link.c_str(), target.data(), target.size()); length > 0) {
        process.executable.assign(target.data(), static_cast<std::size_t>(length));
    }
    const int file = open(link.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    std::array<unsigned char, 4096> head{};
    const ssize_t got = pread(file, head.data(), head.size(), 0);
    close(file);
    if (got < static_cast<ssize_t>(sizeof(Elf64_Ehdr)) || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) {
        return;
    }
    process.is_64_bit = head[EI_CLASS] == ELFCLASS64;
    if (!process.is_64_bit) {
        return;
    }
    Elf64_Ehdr header{};
    std::memcpy(&header, head.data(), sizeof(header));
    process.is_static = true;
    for (std::size_t index = 0; index < header.e_phnum; ++index) {
        const std::size_t at = header.e_phoff + index * sizeof(Elf64_Phdr);
        if (at + sizeof(Elf64_Phdr) > static_cast<std::size_t>(got)) {
            process.is_static = false;  // headers elsewhere: nothing is known
            return;
        }
        Elf64_Phdr part{};
        std::memcpy(&part, head.data() + at, sizeof(part));
        if (part.p_type == PT_INTERP) {
            process.is_static = false;
        }
    }
}

}  // namespace

std::unexpected<Error> refuse(Refusal refusal, std::uint64_t number, int system_errno) {
    Error error{.kind = Errc::not_found,
                .system_errno = static_cast<std::uint16_t>(system_errno),
                .detail = static_cast<std::uint32_t>(refusal),
                .number = number};
    if (refusal == Refusal::not_permitted) {
        error.kind = Errc::permission_denied;
    } else if (refusal == Refusal::kernel_thread || refusal == Refusal::zombie) {
        error.kind = Errc::unsupported;
    }
    return std::unexpected(error);
}

Result<std::string> read_text(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return failure_of(errno, 0);
    }
    std::string text;
    std::string piece(std::size_t{64} << 10, '\0');
    ssize_t got = 0;
    do {
        got = read(file, piece.data(), piece.size());
        text.append(piece, 0, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    } while (got > 0 || (got < 0 && errno == EINTR));
    const int reason = errno;
    close(file);
    if (got < 0) {
        return failure_of(reason, text.size());
    }
    return text;
}

Result<ProcessFacts> read_process_facts(int pid) {
    const auto stat = read_stat(pid);
    if (!stat) {
        return refuse(stat.error().kind == Errc::permission_denied ? Refusal::not_permitted : Refusal::no_such_process, 0,
                      stat.error().system_errno);
    }
    if (stat->state == 'Z' || stat->state == 'X') {
        return refuse(Refusal::zombie);
    }
    if ((stat->flags & kKernelThreadFlag) != 0) {
        return refuse(Refusal::kernel_thread);
    }
    const auto status = read_text(folder_of(pid) + "/status");
    if (!status) {
        return refuse(Refusal::ended);
    }
    ProcessFacts process;
    process.pid = pid;
    process.name = stat->name;
    process.start_time = stat->start_time;
    process.user = static_cast<std::uint32_t>(number_in(*status, "\nUid:"));
    process.threads = static_cast<std::uint32_t>(number_in(*status, "\nThreads:"));
    process.status_rss_bytes = number_in(*status, "\nVmRSS:") << 10;
    read_executable(process);
    process.preloaded = variable_in(read_text(folder_of(pid) + "/environ").value_or(""), "LD_PRELOAD=");
    return process;
}

namespace {

struct Known {
    int parent;
    Descendant process;
};

/// Every process of the machine that has memory.
std::map<int, Known> all_processes() {
    std::map<int, Known> all;
    std::error_code ignored;  // processes come and go while their list is read
    for (std::filesystem::directory_iterator at("/proc", ignored), end; at != end; at.increment(ignored)) {
        const std::string name = at->path().filename().string();
        int number = 0;
        if (const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), number);
            error != std::errc{} || rest != name.data() + name.size()) {
            continue;
        }
        if (const auto stat = read_stat(number); stat && stat->state != 'Z' && stat->state != 'X') {
            const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
            all[number] = {.parent = stat->parent,
                           .process = {.pid = number, .name = stat->name, .rss_bytes = stat->rss_pages * page_bytes}};
        }
    }
    return all;
}

}  // namespace

std::vector<Descendant> descendants_of(int pid) {
    const std::map<int, Known> all = all_processes();
    std::vector<Descendant> found;
    for (const auto& [number, known] : all) {
        int parent = known.parent;
        for (std::size_t steps = 0; parent > 1 && parent != pid && steps < all.size(); ++steps) {  // a number may have been given anew
            const auto next = all.find(parent);
            parent = next == all.end() ? 0 : next->second.parent;
        }
        if (parent == pid) {
            found.push_back(known.process);
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const Descendant& a, const Descendant& b) { return a.rss_bytes > b.rss_bytes; });
    return found;
}

bool is_still_there(const ProcessFacts& process) {
    const auto stat = read_stat(process.pid);
    return stat && stat->start_time == process.start_time && stat->state != 'Z' && stat->state != 'X';
}

}  // namespace heapwright::study::doctor
