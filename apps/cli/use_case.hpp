// What 'heapwright bench' can measure without a program: use cases of an allocator, by name and in numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heapwright::cli {

/// As apps/workload/workload.hpp describes each of them.
struct UseCase {
    std::string_view name;
    std::string_view meaning;  ///< a few words for the help
    unsigned threads = 1;
    std::uint64_t least_bytes = 16;
    std::uint64_t most_bytes = 1024;
    std::uint64_t live_bytes = std::uint64_t{64} << 20;
    std::uint64_t operations = 4'000'000;
    std::string_view order = "random";
    unsigned brief_percent = 0;
    unsigned handed_over_percent = 0;
};

[[nodiscard]] std::span<const UseCase> use_cases();
/// Returns:  nullptr for an unknown name.
[[nodiscard]] const UseCase* find_use_case(std::string_view name);

/// "16..1024", "64B..8KiB", "48": one size or two.
///
/// Returns:  why not, in a sentence; empty: `use_case` has them.
[[nodiscard]] std::string set_sizes(UseCase& use_case, const std::string& text);
/// Why a combination cannot run, in a sentence; empty: it can. `memory_bytes`: of this machine; 0: not known.
[[nodiscard]] std::string problem_of(const UseCase& use_case, std::uint64_t memory_bytes);

/// The words of heapwright-workload.
[[nodiscard]] std::vector<std::string> workload_words(const UseCase& use_case, double idle_s);
/// "4 threads, 16 B to 2.0 KiB, 64.0 MiB live, ...": one line.
[[nodiscard]] std::string use_case_text(const UseCase& use_case);

}  // namespace heapwright::cli
