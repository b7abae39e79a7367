// Numbers as people read them: bytes, counts, shares and times, each with its unit.
#pragma once

#include <cstdint>
#include <string>

namespace heapwright::study {

/// "312 B", "4.0 KiB", "612.4 MiB". Units are powers of 1024.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// The same with a sign: "+4.0 KiB", "-312 B", "0 B".
[[nodiscard]] std::string signed_bytes_text(std::int64_t bytes);

/// "4.0 KiB (4,096 bytes)"; below 1 KiB the exact figure alone: "312 bytes".
[[nodiscard]] std::string exact_bytes_text(std::uint64_t bytes);

/// "1,204,332"
[[nodiscard]] std::string count_text(std::uint64_t count);

/// "+1,204" or "-7" or "0"
[[nodiscard]] std::string signed_count_text(std::int64_t count);

/// A share in [0, 1] as "4.5 %"; what is there but rounds to nothing is "<0.1 %".
[[nodiscard]] std::string share_text(double share);

/// part / whole as a share; 0 of 0 is nothing.
[[nodiscard]] std::string share_text(std::uint64_t part, std::uint64_t whole);

/// "812 ns", "1.2 ms", "12.40 s", "2 min 3 s"
[[nodiscard]] std::string duration_text(std::uint64_t ns);

/// "1 block", "2 blocks", "1,000 blocks"
[[nodiscard]] std::string counted(std::uint64_t count, const char* noun);

/// after - before, where both may be any 64-bit count.
[[nodiscard]] constexpr std::int64_t difference(std::uint64_t after, std::uint64_t before) {
    return static_cast<std::int64_t>(after - before);
}

}  // namespace heapwright::study
