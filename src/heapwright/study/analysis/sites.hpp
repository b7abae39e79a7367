// What is counted for each call site while the events go by.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <heapwright/base/platform.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/histogram.hpp>
#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/analysis/stack_tree.hpp>
#include <heapwright/study/timeline/fetch.hpp>
#include <heapwright/study/timeline/live_blocks.hpp>

namespace heapwright::study {

/// What happened to a block when it left the live blocks.
struct Departure {
    std::uint64_t lifetime_ns = 0;  // from its first allocation
    bool temporary = false;         // freed by its thread before that thread's next allocation
    bool same_frame = false;        // see Site::same_frame
    bool cross_thread = false;      // freed by another thread
};

/// Blocks that lived less than this are short-lived.
inline constexpr std::uint64_t kShortLifeNs = 1'000'000;
/// A block may be touched beyond its requested bytes by what the allocator rounds up; more than this is damage.
inline constexpr std::uint64_t kLargestTouchSlack = 1 << 20;

/// The sites in the order of their first block. Counters are in the Scale's units until finish().
///
/// What every event touches stands apart from the findings' Site, in two cache lines a site: one for both births and
/// deaths, one for deaths. With many sites these lines are what a pass waits for; prefetch() fetches them.
/// Thread safety: one caller.
class SiteTable {
public:
    SiteTable(const StackTree& tree, const Scale& scale) : tree_(tree), scale_(scale) {}

    /// The site of a stack, made when it comes up first.
    std::uint32_t site_of(std::uint32_t stack) {
        if (HEAPWRIGHT_UNLIKELY(stack >= by_stack_.capacity() || by_stack_[stack] == 0)) {
            return make_site_slow(stack);
        }
        return by_stack_[stack] - 1;
    }

    /// Fetches what the birth of a block of that size at that stack will touch.
    void prefetch_birth(std::uint32_t stack, std::uint64_t size) const {
        if (stack < by_stack_.capacity() && by_stack_[stack] != 0) {
            const std::uint32_t site = by_stack_[stack] - 1;
            fetch_line(&hot_[site]);
            fetch_line(&cold(site).sizes[log2_bucket(size, kSizeBuckets)]);
        }
    }
    /// Fetches what the death of a block of that site will touch, at about that age.
    void prefetch_death(std::uint32_t site, std::uint64_t lifetime_ns) const {
        fetch_line(&hot_[site]);
        fetch_line(&hot_[site].frees);
        fetch_line(&cold(site).lifetimes[log2_bucket(lifetime_ns, kLifetimeBuckets)]);
    }
    void prefetch_stack(std::uint32_t stack) const {
        if (stack < by_stack_.capacity()) {
            fetch_line(&by_stack_[stack]);
        }
    }

    void allocated(const BlockRecord& block, std::uint64_t usable, std::uint8_t alignment_log2, std::uint64_t stamp);
    /// The block leaves the site: by a release, or resized away, or lost to an overlap.
    void left(const BlockRecord& block, bool by_release) {
        Hot& hot = hot_[block.site];
        hot.live_bytes -= block.size * scale_.weight(block.size);
        --hot.live_blocks;
        hot.drains += by_release && hot.live_blocks == 0 ? 1 : 0;
    }
    void released(const BlockRecord& block, const Departure& how, std::uint64_t stamp);
    /// `chain`: how often the block has been resized by now; `target`: the site that it belongs to from now on.
    void resized(const BlockRecord& block, std::uint32_t target, std::uint64_t chain, std::uint64_t copied_bytes);
    void touched(const BlockRecord& block, std::uint64_t bytes);

    /// The frame whose staying says that the allocating function has not returned, and its depth.
    struct Scope {
        std::uint32_t node = 0;
        std::uint16_t depth = 0;  // 0: the function has no caller and never returns; 65535: nobody knows
    };
    [[nodiscard]] Scope scope_of(std::uint32_t site) const { return {hot_[site].scope, hot_[site].scope_depth}; }

    [[nodiscard]] std::size_t size() const { return hot_.size(); }
    /// For what is found out at the end of the pass.
    [[nodiscard]] Site& operator[](std::uint32_t site) { return (*blocks_[site / kSitesInBlock])[site % kSitesInBlock]; }

    /// Hands the sites out with counters turned into counts; the table is empty afterwards.
    /// `ns_of(stamp)` is the time of a stamp.
    template <class NsOf>
    std::vector<Site> finish(NsOf ns_of);

private:
    static constexpr std::size_t kSitesInBlock = 128;
    static constexpr std::uint32_t kLargeSize = UINT32_MAX;
    static constexpr std::uint8_t kNoCall = 255;

    struct alignas(64) Hot {
        // Births, and the first three deaths as well:
        std::uint64_t live_bytes = 0;
        std::uint32_t live_blocks = 0;      // as recorded, not scaled
        std::uint32_t scope = 0;
        std::uint16_t scope_depth = 0;
        std::uint8_t usual_call = kNoCall;  // the call that `usual_calls` counts; others go to Site::calls
        std::uint8_t latest_thread = 255;   // as a bit of the site's thread mask
        std::uint32_t latest_size = kLargeSize;
        std::uint64_t usual_calls = 0;
        std::uint64_t allocated_bytes = 0;
        std::uint64_t allocated_usable_bytes = 0;
        std::uint64_t peak_bytes = 0;
        std::uint64_t last_stamp = 0;
        // Deaths, and the extremes of the sizes, which change rarely:
        std::uint64_t frees = 0;
        std::uint64_t drains = 0;           // not scaled
        std::uint64_t temporary = 0;
        std::uint64_t same_frame = 0;
        std::uint64_t short_lived = 0;
        std::uint64_t lifetime_ns_total = 0;
        std::uint64_t lifetime_ns_max = 0;
        std::uint32_t min_size = kLargeSize;  // sizes from 4 GiB on are in Site
        std::uint32_t max_size = 0;
    };
    static_assert(sizeof(Hot) == 128);

    [[nodiscard]] const Site& cold(std::uint32_t site) const { return (*blocks_[site / kSitesInBlock])[site % kSitesInBlock]; }
    std::uint32_t make_site_slow(std::uint32_t stack);
    void note_call_slow(const BlockRecord& block, Hot& hot, std::uint64_t weight, std::uint64_t stamp);
    void note_size(const BlockRecord& block, Hot& hot);
    void join(Site& site, const Hot& hot) const;
    void scale_down(Site& site) const;

    const StackTree& tree_;
    const Scale& scale_;
    PagesArray<std::uint32_t> by_stack_;  // site + 1; 0: not seen yet
    PagesList<Hot> hot_;
    PagesList<std::uint64_t> first_stamps_;
    PagesList<std::uint64_t> thread_masks_;
    std::vector<std::unique_ptr<std::array<Site, kSitesInBlock>>> blocks_;
};

inline void SiteTable::allocated(const BlockRecord& block, std::uint64_t usable, std::uint8_t alignment_log2, std::uint64_t stamp) {
    const std::uint64_t weight = scale_.weight(block.size);
    Hot& hot = hot_[block.site];
    if (HEAPWRIGHT_LIKELY(block.call == hot.usual_call)) {
        hot.usual_calls += weight;
    } else {
        note_call_slow(block, hot, weight, stamp);
    }
    hot.allocated_bytes += block.size * weight;
    hot.allocated_usable_bytes += usable * weight;
    hot.live_bytes += block.size * weight;
    ++hot.live_blocks;
    hot.peak_bytes = std::max(hot.peak_bytes, hot.live_bytes);
    hot.last_stamp = stamp;
    const auto thread_bit = static_cast<std::uint8_t>((block.thread - 1U) % 64);
    if (thread_bit != hot.latest_thread) {
        hot.latest_thread = thread_bit;
        thread_masks_[block.site] |= std::uint64_t{1} << thread_bit;
    }
    if (block.size != hot.latest_size) {
        note_size(block, hot);
    }
    Site& site = (*this)[block.site];
    count_in(site.sizes, log2_bucket(block.size, kSizeBuckets), scale_.whole_weight(block.size, stamp));
    if (HEAPWRIGHT_UNLIKELY(alignment_log2 > 4)) {
        site.over_aligned += weight;
    }
}

inline void SiteTable::released(const BlockRecord& block, const Departure& how, std::uint64_t stamp) {
    const std::uint64_t weight = scale_.weight(block.size);
    const std::uint32_t whole = scale_.whole_weight(block.size, stamp);
    Hot& hot = hot_[block.site];
    hot.frees += weight;
    hot.temporary += how.temporary ? weight : 0;
    hot.same_frame += how.same_frame ? weight : 0;
    hot.short_lived += how.lifetime_ns < kShortLifeNs ? weight : 0;
    hot.lifetime_ns_total += how.lifetime_ns * whole;
    hot.lifetime_ns_max = std::max(hot.lifetime_ns_max, how.lifetime_ns);
    Site& site = (*this)[block.site];
    count_in(site.lifetimes, log2_bucket(how.lifetime_ns, kLifetimeBuckets), whole);
    if (HEAPWRIGHT_UNLIKELY(how.cross_thread)) {
        site.cross_thread_frees += weight;
    }
}

template <class NsOf>
std::vector<Site> SiteTable::finish(NsOf ns_of) {
    std::vector<Site> sites;
    sites.reserve(hot_.size());
    for (auto& block : blocks_) {
        for (Site& site : *block) {
            const std::size_t index = sites.size();
            if (index == hot_.size()) {
                break;
            }
            join(site, hot_[index]);
            site.threads = static_cast<std::uint32_t>(__builtin_popcountll(thread_masks_[index]));
            site.first_ns = ns_of(first_stamps_[index]);
            site.last_ns = ns_of(hot_[index].last_stamp);
            scale_down(site);
            sites.push_back(std::move(site));
        }
        block.reset();  // the counters and the findings never stand side by side
    }
    blocks_.clear();
    hot_.release();
    first_stamps_.release();
    thread_masks_.release();
    return sites;
}

}  // namespace heapwright::study
