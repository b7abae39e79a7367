// How often each size was requested.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::study {

/// Sizes below 32 KiB are counted exactly. Larger ones have a row each until there are 65536 of them; from then on a
/// new large size is counted with the next eighth of a power of two above it, so that memory stays bounded.
///
/// Thread safety: one caller.
class SizeTable {
public:
    SizeTable(const Scale& scale, const UsableSizes& usable) : scale_(scale), usable_(usable), small_(kSmall) {}

    void allocated(std::uint64_t size) {
        if (size < kSmall) {
            small_[static_cast<std::size_t>(size)] += scale_.weight(size);
        } else {
            large_[row_of_large(size)] += scale_.weight(size);
        }
    }

    /// The rows by allocations, most first; `peak` and `end` are the blocks that were live then.
    [[nodiscard]] std::vector<SizeRow> finish(const Snapshot& peak, const Snapshot& end);

private:
    static constexpr std::size_t kSmall = 32 * 1024;
    static constexpr std::size_t kLargeRows = 65536;

    [[nodiscard]] std::uint64_t row_of_large(std::uint64_t size) const {
        return large_.size() < kLargeRows || large_.contains(size) ? size : next_eighth(size);
    }
    [[nodiscard]] static std::uint64_t next_eighth(std::uint64_t size);
    void add_live(const Snapshot& moment, Amount SizeRow::* amount, std::vector<SizeRow>& rows,
                  const std::unordered_map<std::uint64_t, std::size_t>& row_at) const;

    const Scale& scale_;
    const UsableSizes& usable_;
    std::vector<std::uint64_t> small_;
    std::unordered_map<std::uint64_t, std::uint64_t> large_;
};

}  // namespace heapwright::study
