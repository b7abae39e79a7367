// The mappings of another process with the kernel's counters for each: /proc/PID/smaps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/base/error.hpp>

namespace heapwright::study::doctor {

/// One mapping; addresses of the other process are numbers here.
struct ProcessMapping {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::uint64_t inode = 0;  ///< 0: no file
    std::uint64_t resident_bytes = 0;
    std::uint64_t anonymous_bytes = 0;  ///< resident and the process's own: no page of a file
    std::uint64_t lazy_free_bytes = 0;  ///< given back by MADV_FREE: resident until the kernel needs it
    std::uint64_t huge_bytes = 0;
    std::uint64_t swapped_bytes = 0;
    bool readable = false;
    bool writable = false;
    bool executable = false;
    bool shared = false;
    bool wants_huge_pages = false;  ///< madvise(MADV_HUGEPAGE)
    std::string path;               ///< "[heap]", "[anon:name]", a file, or empty

    [[nodiscard]] std::uint64_t size_bytes() const { return end - start; }
    [[nodiscard]] bool contains(std::uint64_t address) const { return start <= address && address < end; }
    [[nodiscard]] bool is_file() const { return inode != 0 && !path.empty() && path.front() == '/'; }
    /// Memory that no file backs and no other process shares.
    [[nodiscard]] bool is_private_anonymous() const { return inode == 0 && !shared && (path.empty() || path.front() == '['); }
    /// The last part of the path, without " (deleted)".
    [[nodiscard]] std::string_view file_name() const;
};

/// Reads the text of smaps, or of maps, whose counters are then 0.
///
/// Fails: damaged_data with the byte at which a line is not understood.
[[nodiscard]] Result<std::vector<ProcessMapping>> parse_mappings(std::string_view text);

}  // namespace heapwright::study::doctor
