// From counters by size to rows.
#include <heapwright/study/analysis/sizes.hpp>

#include <algorithm>
#include <bit>

namespace heapwright::study {

std::uint64_t SizeTable::next_eighth(std::uint64_t size) {
    const unsigned shift = static_cast<unsigned>(std::bit_width(size)) - 4;
    const std::uint64_t step = std::uint64_t{1} << shift;
    return (size + step - 1) / step * step;
}

void SizeTable::add_live(const Snapshot& moment, Amount SizeRow::* amount, std::vector<SizeRow>& rows,
                         const std::unordered_map<std::uint64_t, std::size_t>& row_at) const {
    for (const LiveBlock& block : moment.blocks()) {
        auto place = row_at.find(block.size);
        if (place == row_at.end()) {
            place = row_at.find(next_eighth(block.size));
        }
        if (place != row_at.end()) {
            const std::uint64_t weight = scale_.weight(block.size);
            Amount& sum = rows[place->second].*amount;
            sum.blocks += weight;
            sum.requested_bytes += weight * block.size;
            sum.usable_bytes += weight * usable_.usable(block.size);
        }
    }
}

std::vector<SizeRow> SizeTable::finish(const Snapshot& peak, const Snapshot& end) {
    std::vector<SizeRow> rows;
    std::unordered_map<std::uint64_t, std::size_t> row_at;
    const auto add_row = [&](std::uint64_t size, std::uint64_t allocations) {
        row_at[size] = rows.size();
        rows.push_back(SizeRow{.size = size, .usable = usable_.usable(size), .allocations = allocations, .live_at_peak = {}, .leaked = {}});
    };
    for (std::size_t size = 0; size < small_.size(); ++size) {
        if (small_[size] != 0) {
            add_row(size, small_[size]);
        }
    }
    for (const auto& [size, allocations] : large_) {
        add_row(size, allocations);
    }
    add_live(peak, &SizeRow::live_at_peak, rows, row_at);
    add_live(end, &SizeRow::leaked, rows, row_at);
    for (SizeRow& row : rows) {
        for (std::uint64_t* counter :
             {&row.allocations, &row.live_at_peak.blocks, &row.live_at_peak.requested_bytes, &row.live_at_peak.usable_bytes,
              &row.leaked.blocks, &row.leaked.requested_bytes, &row.leaked.usable_bytes}) {
            *counter = scale_.to_count(*counter);
        }
    }
    std::ranges::sort(rows, [](const SizeRow& a, const SizeRow& b) {
        return a.allocations != b.allocations ? a.allocations > b.allocations : a.size < b.size;
    });
    return rows;
}

}  // namespace heapwright::study
