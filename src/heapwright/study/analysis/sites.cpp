// The rare steps of the site table: new sites, resizes, and the end of the pass.
#include <heapwright/study/analysis/sites.hpp>

namespace heapwright::study {

std::uint32_t SiteTable::make_site_slow(std::uint32_t stack) {
    if (stack >= by_stack_.capacity()) {
        by_stack_.grow(std::max<std::size_t>(tree_.size(), stack + std::size_t{1}));
        if (by_stack_[stack] != 0) {
            return by_stack_[stack] - 1;
        }
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
    (*this)[site].stack = static_cast<trace::StackId>(stack);
    return site;
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
