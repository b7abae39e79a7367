// The rare steps of the site table: new sites, resizes, and the end of the pass.
#include <heapwright/study/analysis/sites.hpp>

#include <numeric>

namespace heapwright::study {

std::uint32_t SiteTable::make_site_slow(std::uint32_t stack) {
    if (stack >= by_stack_.capacity()) {
        by_stack_.grow(std::max<std::size_t>(tree_.size(), stack + std::size_t{1}));
    }
    const auto site = static_cast<std::uint32_t>(hot_.size());
    if (site % kSitesInBlock == 0) {
        blocks_.push_back(std::make_unique<std::array<Site, kSitesInBlock>>());
    }
    by_stack_[stack] = site + 1;
    Hot hot;
    // Without a stack nothing is known; with a function that has no caller, it never returns.
    const std::uint32_t function = tree_.caller_frame(stack);
    hot.scope = tree_[function].parent;
    hot.scope_depth = function == 0 ? UINT16_MAX : tree_[hot.scope].depth;
    hot_.push_back(hot);
    first_stamps_.push_back(0);
    thread_masks_.push_back(0);
    (*this)[site].stack = static_cast<trace::StackId>(stack);
    return site;
}

/// The first block of a site, and those that came by another call than that one.
void SiteTable::note_call_slow(const BlockRecord& block, Hot& hot, std::uint64_t weight, std::uint64_t stamp) {
    if (hot.usual_call == kNoCall) {
        hot.usual_call = static_cast<std::uint8_t>(block.call);
        hot.usual_calls = weight;
        first_stamps_[block.site] = stamp;
        return;
    }
    (*this)[block.site].calls[block.call] += weight;
}

/// Most sites ask for one size, or for few; the extremes are looked at when the size changes.
void SiteTable::note_size(const BlockRecord& block, Hot& hot) {
    if (block.size < kLargeSize) {
        hot.latest_size = static_cast<std::uint32_t>(block.size);
        hot.min_size = std::min(hot.min_size, hot.latest_size);
        hot.max_size = std::max(hot.max_size, hot.latest_size);
        return;
    }
    Site& site = (*this)[block.site];
    site.min_size = std::min<std::uint64_t>(site.min_size, block.size);
    site.max_size = std::max<std::uint64_t>(site.max_size, block.size);
}

void SiteTable::resized(const BlockRecord& block, std::uint32_t target, std::uint64_t chain, std::uint64_t copied_bytes) {
    const std::uint64_t weight = scale_.weight(block.size);
    Site& from = (*this)[block.site];
    from.reallocs += weight;
    from.realloc_copied_bytes += copied_bytes * weight;
    from.realloc_chain_max = std::max(from.realloc_chain_max, chain);
    Site& to = (*this)[target];
    to.realloc_chain_max = std::max(to.realloc_chain_max, chain);
    to.realloc_chains += chain == 2 ? weight : 0;
}

void SiteTable::touched(const BlockRecord& block, std::uint64_t bytes) {
    const std::uint64_t weight = scale_.weight(block.size);
    Site& site = (*this)[block.site];
    site.touched_blocks += weight;
    site.touched_requested_bytes += block.size * weight;
    site.touched_bytes += std::min<std::uint64_t>(bytes, block.size + kLargestTouchSlack) * weight;
}

void SiteTable::join(Site& site, const Hot& hot) const {
    if (hot.usual_call != kNoCall) {
        site.calls[hot.usual_call] += hot.usual_calls;
    }
    site.allocations = std::accumulate(site.calls.begin(), site.calls.end(), std::uint64_t{0});
    site.allocated_bytes = hot.allocated_bytes;
    site.allocated_usable_bytes = hot.allocated_usable_bytes;
    site.peak_bytes = hot.peak_bytes;
    if (hot.min_size != kLargeSize) {
        site.min_size = std::min<std::uint64_t>(site.min_size, hot.min_size);
        site.max_size = std::max<std::uint64_t>(site.max_size, hot.max_size);
    }
    site.frees = hot.frees;
    site.temporary = hot.temporary;
    site.same_frame = hot.same_frame;
    site.short_lived = hot.short_lived;
    site.drains = hot.drains;
    site.lifetime_ns_total = hot.lifetime_ns_total;
    site.lifetime_ns_max = hot.lifetime_ns_max;
}

void SiteTable::scale_down(Site& site) const {
    if (!scale_.is_sampled()) {
        return;
    }
    for (std::uint64_t& calls : site.calls) {
        calls = scale_.to_count(calls);
    }
    for (std::uint64_t* counter :
         {&site.allocations, &site.allocated_bytes, &site.allocated_usable_bytes, &site.frees, &site.peak_bytes, &site.temporary,
          &site.short_lived, &site.same_frame, &site.cross_thread_frees, &site.reallocs, &site.realloc_copied_bytes,
          &site.realloc_chains, &site.over_aligned, &site.touched_blocks, &site.touched_requested_bytes, &site.touched_bytes,
          &site.live_at_peak.blocks, &site.live_at_peak.requested_bytes, &site.live_at_peak.usable_bytes, &site.leaked.blocks,
          &site.leaked.requested_bytes, &site.leaked.usable_bytes}) {
        *counter = scale_.to_count(*counter);
    }
}

}  // namespace heapwright::study
