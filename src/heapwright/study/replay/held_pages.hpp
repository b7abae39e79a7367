// Which OS pages ever held the start of a block: how a mapping is told to be an allocator's after its blocks are gone.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

namespace heapwright::study {

/// Memory: some 40 bytes for every 64 KiB of address space that was ever in use.
/// Thread safety: one caller.
class HeldPages {
public:
    void note(std::uint64_t address) {
        const std::uint64_t page = address >> kPageShift;
        std::uint64_t& recent = recent_[page % recent_.size()];
        if (recent != page + 1) {
            recent = page + 1;
            units_[page / kUnitPages] |= static_cast<std::uint16_t>(1U << page % kUnitPages);
        }
    }

    /// Calls `visit(address)` with the start of every such page, in no order.
    template <class Visit>
    void for_each(Visit visit) const {
        for (const auto& [unit, pages] : units_) {
            for (std::uint64_t page = 0; page < kUnitPages; ++page) {
                if ((pages >> page & 1U) != 0) {
                    visit((unit * kUnitPages + page) << kPageShift);
                }
            }
        }
    }

private:
    static constexpr unsigned kPageShift = 12;
    static constexpr std::uint64_t kUnitPages = 16;

    std::unordered_map<std::uint64_t, std::uint16_t> units_;
    std::array<std::uint64_t, 256> recent_{};  // page + 1, of those noted last: most blocks lie where others were
};

}  // namespace heapwright::study
