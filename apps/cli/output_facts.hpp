// What a program wrote, in a few numbers: whether two runs of it said the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace heapwright::cli {

/// Equal texts have equal facts. `rough` leaves numbers out: times, addresses, process ids.
struct OutputFacts {
    std::uint64_t bytes = 0;
    std::uint64_t exact = 0;
    std::uint64_t rough = 0;
    bool cut_off = false;  ///< the program was ended while it could still have written

    friend bool operator==(const OutputFacts&, const OutputFacts&) = default;
};

/// Cost: reads the file once. A file that cannot be read counts as empty.
[[nodiscard]] OutputFacts output_facts_of(const std::string& path);

/// How the outputs of some runs compare with those of the plain program.
enum class Sameness : std::uint8_t {
    same,              ///< byte for byte
    same_but_numbers,  ///< the plain program's own outputs differ from each other in numbers only, and so do these
    varies_by_itself,  ///< the plain program says something else each time: there is nothing to compare
    cut_off,           ///< different, but ended by us, the one earlier than the other: it says nothing
    differs,           ///< the plain program's outputs are steady, and one of these is not like them
};
/// Requires: a plain run (checked).
[[nodiscard]] Sameness compare_outputs(const std::vector<OutputFacts>& plain, const std::vector<OutputFacts>& other);

}  // namespace heapwright::cli
