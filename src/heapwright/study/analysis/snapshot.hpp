// The blocks that were live at one moment, ascending by address.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include <heapwright/study/analysis/usable_sizes.hpp>
#include <heapwright/study/timeline/live_blocks.hpp>
#include <heapwright/study/timeline/pages_array.hpp>

namespace heapwright::study {

/// A block without the history that only a pass needs.
struct LiveBlock {
    std::uint64_t address = 0;
    std::uint64_t size : 48 = 0;
    std::uint64_t off_pages : 1 = 0;  ///< see BlockRecord
    std::uint64_t spare : 15 = 0;
    std::uint32_t site = 0;
    std::uint32_t thread = 0;

    LiveBlock() = default;
    explicit LiveBlock(const BlockRecord& block)
        : address(block.address), size(block.size), off_pages(block.off_pages), site(block.site), thread(block.thread) {}
};
static_assert(sizeof(LiveBlock) == 24);

/// The bytes that a block of `size` covers in the address space: at least one, so that every block stands on an OS page.
[[nodiscard]] inline std::uint64_t covered_bytes(const UsableSizes& usable, std::uint64_t size) {
    return std::max<std::uint64_t>(usable.usable(size), 1);
}

/// Thread safety: const members from any thread.
class Snapshot {
public:
    void add(const LiveBlock& block) { blocks_.push_back(block); }
    void sort() {
        std::ranges::sort(blocks_, [](const LiveBlock& a, const LiveBlock& b) { return a.address < b.address; });
    }
    /// Forgets the blocks and keeps the room.
    void clear() { blocks_.clear(); }
    void release() { blocks_.release(); }
    [[nodiscard]] std::span<const LiveBlock> blocks() const { return {blocks_.begin(), blocks_.end()}; }

private:
    PagesList<LiveBlock> blocks_;
};

}  // namespace heapwright::study
