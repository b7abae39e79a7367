// The planner's third part: what memory maps of the recording say about large blocks and about everything but the heap.
#include <algorithm>
#include <string_view>
#include <vector>

#include <heapwright/study/analysis/memory_maps.hpp>
#include <heapwright/study/replay/planner.hpp>

namespace heapwright::study {

namespace {

/// A module's lines and the unnamed one right behind them, which holds its zero-initialised data. What it wrote there.
std::uint64_t written_data_of(std::span<const trace::MapLine> lines, std::string_view file) {
    std::uint64_t bytes = 0;
    std::uint64_t end = 0;
    for (const trace::MapLine& line : lines) {
        // Maps have the file behind all symbolic links: libtcmalloc.so.4.5.10 for libtcmalloc.so.4.
        const std::string_view name = std::string_view(line.name).substr(line.name.rfind('/') + 1);
        const bool own = name.starts_with(file);
        if (own || (line.name.empty() && line.where.begin == end)) {
            bytes += std::min(line.where.anonymous_bytes, line.where.resident_bytes);
        }
        end = own ? line.end() : 0;
    }
    return bytes;
}

}  // namespace

void Planner::on_mappings(std::span<const trace::MapLine> lines) {
    note_touched(lines);
    note_residency(lines);
}

// Only blocks above kWholeBytes are asked for, so the walk over the corrections is short.
void Planner::note_touched(std::span<const trace::MapLine> lines) {
    for (auto& [slot, correction] : corrections_) {
        if (correction.touched == PatchId::none) {
            continue;
        }
        const Block* const block = live_.find(correction.address);
        if (block == nullptr || block->slot != slot) {
            continue;
        }
        const trace::MapLine* const line = line_of(lines, block->address);
        if (line == nullptr || line->where.bytes == 0) {
            continue;
        }
        const double share = static_cast<double>(line->where.resident_bytes) / static_cast<double>(line->where.bytes);
        const auto touched = static_cast<std::uint64_t>(std::min(1.0, share) * static_cast<double>(block->size));
        correction.seen_touched = std::max({correction.seen_touched, touched, std::uint64_t{1}});
    }
}

// A large block that stands at the start of a page, but for a header, was mapped for itself. The kernel joins such
// mappings with others of the program, so of such a line only the block belongs to the heap.
bool Planner::stands_alone(std::uint64_t address, std::uint64_t size) const {
    return large_blocks_alone_ && size > plan::kWholeBytes && (address & 0xfff) <= 0x40;
}

// A line that ever held a block is the heap's for good: an allocator keeps what is free. Costs a walk over the live blocks
// and over the pages that ever held one; the recorder takes a few dozen maps, ever more rarely.
void Planner::note_residency(std::span<const trace::MapLine> lines) {
    std::vector<std::uint64_t> alone(lines.size());
    std::vector<bool> heap(lines.size());
    live_.for_each([&](const Block& block) {
        const trace::MapLine* const line = stands_alone(block.address, block.size) ? line_of(lines, block.address) : nullptr;
        if (line != nullptr) {
            alone[static_cast<std::size_t>(line - lines.data())] += (block.size + 0x10 + 0xfff) & ~std::uint64_t{0xfff};
        }
    });
    held_.for_each([&](std::uint64_t page) {
        const trace::MapLine* const line = line_of(lines, page);
        if (line != nullptr && !line->name.starts_with('/')) {  // a file where a heap once was
            heap[static_cast<std::size_t>(line - lines.data())] = true;
        }
    });
    RecordedMoment moment{.events = counts_.replayed, .resident_bytes = 0, .other_bytes = 0};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::uint64_t resident = lines[i].where.resident_bytes;
        const bool whole = heap[i] || lines[i].name == "[heap]";
        moment.resident_bytes += resident;
        moment.other_bytes += whole ? 0 : resident - std::min(resident, alone[i]);
    }
    if (!allocator_file_.empty()) {
        moment.other_bytes -= std::min(moment.other_bytes, written_data_of(lines, allocator_file_));
    }
    moments_.push_back(moment);
}

}  // namespace heapwright::study
