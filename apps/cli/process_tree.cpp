#include "process_tree.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace heapwright::cli {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

/// The fields of /proc/PID/stat from the state on: the name before them may hold anything.
std::istringstream fields_of(pid_t process) {
    std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    const std::size_t name_end = text.rfind(')');
    return std::istringstream{name_end == std::string::npos ? std::string{} : text.substr(name_end + 1)};
}

std::string skipped(std::istringstream& fields, int count) {
    std::string field;
    while (count-- > 0) {
        fields >> field;
    }
    return field;
}

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::unordered_multimap<pid_t, pid_t> children_by_parent() {
    std::unordered_multimap<pid_t, pid_t> children;
    DIR* folder = opendir("/proc");
    while (const dirent* entry = folder != nullptr ? readdir(folder) : nullptr) {
        if (const auto process = static_cast<pid_t>(number(entry->d_name)); process > 0) {
            std::istringstream fields = fields_of(process);
            children.emplace(static_cast<pid_t>(number(skipped(fields, 2))), process);
        }
    }
    if (folder != nullptr) {
        closedir(folder);
    }
    return children;
}

std::uint64_t resident_bytes(const std::string& folder) {
    std::ifstream file{folder + "/statm"};
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    file >> pages >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t root) {
    const auto children = children_by_parent();
    std::vector<pid_t> found{root};
    for (std::size_t at = 0; at < found.size(); ++at) {
        const auto [first, last] = children.equal_range(found[at]);
        std::transform(first, last, std::back_inserter(found), [](const auto& entry) { return entry.second; });
    }
    found.erase(found.begin());
    return found;
}

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

unsigned end_orphans() {
    constexpr int kGraceHundredths = 100;
    unsigned count = 0;
    for (const int number : {SIGTERM, SIGKILL}) {
        for (int i = 0; i < kGraceHundredths; ++i) {
            while (waitpid(-1, nullptr, WNOHANG) > 0) {}
            const std::vector<pid_t> left = descendants_of(getpid());
            if (left.empty()) {
                return count;
            }
            if (i == 0) {
                count = std::max(count, static_cast<unsigned>(left.size()));
                std::ranges::for_each(left, [number](pid_t process) { kill(process, number); });
            }
            usleep(10'000);
        }
    }
    return count;
}

std::uint64_t proportional_bytes(pid_t process) {
    const std::string folder = "/proc/" + std::to_string(process);
    std::ifstream file{folder + "/smaps_rollup"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("Pss:")) {
            std::istringstream rest{line.substr(4)};
            std::uint64_t kib = 0;
            rest >> kib;
            return kib * 1024;
        }
    }
    return resident_bytes(folder);
}

std::uint64_t cpu_ns_of(pid_t process) {
    std::istringstream fields = fields_of(process);
    const std::uint64_t user = number(skipped(fields, 12));
    const std::uint64_t system = number(skipped(fields, 1));
    return (user + system) * (kNsPerSecond / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
}

}  // namespace heapwright::cli
