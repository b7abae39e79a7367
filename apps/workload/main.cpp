// heapwright-workload: one run of a use case under the malloc that this process finds itself with.
//
//   heapwright-workload THREADS LEAST MOST LIVE OPERATIONS random|oldest|newest BRIEF% HANDED_OVER% IDLE_S SEED
//
// Prints one JSON object. 'heapwright bench' starts it, and has checked the numbers.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "workload.hpp"

namespace {

using namespace heapwright::workload;

constexpr int kWords = 11;

Description described(char** words) {
    Description told;
    told.threads = static_cast<unsigned>(std::strtoul(words[1], nullptr, 10));
    told.least_bytes = std::strtoull(words[2], nullptr, 10);
    told.most_bytes = std::strtoull(words[3], nullptr, 10);
    told.live_bytes = std::strtoull(words[4], nullptr, 10);
    told.operations = std::strtoull(words[5], nullptr, 10);
    const std::string_view order = words[6];
    told.order = order == "oldest" ? Order::oldest : order == "newest" ? Order::newest : Order::random;
    told.brief_percent = static_cast<unsigned>(std::strtoul(words[7], nullptr, 10));
    told.handed_over_percent = static_cast<unsigned>(std::strtoul(words[8], nullptr, 10));
    told.idle_s = std::strtod(words[9], nullptr);
    told.seed = std::strtoull(words[10], nullptr, 10);
    return told;
}

}  // namespace

int main(int count, char** words) {
    if (count != kWords) {
        std::fputs("heapwright-workload: it is started by 'heapwright bench', which says what to do\n", stderr);
        return 2;
    }
    const Description told = described(words);
    if (told.threads == 0 || told.least_bytes < sizeof(std::uint64_t) || told.most_bytes < told.least_bytes) {
        std::fputs("heapwright-workload: at least one thread, and sizes of at least 8 bytes, are needed\n", stderr);
        return 2;
    }
    std::string problem;
    const Figures figures = run(told, problem);
    if (!problem.empty()) {
        std::fprintf(stderr, "heapwright-workload: %s\n", problem.c_str());
        return 1;
    }
    std::printf(
        "{\"operations\": %llu, \"wall_s\": %.9f, \"cpu_s\": %.9f, \"typical_ns\": %.0f, \"p999_ns\": %.0f, \"longest_ns\": %.0f, "
        "\"live_bytes\": %.0f, \"resident_bytes\": %.0f, \"kept_bytes\": %.0f}\n",
        static_cast<unsigned long long>(figures.operations), figures.wall_s, figures.cpu_s, figures.typical_ns, figures.p999_ns,
        figures.longest_ns, figures.live_bytes, figures.resident_bytes, figures.kept_bytes);
    return std::fflush(stdout) == 0 ? 0 : 1;
}
