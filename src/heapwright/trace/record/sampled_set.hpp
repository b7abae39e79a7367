// The live blocks that were chosen by sampling: so that only their releases are recorded.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/os/spin_lock.hpp>

namespace heapwright::trace::record {

/// Addresses in open hash tables of growing size; a line of eight places per hash.
///
///   filter   one counter per hash: most questions end here
///   tables   1 MiB, 4 MiB, 16 MiB ...: an address that finds its line full goes to the next table
///
///   -    an address is in at most one place
///
/// Thread safety: any thread. An address is entered and removed by whoever owns the block at that time, so no two
/// threads ever work on the same address; places are claimed by compare-and-swap.
class SampledSet {
public:
    constexpr SampledSet() noexcept = default;

    /// Returns:  false when there is no memory: the block is then better not sampled.
    [[nodiscard]] bool enter(std::uint64_t address) noexcept;
    /// Returns:  whether the address was there.
    bool remove(std::uint64_t address) noexcept;

    /// In the child of fork, before other threads exist.
    void after_fork_in_child() noexcept { lock_.reset_after_fork(); }

private:
    static constexpr std::size_t kFilter = std::size_t{1} << 16;
    static constexpr std::size_t kLine = 8;
    static constexpr std::size_t kTables = 6;
    static constexpr std::size_t kFirstPlaces = std::size_t{1} << 17;

    using Place = std::atomic<std::uint64_t>;

    [[nodiscard]] static std::uint64_t hash_of(std::uint64_t address) noexcept { return (address >> 4) * 0x9E3779B97F4A7C15U; }
    [[nodiscard]] static std::size_t places_of(std::size_t table) noexcept { return kFirstPlaces << 2 * table; }
    [[nodiscard]] static Place* line_of(Place* table, std::size_t index, std::uint64_t hash) noexcept {
        return table + ((hash >> 20) % (places_of(index) / kLine)) * kLine;
    }
    [[nodiscard]] Place* table_at(std::size_t index) noexcept;
    void count(std::uint64_t hash, int step) noexcept;

    std::array<std::atomic<std::uint8_t>, kFilter> filter_{};
    std::array<std::atomic<Place*>, kTables> tables_{};
    os::SpinLock lock_;  // held while a table is made
};

}  // namespace heapwright::trace::record
