// The rare steps of the site table: new sites, changes of size, resizes, and the end of the pass.
#include <heapwright/study/analysis/sites.hpp>

#include <numeric>

namespace heapwright::study {

std::uint32_t SiteTable::make_site_slow(std::uint32_t stack) {
    if (stack >= by_stack_.capacity()) {
        by_stack_.grow(std::max<std::size_t>(tree_.size(), stack + std::size_t{1}));
    }
    const auto site = static_cast<std::uint32_t>(hot_.size());
    by_stack_[stack] = site + 1;
    Hot hot;
    // Without a stack nothing is known; with a function that has no caller, it never returns.
    const std::uint32_t function = tree_.caller_frame(stack);
    hot.scope = tree_[function].parent;
    hot.scope_depth = function == 0 ? UINT16_MAX : tree_[hot.scope].depth;
    hot_.push_back(hot);
    cold_.push_back(Cold{});
    cold_[site].stack = stack;
    return site;
}

/// The first block of a site, and those that came by another call than that one.
void SiteTable::note_call_slow(const BlockRecord& block, std::uint64_t weight, std::uint64_t stamp) {
    Hot& hot = hot_[block.site];
    if (hot.usual_call != kNoCall) {
        cold_[block.site].calls[block.call] += weight;
        return;
    }
    hot.usual_call = static_cast<std::uint8_t>(block.call);
    hot.usual_calls = weight;
    cold_[block.site].first_stamp = stamp;
    change_size(block.site, block.size);
}

/// Writes what was counted for the latest size, and goes on with `size`. Sizes from 4 GiB on are never the latest.
void SiteTable::change_size(std::uint32_t site, std::uint64_t size) {
    Hot& hot = hot_[site];
    Cold& cold = cold_[site];
    count_in(cold.sizes, log2_bucket(hot.latest_size, kSizeBuckets), hot.latest_size_count);
    cold.min_size = std::min(cold.min_size, size);
    cold.max_size = std::max(cold.max_size, size);
    hot.latest_size = size < kLargeSize ? static_cast<std::uint32_t>(size) : kLargeSize;
    hot.latest_size_count = 0;
}

void SiteTable::flush_lifetimes(std::uint32_t site) {
    Hot& hot = hot_[site];
    count_in(cold_[site].lifetimes, hot.lifetime_bucket, hot.lifetime_count);
    hot.lifetime_count = 0;
}

void SiteTable::resized(const BlockRecord& block, std::uint32_t target, std::uint64_t chain, std::uint64_t copied_bytes) {
    const std::uint64_t weight = scale_.weight(block.size);
    Cold& from = cold_[block.site];
    from.reallocs += weight;
    from.realloc_copied_bytes += copied_bytes * weight;
    from.realloc_chain_max = std::max(from.realloc_chain_max, chain);
    Cold& to = cold_[target];
    to.realloc_chain_max = std::max(to.realloc_chain_max, chain);
    to.realloc_chains += chain == 2 ? weight : 0;
}

void SiteTable::touched(const BlockRecord& block, std::uint64_t bytes) {
    const std::uint64_t weight = scale_.weight(block.size);
    Cold& cold = cold_[block.site];
    cold.touched_blocks += weight;
    cold.touched_requested_bytes += block.size * weight;
    cold.touched_bytes += std::min<std::uint64_t>(bytes, block.size + kLargestTouchSlack) * weight;
}

/// The findings' view of a site, in counts.
Site SiteTable::join(std::uint32_t index) {
    if (hot_[index].usual_call != kNoCall) {
        change_size(index, hot_[index].latest_size < kLargeSize ? hot_[index].latest_size : cold_[index].max_size);
    }
    flush_lifetimes(index);
    const Hot& hot = hot_[index];
    const Cold& cold = cold_[index];
    const auto count = [&](std::uint64_t counter) { return scale_.to_count(counter); };
    Site site;
    site.stack = static_cast<trace::StackId>(cold.stack);
    std::uint64_t allocations = hot.usual_calls;
    for (std::size_t call = 0; call < cold.calls.size(); ++call) {
        site.calls[call] = count(cold.calls[call] + (call == hot.usual_call ? hot.usual_calls : 0));
        allocations += cold.calls[call];
    }
    site.allocations = count(allocations);
    site.allocated_bytes = count(hot.allocated_bytes);
    site.allocated_usable_bytes = count(hot.allocated_usable_bytes);
    site.frees = count(hot.frees);
    site.peak_bytes = count(hot.peak_bytes);
    site.drains = hot.drains;
    site.temporary = count(hot.temporary);
    site.short_lived = count(hot.short_lived);
    site.same_frame = count(hot.same_frame);
    site.cross_thread_frees = count(cold.cross_thread_frees);
    site.reallocs = count(cold.reallocs);
    site.realloc_copied_bytes = count(cold.realloc_copied_bytes);
    site.realloc_chain_max = cold.realloc_chain_max;
    site.realloc_chains = count(cold.realloc_chains);
    site.over_aligned = count(cold.over_aligned);
    site.min_size = cold.min_size;
    site.max_size = cold.max_size;
    site.touched_blocks = count(cold.touched_blocks);
    site.touched_requested_bytes = count(cold.touched_requested_bytes);
    site.touched_bytes = count(cold.touched_bytes);
    site.lifetime_ns_total = hot.lifetime_ns_total;
    site.lifetime_ns_max = hot.lifetime_ns_max;
    site.threads = static_cast<std::uint32_t>(__builtin_popcountll(cold.thread_mask));
    site.lifetimes = cold.lifetimes;
    site.sizes = cold.sizes;
    return site;
}

}  // namespace heapwright::study
