// Small files of /proc and /sys, turned into numbers.
#include <heapwright/os/process.hpp>

#include <initializer_list>
#include <string_view>

#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <heapwright/os/file.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::os {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kNsPerMicrosecond = 1'000;

/// A small file's text in a buffer of its own.
class SmallFile {
public:
    explicit SmallFile(const char* path) noexcept : length_(read_file(path, room_).value_or(0)) {}
    [[nodiscard]] std::string_view text() const noexcept { return {room_, length_}; }

private:
    char room_[4096];
    std::size_t length_;
};

std::uint64_t ns_of(const timeval& time) noexcept {
    return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(time.tv_usec) * kNsPerMicrosecond;
}

/// The rest of the first line that begins with `key`, without leading blanks, ':' and tabs; empty if there is none.
std::string_view value_of(std::string_view text, std::string_view key) noexcept {
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        std::string_view line = head_of(text, newline);
        if (line.starts_with(key)) {
            line.remove_prefix(key.size());
            const std::size_t value = line.find_first_not_of(": \t");
            return value == std::string_view::npos ? std::string_view() : tail_of(line, value);
        }
        text = newline == std::string_view::npos ? std::string_view() : tail_of(text, newline + 1);
    }
    return {};
}

void lower(std::uint64_t& limit, std::uint64_t candidate) noexcept {
    if (candidate < limit) {
        limit = candidate;
    }
}

using GroupPath = Text<1024>;

/// Reads "max" as no limit.
std::uint64_t limit_in(std::string_view text) noexcept {
    std::uint64_t number = GroupLimits::kNone;
    // Version 1 says "no limit" with the largest multiple of a page.
    constexpr std::uint64_t kAbsurd = std::uint64_t{1} << 62;
    return take_decimal(text, number) && number < kAbsurd ? number : GroupLimits::kNone;
}

/// "50000 100000": quota and period in microseconds; "max 100000" or a negative quota is no limit.
std::uint64_t millicores_in(std::string_view quota_text, std::string_view period_text) noexcept {
    std::uint64_t quota = 0;
    std::uint64_t period = 0;
    if (!take_decimal(quota_text, quota) || !take_decimal(period_text, period) || period == 0) {
        return GroupLimits::kNone;
    }
    return quota * 1000 / period;
}

void take_version_2(const char* folder, GroupLimits& limits) noexcept {
    GroupPath path;
    path.append(folder).append("/memory.max");
    lower(limits.memory_bytes, limit_in(SmallFile(path.c_str()).text()));
    path.clear();
    path.append(folder).append("/cpu.max");
    const SmallFile cpu(path.c_str());
    const std::size_t blank = cpu.text().find(' ');
    if (blank != std::string_view::npos) {
        lower(limits.cpu_millicores, millicores_in(cpu.text(), tail_of(cpu.text(), blank + 1)));
    }
}

void take_version_1(const char* folder, GroupLimits& limits) noexcept {
    GroupPath path;
    path.append(folder).append("/memory.limit_in_bytes");
    lower(limits.memory_bytes, limit_in(SmallFile(path.c_str()).text()));
    path.clear();
    path.append(folder).append("/cpu.cfs_quota_us");
    const SmallFile quota(path.c_str());
    path.clear();
    path.append(folder).append("/cpu.cfs_period_us");
    const SmallFile period(path.c_str());
    lower(limits.cpu_millicores, millicores_in(quota.text(), period.text()));
}

/// Visits root + group and each parent of it, up to root itself.
void walk_up(std::string_view root, std::string_view group, void (*take)(const char*, GroupLimits&) noexcept,
             GroupLimits& limits) noexcept {
    for (;;) {
        GroupPath folder;
        folder.append(root).append(group);
        take(folder.c_str(), limits);
        const std::size_t slash = group.rfind('/');
        if (slash == std::string_view::npos) {
            return;
        }
        group = head_of(group, slash);
    }
}

/// One line of /proc/self/cgroup: "0::/group" or "4:cpu,cpuacct:/group".
void take_group_line(std::string_view line, GroupLimits& limits) noexcept {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
        return;
    }
    const std::string_view controllers = head_of(tail_of(line, first + 1), second - first - 1);
    std::string_view group = tail_of(line, second + 1);
    if (group == "/") {
        group = {};
    }
    if (controllers.empty()) {
        walk_up("/sys/fs/cgroup", group, &take_version_2, limits);
    } else if (controllers == "memory") {
        walk_up("/sys/fs/cgroup/memory", group, &take_version_1, limits);
    } else if (controllers == "cpu" || controllers.starts_with("cpu,")) {
        walk_up("/sys/fs/cgroup/cpu", group, &take_version_1, limits);
    }
}

}  // namespace

Result<ResidentMemory> resident_memory() noexcept {
    char room[128];
    const Result<std::size_t> got = read_file("/proc/self/statm", room);
    if (!got) {
        return std::unexpected(got.error());
    }
    std::string_view text(room, *got);
    std::uint64_t pages[3] = {};
    for (std::uint64_t& number : pages) {
        while (text.starts_with(' ')) {
            text.remove_prefix(1);
        }
        if (!take_decimal(text, number)) {
            return fail_with(Errc::damaged_data);
        }
    }
    return ResidentMemory{
        .virtual_bytes = pages[0] * kPageBytes, .resident_bytes = pages[1] * kPageBytes, .shared_bytes = pages[2] * kPageBytes};
}

ResourceUse resource_use() noexcept {
    rusage use{};
    static_cast<void>(raw_syscall(SYS_getrusage, RUSAGE_SELF, &use));  // cannot fail for RUSAGE_SELF
    return ResourceUse{.peak_resident_bytes = static_cast<std::uint64_t>(use.ru_maxrss) * 1024,
                       .minor_faults = static_cast<std::uint64_t>(use.ru_minflt),
                       .major_faults = static_cast<std::uint64_t>(use.ru_majflt),
                       .user_ns = ns_of(use.ru_utime),
                       .system_ns = ns_of(use.ru_stime),
                       .voluntary_switches = static_cast<std::uint64_t>(use.ru_nvcsw),
                       .involuntary_switches = static_cast<std::uint64_t>(use.ru_nivcsw)};
}

void append_kernel_release(TextBuffer& text) noexcept {
    utsname names{};
    static_cast<void>(raw_syscall(SYS_uname, &names));  // cannot fail with a good address
    text.append(static_cast<const char*>(names.release));
}

void append_cpu_model(TextBuffer& text) noexcept {
    const SmallFile file("/proc/cpuinfo");
    const std::string_view model = value_of(file.text(), "model name");
    text.append(model.empty() ? std::string_view("unknown") : model);
}

Result<void> append_program_path(TextBuffer& text) noexcept {
    char room[4096];
    const long length = raw_syscall(SYS_readlink, "/proc/self/exe", static_cast<char*>(room), sizeof room);
    if (is_failure(length)) {
        return std::unexpected(file_error(errno_of(length)));
    }
    text.append({room, static_cast<std::size_t>(length)});
    return {};
}

Result<void> append_command_line(TextBuffer& text, char separator) noexcept {
    Result<File> file = File::open_read("/proc/self/cmdline");
    if (!file) {
        return std::unexpected(file.error());
    }
    bool pending = false;  // a separator that is written only if another word follows
    char room[1024];
    for (;;) {
        const Result<std::size_t> got = file->read_some(std::as_writable_bytes(std::span(room)));
        if (!got) {
            return std::unexpected(got.error());
        }
        if (*got == 0) {
            return {};
        }
        for (const char letter : std::string_view(room, *got)) {
            if (pending) {
                text.append_char(separator);
            }
            pending = letter == '\0';
            if (!pending) {
                text.append_char(letter);
            }
        }
    }
}

HugePageMode huge_page_mode() noexcept {
    const SmallFile file("/sys/kernel/mm/transparent_hugepage/enabled");
    for (const HugePageMode mode : {HugePageMode::never, HugePageMode::madvise, HugePageMode::always}) {
        Text<16> word;
        word.append("[").append(name_of(mode)).append("]");
        if (file.text().find(word.view()) != std::string_view::npos) {
            return mode;
        }
    }
    return HugePageMode::unknown;
}

const char* name_of(HugePageMode mode) noexcept {
    switch (mode) {
        case HugePageMode::unknown: return "unknown";
        case HugePageMode::never: return "never";
        case HugePageMode::madvise: return "madvise";
        case HugePageMode::always: return "always";
    }
    return "unknown";
}

std::uint32_t usable_cores() noexcept {
    unsigned char bits[1024] = {};  // 8192 processors, the most Linux can be built for
    const long bytes = raw_syscall(SYS_sched_getaffinity, 0, sizeof bits, static_cast<unsigned char*>(bits));
    std::uint32_t cores = 0;
    for (long index = 0; index < bytes; ++index) {
        for (unsigned byte = bits[index]; byte != 0; byte &= byte - 1) {
            ++cores;
        }
    }
    return cores == 0 ? 1 : cores;
}

GroupLimits group_limits() noexcept {
    GroupLimits limits;
    const SmallFile file("/proc/self/cgroup");
    std::string_view text = file.text();
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        take_group_line(head_of(text, newline), limits);
        text = newline == std::string_view::npos ? std::string_view() : tail_of(text, newline + 1);
    }
    return limits;
}

bool runs_with_raised_rights() noexcept { return ::getauxval(AT_SECURE) != 0; }

}  // namespace heapwright::os
