// Laying out the runs of a map, and painting live bytes into their cells.
#include <heapwright/study/analysis/heap_map.hpp>

#include <algorithm>

#include <heapwright/study/analysis/page_sweep.hpp>

namespace heapwright::study {
namespace {

using Stretch = PageTable::Stretch;

constexpr std::uint64_t kGapPages = (1 << 20) / kOsPageBytes;

/// Joins stretches that are at most 1 MiB apart.
std::vector<Stretch> join(std::vector<Stretch> stretches) {
    std::ranges::sort(stretches, {}, &Stretch::first);
    std::vector<Stretch> joined;
    for (const Stretch& stretch : stretches) {
        if (!joined.empty() && stretch.first <= joined.back().end + kGapPages) {
            joined.back().end = std::max(joined.back().end, stretch.end);
        } else {
            joined.push_back(stretch);
        }
    }
    return joined;
}

/// Paints runs of OS pages, which must come in ascending order.
class Painter {
public:
    Painter(const std::vector<Stretch>& runs, std::uint64_t most_cells) : runs_(runs) {
        while (cells_of_all() > most_cells && pages_in_cell_ < (std::uint64_t{1} << 19)) {
            pages_in_cell_ *= 2;
        }
        live_.resize(runs_.size());
        for (std::size_t run = 0; run < runs_.size(); ++run) {
            live_[run].resize(static_cast<std::size_t>(cells_of(runs_[run])));
        }
    }

    void paint(std::uint64_t page, std::uint64_t end, std::uint64_t bytes_a_page) {
        while (run_ < runs_.size() && page >= runs_[run_].end) {
            ++run_;
        }
        if (run_ == runs_.size() || page < runs_[run_].first) {
            return;
        }
        end = std::min(end, runs_[run_].end);
        while (page < end) {
            const std::uint64_t cell = (page - runs_[run_].first) / pages_in_cell_;
            const std::uint64_t cell_end = std::min(end, runs_[run_].first + (cell + 1) * pages_in_cell_);
            live_[run_][static_cast<std::size_t>(cell)] += (cell_end - page) * bytes_a_page;
            page = cell_end;
        }
    }

    [[nodiscard]] HeapMap finish() const {
        HeapMap map;
        const std::uint64_t cell_bytes = pages_in_cell_ * kOsPageBytes;
        for (std::size_t run = 0; run < runs_.size(); ++run) {
            HeapMap::Run& drawn = map.runs.emplace_back();
            drawn.begin = runs_[run].first * kOsPageBytes;
            drawn.cell_bytes = static_cast<std::uint32_t>(cell_bytes);
            drawn.occupancy.reserve(live_[run].size());
            for (const std::uint64_t live : live_[run]) {
                // 0 is for cells without any live byte; 255 for full ones.
                const std::uint64_t level = live == 0 ? 0 : 1 + std::min(live, cell_bytes) * 254 / cell_bytes;
                drawn.occupancy.push_back(static_cast<std::uint8_t>(level));
            }
        }
        return map;
    }

private:
    [[nodiscard]] std::uint64_t cells_of(const Stretch& run) const { return (run.end - run.first + pages_in_cell_ - 1) / pages_in_cell_; }
    [[nodiscard]] std::uint64_t cells_of_all() const {
        std::uint64_t cells = 0;
        for (const Stretch& run : runs_) {
            cells += cells_of(run);
        }
        return cells;
    }

    const std::vector<Stretch>& runs_;
    std::vector<std::vector<std::uint64_t>> live_;
    std::uint64_t pages_in_cell_ = 1;
    std::size_t run_ = 0;
};

}  // namespace

HeapMap draw_map(const PageTable& pages, std::uint64_t most_cells) {
    const std::vector<Stretch> runs = join(pages.used_stretches());
    Painter painter(runs, most_cells);
    // Explicit pages and the inner pages of large blocks come from two lists, and a painter wants one order.
    std::vector<Stretch> full;
    for (const LargeBlock& block : pages.large_blocks()) {
        full.push_back({.first = block.first_inner_page(), .end = block.end_inner_page()});
    }
    std::size_t next_full = 0;
    pages.for_each_page([&](std::uint64_t page, std::uint64_t bytes) {
        while (next_full < full.size() && full[next_full].first < page) {
            painter.paint(full[next_full].first, full[next_full].end, kOsPageBytes);
            ++next_full;
        }
        painter.paint(page, page + 1, bytes);
    });
    for (; next_full < full.size(); ++next_full) {
        painter.paint(full[next_full].first, full[next_full].end, kOsPageBytes);
    }
    return painter.finish();
}

HeapMap draw_map(const Snapshot& snapshot, const UsableSizes& usable, const PageTable& pages, std::uint64_t most_cells) {
    std::vector<Stretch> stretches = pages.used_stretches();
    sweep_pages(
        snapshot, usable, [](const PageShare&) {},
        [&](const FullPages& inner) { stretches.push_back({.first = inner.first, .end = inner.end}); });
    const std::vector<Stretch> runs = join(std::move(stretches));
    Painter painter(runs, most_cells);
    sweep_pages(
        snapshot, usable, [&](const PageShare& page) { painter.paint(page.page, page.page + 1, page.bytes); },
        [&](const FullPages& inner) { painter.paint(inner.first, inner.end, kOsPageBytes); });
    return painter.finish();
}

}  // namespace heapwright::study
