// Walks the OS pages under a snapshot's blocks in ascending order: what stands on each, and whose it is.
#pragma once

#include <algorithm>
#include <cstdint>

#include <heapwright/study/analysis/page_table.hpp>
#include <heapwright/study/analysis/snapshot.hpp>
#include <heapwright/study/analysis/usable_sizes.hpp>

namespace heapwright::study {

/// One OS page with at least one live byte.
struct PageShare {
    std::uint64_t page = 0;   ///< its number: address / 4096
    std::uint64_t bytes = 0;  ///< live ones
    std::uint32_t site = 0;   ///< of its blocks, when they have one in common
    bool is_shared = false;   ///< blocks of several sites stand on it
};

/// OS pages [first, end) that one large block fills.
struct FullPages {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    std::uint32_t site = 0;
};

/// Calls on_page(PageShare) and on_full(FullPages) in ascending order.
///
/// Requires: the snapshot is sorted. Blocks that lie on others, which only damaged traces have, are left out.
/// Cost:     O(blocks + OS pages of the small ones).
template <class OnPage, class OnFull>
void sweep_pages(const Snapshot& snapshot, const UsableSizes& usable, OnPage on_page, OnFull on_full) {
    PageShare open;
    const auto flush = [&] {
        if (open.bytes != 0) {
            on_page(std::as_const(open));
        }
        open = {};
    };
    const auto put = [&](std::uint64_t page, std::uint64_t bytes, std::uint32_t site) {
        if (open.bytes == 0 || open.page != page) {
            flush();
            open = {.page = page, .bytes = bytes, .site = site, .is_shared = false};
            return;
        }
        open.bytes += bytes;
        open.is_shared = open.is_shared || open.site != site;
    };
    std::uint64_t free_from = 0;
    for (const LiveBlock& block : snapshot.blocks()) {
        if (block.off_pages || block.address < free_from) {
            continue;
        }
        const std::uint64_t bytes = covered_bytes(usable, block.size);
        const std::uint64_t end = block.address + bytes;
        free_from = end;
        std::uint64_t at = block.address;
        if (bytes >= kLargeBlockBytes) {
            const LargeBlock large{.address = block.address, .bytes = bytes};
            put(at / kOsPageBytes, kOsPageBytes - at % kOsPageBytes, block.site);
            flush();
            on_full(FullPages{.first = large.first_inner_page(), .end = large.end_inner_page(), .site = block.site});
            at = large.end_inner_page() * kOsPageBytes;
        }
        while (at < end) {
            const std::uint64_t part = std::min(end - at, kOsPageBytes - at % kOsPageBytes);
            put(at / kOsPageBytes, part, block.site);
            at += part;
        }
    }
    flush();
}

}  // namespace heapwright::study
