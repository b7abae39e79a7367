// Blocks that cross OS pages, and the walks over the whole table.
#include <heapwright/study/analysis/page_table.hpp>

#include <algorithm>

#include <heapwright/base/check.hpp>

namespace heapwright::study {

PageTable::PageTable() : root_(kAddressEnd >> kRegionShift >> kLeafBits) {}

PageTable::Region& PageTable::make_region_slow(std::uint64_t address) {
    const std::uint64_t number = address >> kRegionShift;
    auto& leaf = root_[number >> kLeafBits];
    if (leaf == nullptr) {
        leaf = std::make_unique<Leaf>();
    }
    auto region = std::make_unique<Region>();
    region->number = number;
    regions_.push_back(std::move(region));
    (*leaf)[number % leaf->size()] = regions_.back().get();
    return *regions_.back();
}

/// Calls act(address, bytes) for the part of the block on each OS page that is counted explicitly.
template <class Act>
void PageTable::for_each_part(std::uint64_t address, std::uint64_t bytes, Act act) {
    const std::uint64_t end = address + bytes;
    const std::uint64_t first_part = std::min(bytes, kOsPageBytes - address % kOsPageBytes);
    act(address, first_part);
    if (bytes >= kLargeBlockBytes) {
        const std::uint64_t last_page = (end - 1) / kOsPageBytes * kOsPageBytes;
        act(last_page, end - last_page);
        return;
    }
    for (std::uint64_t at = address + first_part; at < end; at += kOsPageBytes) {
        act(at, std::min(kOsPageBytes, end - at));
    }
}

bool PageTable::add_many_slow(std::uint64_t address, std::uint64_t bytes) {
    if (address >= kAddressEnd || bytes > kAddressEnd - address) {
        return false;
    }
    bool fits = true;
    for_each_part(address, bytes, [&](std::uint64_t at, std::uint64_t part) { fits = fits && cell_of(at).bytes + part <= kOsPageBytes; });
    if (!fits) {
        return false;
    }
    if (bytes >= kLargeBlockBytes) {
        const LargeBlock block{.address = address, .bytes = bytes};
        if (!large_.insert(block).second) {
            return false;
        }
        const std::uint64_t inner = block.end_inner_page() - block.first_inner_page();
        occupied_pages_ += inner;
        live_bytes_ += inner * kOsPageBytes;
    }
    for_each_part(address, bytes, [&](std::uint64_t at, std::uint64_t part) { count(at, part); });
    return true;
}

void PageTable::remove_many_slow(std::uint64_t address, std::uint64_t bytes) {
    if (bytes >= kLargeBlockBytes) {
        LargeBlock* block = large_.find(address);
        HEAPWRIGHT_CHECK(block != nullptr && block->bytes == bytes, "a large block is taken back as it was counted");
        const std::uint64_t inner = block->end_inner_page() - block->first_inner_page();
        occupied_pages_ -= inner;
        live_bytes_ -= inner * kOsPageBytes;
        large_.erase(block);
    }
    for_each_part(address, bytes, [&](std::uint64_t at, std::uint64_t part) { uncount(at, part); });
}

std::vector<const PageTable::Region*> PageTable::regions_in_order() const {
    std::vector<const Region*> order;
    order.reserve(regions_.size());
    for (const auto& region : regions_) {
        order.push_back(region.get());
    }
    std::ranges::sort(order, {}, &Region::number);
    return order;
}

std::vector<LargeBlock> PageTable::large_blocks() const {
    std::vector<LargeBlock> blocks;
    blocks.reserve(large_.size());
    large_.for_each([&](const LargeBlock& block) { blocks.push_back(block); });
    std::ranges::sort(blocks, {}, &LargeBlock::address);
    return blocks;
}

std::vector<PageTable::Stretch> PageTable::used_stretches() const {
    std::vector<Stretch> pieces;
    for (const Region* region : regions_in_order()) {
        for (std::size_t page = 0; page < kPagesInRegion; ++page) {
            if ((region->used[page / 64] >> (page % 64) & 1) == 0) {
                continue;
            }
            const std::uint64_t number = region->number * kPagesInRegion + page;
            if (!pieces.empty() && pieces.back().end == number) {
                ++pieces.back().end;
            } else {
                pieces.push_back({.first = number, .end = number + 1});
            }
        }
    }
    large_.for_each(
        [&](const LargeBlock& block) { pieces.push_back({.first = block.address / kOsPageBytes, .end = block.end_inner_page() + 1}); });
    std::ranges::sort(pieces, {}, &Stretch::first);
    std::vector<Stretch> merged;
    for (const Stretch& piece : pieces) {
        if (!merged.empty() && piece.first <= merged.back().end) {
            merged.back().end = std::max(merged.back().end, piece.end);
        } else {
            merged.push_back(piece);
        }
    }
    return merged;
}

const char* PageTable::broken_invariant() const {
    std::uint64_t pages = 0;
    std::uint64_t bytes = 0;
    for (const auto& region : regions_) {
        for (const Cell& cell : region->cells) {
            if (cell.bytes > kOsPageBytes || (cell.bytes == 0) != (cell.blocks == 0)) {
                return "P1: an OS page has bytes without a block, a block without bytes, or more than 4096 bytes";
            }
            pages += cell.blocks != 0 ? 1 : 0;
            bytes += cell.bytes;
        }
    }
    large_.for_each([&](const LargeBlock& block) {
        const std::uint64_t inner = block.end_inner_page() - block.first_inner_page();
        pages += inner;
        bytes += inner * kOsPageBytes;
    });
    return pages != occupied_pages_ || bytes != live_bytes_ ? "P2: the totals are not the sums over the OS pages" : nullptr;
}

}  // namespace heapwright::study
