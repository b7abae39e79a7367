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
#include <heapwright/study/timeline/live_blocks.hpp>

namespace heapwright::study {

/// What happened to a block when it left the live blocks.
struct Departure {
    std::uint64_t lifetime_ns = 0;   // from its first allocation
    bool temporary = false;          // freed by its thread before that thread's next allocation
    bool same_frame = false;         // see Site::same_frame
    bool cross_thread = false;       // freed by another thread
};

/// Blocks that lived less than this are short-lived.
inline constexpr std::uint64_t kShortLifeNs = 1'000'000;
/// A block may be touched beyond its requested bytes by what the allocator rounds up; more than this is damage.
inline constexpr std::uint64_t kLargestTouchSlack = 1 << 20;

/// The sites in the order of their first block. Counters are in the Scale's units until finish().
///
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

    void allocated(const BlockRecord& block, std::uint64_t usable, std::uint8_t alignment_log2, std::uint64_t stamp);
    /// The block's bytes leave the site: released, resized away, or lost to an overlap.
    void left(const BlockRecord& block) { hot_[block.site].live_bytes -= block.size * scale_.weight(block.size); }
    void released(const BlockRecord& block, const Departure& how, std::uint64_t stamp);
    /// `chain`: how often the block has been resized by now; `target`: the site that it belongs to from now on.
    void resized(const BlockRecord& block, std::uint32_t target, std::uint64_t chain, std::uint64_t copied_bytes);
    void touched(const BlockRecord& block, std::uint64_t bytes);

    /// The frame whose staying says that the allocating function has not returned, and its depth (65535: nobody knows).
    struct Scope {
        std::uint32_t node = 0;
        std::uint16_t depth = 0;
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

    struct Hot {
        std::uint64_t live_bytes = 0;
        std::uint64_t peak_bytes = 0;
        std::uint64_t thread_mask = 0;
        std::uint64_t first_stamp = 0;
        std::uint64_t last_stamp = 0;
        std::uint32_t scope = 0;
        std::uint16_t scope_depth = 0;
    };

    std::uint32_t make_site_slow(std::uint32_t stack);
    void scale_down(Site& site) const;

    const StackTree& tree_;
    const Scale& scale_;
    PagesArray<std::uint32_t> by_stack_;  // site + 1; 0: not seen yet
    PagesList<Hot> hot_;
    std::vector<std::unique_ptr<std::array<Site, kSitesInBlock>>> blocks_;
};

inline void SiteTable::allocated(const BlockRecord& block, std::uint64_t usable, std::uint8_t alignment_log2, std::uint64_t stamp) {
    const std::uint64_t weight = scale_.weight(block.size);
    Site& site = (*this)[block.site];
    Hot& hot = hot_[block.site];
    site.calls[block.call] += weight;
    site.allocations += weight;
    site.allocated_bytes += block.size * weight;
    site.allocated_usable_bytes += usable * weight;
    site.over_aligned += alignment_log2 > 4 ? weight : 0;
    site.min_size = std::min<std::uint64_t>(site.min_size, block.size);
    site.max_size = std::max<std::uint64_t>(site.max_size, block.size);
    count_in(site.sizes, log2_bucket(block.size, kSizeBuckets), scale_.whole_weight(block.size, stamp));
    hot.live_bytes += block.size * weight;
    hot.peak_bytes = std::max(hot.peak_bytes, hot.live_bytes);
    hot.thread_mask |= std::uint64_t{1} << ((block.thread - 1U) % 64);
    hot.first_stamp = hot.first_stamp == 0 ? stamp : hot.first_stamp;
    hot.last_stamp = stamp;
}

inline void SiteTable::released(const BlockRecord& block, const Departure& how, std::uint64_t stamp) {
    const std::uint64_t weight = scale_.weight(block.size);
    Site& site = (*this)[block.site];
    site.frees += weight;
    site.drains += hot_[block.site].live_bytes == 0 ? 1U : 0U;
    site.temporary += how.temporary ? weight : 0;
    site.same_frame += how.same_frame ? weight : 0;
    site.cross_thread_frees += how.cross_thread ? weight : 0;
    site.short_lived += how.lifetime_ns < kShortLifeNs ? weight : 0;
    site.lifetime_ns_total += how.lifetime_ns * scale_.whole_weight(block.size, stamp);
    site.lifetime_ns_max = std::max(site.lifetime_ns_max, how.lifetime_ns);
    count_in(site.lifetimes, log2_bucket(how.lifetime_ns, kLifetimeBuckets), scale_.whole_weight(block.size, stamp));
}

inline void SiteTable::touched(const BlockRecord& block, std::uint64_t bytes) {
    const std::uint64_t weight = scale_.weight(block.size);
    Site& site = (*this)[block.site];
    site.touched_blocks += weight;
    site.touched_requested_bytes += block.size * weight;
    site.touched_bytes += std::min<std::uint64_t>(bytes, block.size + kLargestTouchSlack) * weight;
}

template <class NsOf>
std::vector<Site> SiteTable::finish(NsOf ns_of) {
    std::vector<Site> sites;
    sites.reserve(hot_.size());
    for (auto& block : blocks_) {
        for (Site& site : *block) {
            if (sites.size() == hot_.size()) {
                break;
            }
            const Hot& hot = hot_[sites.size()];
            site.peak_bytes = hot.peak_bytes;
            site.threads = static_cast<std::uint32_t>(__builtin_popcountll(hot.thread_mask));
            site.first_ns = ns_of(hot.first_stamp);
            site.last_ns = ns_of(hot.last_stamp);
            scale_down(site);
            sites.push_back(std::move(site));
        }
        block.reset();  // the counters and the findings never stand side by side
    }
    blocks_.clear();
    hot_.release();
    return sites;
}

}  // namespace heapwright::study
