// A use case of an allocator in a few numbers, and what it cost to serve it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace heapwright::workload {

/// Which of the blocks that last makes room for a new one.
enum class Order : std::uint8_t {
    random,  ///< any, as in a hash table that is updated
    oldest,  ///< the one made first, as in a queue or a cache
    newest,  ///< all are made, then all are freed from the last to the first, as by a stack of scopes or a frame
};

/// A program as an allocator sees it.
struct Description {
    unsigned threads = 2;
    std::size_t least_bytes = 16;  ///< sizes are distributed evenly over their logarithms, as those of real programs roughly are
    std::size_t most_bytes = 1024;
    std::size_t live_bytes = std::size_t{64} << 20;  ///< in blocks that last, of all threads together
    std::uint64_t operations = 8'000'000;            ///< allocations of all threads together, each freed once
    Order order = Order::random;
    unsigned brief_percent = 0;        ///< of the blocks are freed within the next kBrief of their thread
    unsigned handed_over_percent = 0;  ///< of the blocks are freed by the next thread
    double idle_s = 1;                 ///< between the last free and the question what is kept
    std::uint64_t seed = 1;

    static constexpr std::size_t kBrief = 64;

    /// The mean of the sizes, in bytes.
    [[nodiscard]] double mean_bytes() const noexcept;
    /// Blocks of each thread that last.
    [[nodiscard]] std::size_t slots() const noexcept;
};

/// Bytes are resident memory of this process beyond what it had before its first allocation.
struct Figures {
    std::uint64_t operations = 0;
    double wall_s = 0;          ///< of the threads at work
    double cpu_s = 0;           ///< theirs together
    double typical_ns = 0;      ///< the median of one allocation and the free that makes room for it, one in kSampled measured
    double p999_ns = 0;         ///< of a thousand such, one took longer
    double longest_ns = 0;      ///< the longest of those measured
    double live_bytes = 0;      ///< requested, in blocks that were live at the end
    double resident_bytes = 0;  ///< then
    double kept_bytes = 0;      ///< when all was freed and `idle_s` had passed

    static constexpr std::uint64_t kSampled = 16;
};

/// Runs it with the malloc that this process has. Every block is stamped, and verified when it is freed.
///
/// Returns:  the figures; a sentence in `problem` when memory ran out or a block was damaged.
[[nodiscard]] Figures run(const Description& description, std::string& problem);

}  // namespace heapwright::workload
