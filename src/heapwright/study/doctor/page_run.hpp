// Which OS pages of a run of addresses are resident, so that bytes can be counted as the RSS counts them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace heapwright::study::doctor {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr unsigned kPageLog2 = 12;

[[nodiscard]] constexpr std::uint64_t page_down(std::uint64_t address) { return address & ~(kPageBytes - 1); }
[[nodiscard]] constexpr std::uint64_t page_up(std::uint64_t address) { return page_down(address + kPageBytes - 1); }

/// One word of /proc/PID/pagemap, read without privileges: where the page lies is hidden, that it does is not.
struct PageWord {
    std::uint64_t bits;

    [[nodiscard]] bool is_present() const { return (bits >> 63) != 0; }
    [[nodiscard]] bool is_of_file() const { return ((bits >> 61) & 1) != 0; }
    [[nodiscard]] bool is_exclusive() const { return ((bits >> 56) & 1) != 0; }
};

/// Consecutive pages, and for each place how many before it are resident.
class PageRun {
public:
    PageRun() = default;
    /// Pages of which `resident` says which are there. Requires: `start` is a multiple of an OS page.
    PageRun(std::uint64_t start, const std::vector<bool>& resident);
    /// Pages by their words in pagemap. The kernel's page of zeroes is present but counts nowhere, and cannot be told from a
    /// page shared after fork; the mapping's own count decides: `counted_bytes` resident ones, as smaps has it.
    PageRun(std::uint64_t start, std::span<const std::uint64_t> words, std::uint64_t counted_bytes);

    [[nodiscard]] std::uint64_t start() const { return start_; }
    [[nodiscard]] std::uint64_t end() const { return start_ + (pages() << kPageLog2); }
    [[nodiscard]] std::uint64_t pages() const { return before_.empty() ? 0 : before_.size() - 1; }
    [[nodiscard]] bool contains(std::uint64_t address) const { return start_ <= address && address < end(); }
    [[nodiscard]] std::uint64_t resident_bytes() const { return before_.empty() ? 0 : std::uint64_t{before_.back()} << kPageLog2; }

    /// Requires: contains(address).
    [[nodiscard]] bool is_resident(std::uint64_t address) const {
        const std::uint64_t page = (address - start_) >> kPageLog2;
        return before_[page + 1] != before_[page];
    }
    /// Resident bytes of [from, to); what lies outside of the run counts nothing. Cost: constant.
    [[nodiscard]] std::uint64_t resident_bytes(std::uint64_t from, std::uint64_t to) const;
    /// The first resident page at or behind `address`; end() when there is none.
    [[nodiscard]] std::uint64_t next_resident(std::uint64_t address) const;

private:
    std::uint64_t start_ = 0;
    std::vector<std::uint32_t> before_;  // one more than there are pages
};

}  // namespace heapwright::study::doctor
