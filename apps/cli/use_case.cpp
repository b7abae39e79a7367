#include "use_case.hpp"

#include <algorithm>
#include <array>

#include "sizes.hpp"

#include <heapwright/study/report/units.hpp>

namespace heapwright::cli {
namespace {

constexpr std::uint64_t kKi = 1024;
constexpr std::uint64_t kMi = kKi * kKi;
constexpr std::uint64_t kLeastBytes = 8;  // each block holds a stamp of one word
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
constexpr unsigned kMostThreads = 1024;

constexpr std::array kUseCases{
    UseCase{.name = "server",
            .meaning = "threads with sessions; most blocks die young, some in another thread",
            .threads = 4,
            .least_bytes = 16,
            .most_bytes = 2 * kKi,
            .live_bytes = 64 * kMi,
            .operations = 8'000'000,
            .order = "random",
            .brief_percent = 80,
            .handed_over_percent = 20},
    UseCase{.name = "cache",
            .meaning = "entries of many sizes; the oldest makes room",
            .threads = 2,
            .least_bytes = 32,
            .most_bytes = 8 * kKi,
            .live_bytes = 256 * kMi,
            .operations = 3'000'000,
            .order = "oldest"},
    UseCase{.name = "queue",
            .meaning = "messages that one thread makes and the next one frees",
            .threads = 2,
            .least_bytes = 64,
            .most_bytes = kKi,
            .live_bytes = 4 * kMi,
            .operations = 8'000'000,
            .order = "oldest",
            .handed_over_percent = 100},
    UseCase{.name = "documents",
            .meaning = "trees of small nodes, built and freed as a whole",
            .threads = 1,
            .least_bytes = 16,
            .most_bytes = 512,
            .live_bytes = 128 * kMi,
            .operations = 4'000'000,
            .order = "newest",
            .brief_percent = 50},
    UseCase{.name = "frames",
            .meaning = "what a frame needs, freed at its end",
            .threads = 1,
            .least_bytes = 16,
            .most_bytes = 4 * kKi,
            .live_bytes = 4 * kMi,
            .operations = 8'000'000,
            .order = "newest"},
};

std::string percent_problem(const char* option, unsigned percent) {
    return percent <= 100 ? "" : std::string{option} + " is a part of all blocks; give a percentage from 0 to 100";
}

}  // namespace

std::span<const UseCase> use_cases() { return kUseCases; }

const UseCase* find_use_case(std::string_view name) {
    const auto* const found = std::ranges::find(kUseCases, name, &UseCase::name);
    return found == kUseCases.end() ? nullptr : found;
}

std::string set_sizes(UseCase& use_case, const std::string& text) {
    const std::size_t dots = text.find("..");
    const auto least = parse_bytes(text.substr(0, dots));
    const auto most = dots == std::string::npos ? least : parse_bytes(text.substr(dots + 2));
    if (!least || !most || *least < kLeastBytes || *most < *least || *most > kMostBytes) {
        return "'" + text + "' are no sizes; write one or two between 8 B and 1 GiB, the smaller one first, such as 16..4KiB";
    }
    use_case.least_bytes = *least;
    use_case.most_bytes = *most;
    return {};
}

std::string problem_of(const UseCase& use_case, std::uint64_t memory_bytes) {
    if (use_case.threads == 0 || use_case.threads > kMostThreads) {
        return "--threads can be 1 to " + std::to_string(kMostThreads);
    }
    if (use_case.operations == 0) {
        return "--operations cannot be 0: there would be nothing to measure";
    }
    if (use_case.order != "random" && use_case.order != "oldest" && use_case.order != "newest") {
        return "'" + std::string{use_case.order} + "' is no order; blocks that last make room as random, oldest or newest";
    }
    for (const std::string& problem :
         {percent_problem("--brief", use_case.brief_percent), percent_problem("--handed-over", use_case.handed_over_percent)}) {
        if (!problem.empty()) {
            return problem;
        }
    }
    // An allocator may take twice what is live, and this machine has other things to do.
    if (memory_bytes != 0 && use_case.live_bytes > memory_bytes / 3) {
        return "--live " + study::bytes_text(use_case.live_bytes) + " is more than a third of this machine's memory, " +
               study::bytes_text(memory_bytes) + "; choose less";
    }
    return {};
}

std::vector<std::string> workload_words(const UseCase& use_case, double idle_s) {
    return {std::to_string(use_case.threads),
            std::to_string(use_case.least_bytes),
            std::to_string(use_case.most_bytes),
            std::to_string(use_case.live_bytes),
            std::to_string(use_case.operations),
            std::string{use_case.order},
            std::to_string(use_case.brief_percent),
            std::to_string(use_case.handed_over_percent),
            std::to_string(idle_s),
            "1"};
}

std::string use_case_text(const UseCase& use_case) {
    return study::counted(use_case.threads, "thread") + ", " + study::counted(use_case.operations, "allocation") + " of " +
           study::bytes_text(use_case.least_bytes) + " to " + study::bytes_text(use_case.most_bytes) + ", " +
           study::bytes_text(use_case.live_bytes) + " live; order " + std::string{use_case.order} + ", brief " +
           std::to_string(use_case.brief_percent) + " %, handed over " + std::to_string(use_case.handed_over_percent) + " %";
}

}  // namespace heapwright::cli
