// The bodies of BasicTlsf that deal with regions, and its audit.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {

template <unsigned LargestBits, unsigned FineBits>
BasicTlsf<LargestBits, FineBits>::~BasicTlsf() {
    while (regions_ != nullptr) {
        Region* const region = regions_;
        regions_ = region->next;
        const std::size_t from_source = region->from_source;
        unpoison(region, region->bytes);  // the next owner of these addresses knows nothing of us
        if (from_source != 0) {
            source_.deallocate(region, {.size = from_source, .alignment = alignof(std::max_align_t)});
        }
    }
}

template <unsigned LargestBits, unsigned FineBits>
constexpr std::size_t BasicTlsf<LargestBits, FineBits>::sufficient_bytes(std::size_t live_bytes, std::size_t live_blocks,
                                                                         std::size_t largest_bytes) noexcept {
    constexpr std::size_t kFixed = kRegionOverheadBytes + 2 * Block::kWord;  // and what aligning the region's ends costs
    if (largest_bytes > kLargestBytes - kFenceBytes) {
        return SIZE_MAX;
    }
    // A live block has its header, and up to what is too little to be a block of its own.
    constexpr std::size_t kMoreThanAsked = 2 * Block::kLeastBytes + kFenceBytes;
    const std::size_t largest = bytes_for(largest_bytes);
    const std::size_t largest_hole = largest + (largest >> FineBits) + Block::kWord;
    std::size_t all = 0;
    if (__builtin_mul_overflow(live_blocks, kMoreThanAsked + largest_hole, &all) || add_overflows(all, live_bytes, &all) ||
        add_overflows(all, kFixed, &all)) {
        return SIZE_MAX;
    }
    return all;
}

template <unsigned LargestBits, unsigned FineBits>
Result<void> BasicTlsf<LargestBits, FineBits>::add_region(std::span<std::byte> memory) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
    std::uintptr_t end = 0;
    std::size_t start = 0;
    if (memory.data() == nullptr || add_overflows<std::uintptr_t>(begin, memory.size(), &end) ||
        align_up_overflows(begin, Block::kWord, &start)) {
        return fail_with(Errc::invalid_argument, memory.size());
    }
    end = align_down(end, Block::kWord);
    if (end < start || end - start < kRegionOverheadBytes + Block::kLeastBytes ||
        end - start - kRegionOverheadBytes >= Lists::kBeyondBytes) {
        return fail_with(Errc::invalid_argument, memory.size());
    }
    for (const Region* region = regions_; region != nullptr; region = region->next) {
        const auto other = reinterpret_cast<std::uintptr_t>(region);
        if (start < other + region->bytes && other < end) {
            return fail_with(Errc::invalid_argument, memory.size());
        }
    }
    enter_region(reinterpret_cast<Region*>(memory.data() + (start - begin)), end - start, 0);
    return {};
}

template <unsigned LargestBits, unsigned FineBits>
void BasicTlsf<LargestBits, FineBits>::enter_region(Region* region, std::size_t bytes, std::size_t from_source) noexcept {
    *region = {.next = regions_, .previous = nullptr, .bytes = bytes, .from_source = from_source};
    if (regions_ != nullptr) {
        regions_->previous = region;
    }
    regions_ = region;
    Block* const mark = region->end_mark();
    mark->tagged_bytes = Block::kPreviousFree;
    mark->next = reinterpret_cast<Block*>(region);
    lists_.insert(region->first(), Lists::class_of(region->block_bytes()));
    write_free(region->first(), region->block_bytes());
}

/// Requires: the region is empty.
template <unsigned LargestBits, unsigned FineBits>
void BasicTlsf<LargestBits, FineBits>::leave_region(Region* region) noexcept {
    lists_.remove(region->first(), Lists::class_of(region->block_bytes()));
    (region->previous == nullptr ? regions_ : region->previous->next) = region->next;
    if (region->next != nullptr) {
        region->next->previous = region->previous;
    }
    unpoison(region, region->bytes);
}

template <unsigned LargestBits, unsigned FineBits>
bool BasicTlsf<LargestBits, FineBits>::remove_region(const void* inside) noexcept {
    Region* const region = region_of(inside);
    if (region == nullptr || region->from_source != 0 || !region->is_empty()) {
        return false;
    }
    leave_region(region);
    return true;
}

template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_COLD bool BasicTlsf<LargestBits, FineBits>::take_from_source(std::size_t bytes) noexcept {
    constexpr std::size_t kMost = Lists::kBeyondBytes - Block::kWord + kRegionOverheadBytes;
    const std::size_t usual = options_.region_bytes < kMost ? options_.region_bytes : kMost;
    const std::size_t least = bytes + kRegionOverheadBytes;
    const std::size_t wanted = least < usual ? usual : least;
    if (wanted > kMost) {
        return false;
    }
    void* const memory = source_.try_allocate({.size = wanted, .alignment = alignof(std::max_align_t)});
    if (memory == nullptr) {
        return false;
    }
    enter_region(static_cast<Region*>(memory), align_down(wanted, Block::kWord), wanted);
    return true;
}

/// A block that ends a region became free: if it is all of it, and the source's, it may go back.
template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_COLD void BasicTlsf<LargestBits, FineBits>::region_emptied(Region* region) noexcept {
    if (region->from_source == 0 || !region->is_empty()) {
        return;
    }
    std::size_t empty = 0;
    for (const Region* other = regions_; other != nullptr; other = other->next) {
        empty += other->from_source != 0 && other->is_empty() ? 1U : 0U;
    }
    if (empty > options_.spare_regions) {
        const std::size_t from_source = region->from_source;
        leave_region(region);
        source_.deallocate(region, {.size = from_source, .alignment = alignof(std::max_align_t)});
    }
}

template <unsigned LargestBits, unsigned FineBits>
auto BasicTlsf<LargestBits, FineBits>::region_of(const void* address) const noexcept -> Region* {
    for (Region* region = regions_; region != nullptr; region = region->next) {
        if (region->holds(address)) {
            return region;
        }
    }
    return nullptr;
}

template <unsigned LargestBits, unsigned FineBits>
TlsfStats BasicTlsf<LargestBits, FineBits>::stats() const noexcept {
    TlsfStats stats{};
    stats.live_blocks = live_blocks_;
    stats.used_bytes = used_bytes_;
    stats.peak_used_bytes = peak_used_bytes_;
    stats.refusals = refusals_;
    for (const Region* region = regions_; region != nullptr; region = region->next) {
        stats.owned_bytes += region->bytes;
        stats.free_bytes += region->block_bytes();
        ++stats.regions;
    }
    stats.free_bytes -= used_bytes_;
    stats.largest_free_bytes = lists_.largest_bytes();
    if (stats.free_bytes > 0) {
        // Divided first where the product would not fit.
        const std::size_t apart = stats.free_bytes - stats.largest_free_bytes;
        stats.fragmentation_permille = apart > SIZE_MAX / 1000 ? apart / (stats.free_bytes / 1000) : apart * 1000 / stats.free_bytes;
    }
    return stats;
}

template <unsigned LargestBits, unsigned FineBits>
const char* BasicTlsf<LargestBits, FineBits>::broken_region(const Region* region, std::size_t* live, std::size_t* used,
                                                            std::size_t* free) const noexcept {
    const auto end = reinterpret_cast<std::uintptr_t>(region->end_mark());
    bool is_previous_free = false;
    const Block* block = region->first();
    while (block != region->end_mark()) {
        const std::size_t bytes = block->bytes();
        if (bytes < Block::kLeastBytes || !is_aligned(bytes, Block::kWord) || bytes > end - reinterpret_cast<std::uintptr_t>(block)) {
            return "T1: a block's size leads out of its region";
        }
        if (block->is_previous_free() != is_previous_free || (block->is_free() && is_previous_free)) {
            return "T2: two neighbours are free, or a block is wrong about the one before";
        }
        if (block->is_free() && *block->at(bytes)->footer_before() != bytes) {
            return "T2: a free block's footer is wrong";
        }
        is_previous_free = block->is_free();
        *free += is_previous_free ? 1U : 0U;
        *live += is_previous_free ? 0U : 1U;
        *used += is_previous_free ? 0 : bytes;
        block = block->at(bytes);
    }
    if (block->bytes() != 0 || block->is_free() || block->is_previous_free() != is_previous_free || Region::of_end_mark(block) != region) {
        return "T1: a region's end mark is damaged";
    }
    return nullptr;
}

template <unsigned LargestBits, unsigned FineBits>
const char* BasicTlsf<LargestBits, FineBits>::broken_invariant() const noexcept {
    std::size_t live = 0;
    std::size_t used = 0;
    std::size_t free = 0;
    for (const Region* region = regions_; region != nullptr; region = region->next) {
        if (const char* broken = broken_region(region, &live, &used, &free)) {
            return broken;
        }
    }
    std::size_t listed = 0;
    if (!lists_.is_sound(&listed) || listed != free) {
        return "T3: lists, links and bits of free blocks do not agree";
    }
    return live == live_blocks_ && used == used_bytes_ ? nullptr : "T4: live blocks or their bytes do not add up";
}

}  // namespace heapwright
