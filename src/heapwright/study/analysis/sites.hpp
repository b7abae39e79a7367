// What is counted for each call site while the events go by.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <heapwright/base/platform.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/histogram.hpp>
#include <heapwright/study/analysis/scale.hpp>
#include <heapwright/study/analysis/stack_tree.hpp>
#include <heapwright/study/timeline/fetch.hpp>
#include <heapwright/study/timeline/live_blocks.hpp>
#include <heapwright/study/timeline/pages_array.hpp>

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
/// With many sites, a pass waits for their counters. So what every event touches stands in two cache lines a site, one
/// for births and deaths and one for deaths; histograms stand elsewhere and are written only when a site's size, or the
/// bucket of its lifetimes, is another than the last time. prefetch_*() fetch all of it in steps.
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

    static constexpr std::uint32_t kNoSite = UINT32_MAX;

    void prefetch_stack(std::uint32_t stack) const {
        if (stack < by_stack_.capacity()) {
            fetch_line(&by_stack_[stack]);
        }
    }
    /// Returns: the site whose counters are being fetched, or kNoSite.
    [[nodiscard]] std::uint32_t prefetch_birth(std::uint32_t stack) const {
        const std::uint32_t site = stack < by_stack_.capacity() ? by_stack_[stack] - 1 : kNoSite;
        if (site != kNoSite) {
            fetch_line(&hot_[site]);
        }
        return site;
    }
    void prefetch_death(std::uint32_t site) const {
        fetch_line(&hot_[site]);
        fetch_line(&hot_[site].frees);
    }
    /// The histograms, if they will be needed. Reads what prefetch_birth() and prefetch_death() fetched.
    void prefetch_sizes(std::uint32_t site, std::uint64_t size) const {
        if (hot_[site].latest_size != size) {
            fetch_line(&cold_[site].sizes[log2_bucket(hot_[site].latest_size, kSizeBuckets)]);
            fetch_line(&cold_[site].min_size);
        }
    }
    void prefetch_lifetimes(std::uint32_t site, std::uint64_t lifetime_ns) const {
        if (hot_[site].lifetime_bucket != log2_bucket(lifetime_ns, kLifetimeBuckets)) {
            fetch_line(&cold_[site].lifetimes[hot_[site].lifetime_bucket]);
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
    /// A part of a mapping that left is still there.
    void kept(const BlockRecord& block) {
        hot_[block.site].live_bytes += block.size * scale_.weight(block.size);
        ++hot_[block.site].live_blocks;
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

    /// Hands the sites out with counters turned into counts; the table is empty afterwards.
    /// `ns_of(stamp)` is the time of a stamp.
    template <class NsOf>
    std::vector<Site> finish(NsOf ns_of);

private:
    static constexpr std::uint32_t kLargeSize = UINT32_MAX;
    static constexpr std::uint8_t kNoCall = 255;

    struct alignas(64) Hot {
        // Births and deaths:
        std::uint64_t live_bytes = 0;
        std::uint64_t peak_bytes = 0;
        std::uint64_t last_stamp = 0;
        std::uint64_t allocated_bytes = 0;
        std::uint64_t allocated_usable_bytes = 0;
        std::uint64_t usual_calls = 0;
        std::uint32_t live_blocks = 0;  // as recorded, not scaled
        std::uint32_t latest_size = 0;
        std::uint32_t latest_size_count = 0;  // whole blocks of that size that the histogram does not have yet
        std::uint8_t usual_call = kNoCall;    // the call that `usual_calls` counts; others are in Cold
        std::uint8_t latest_thread = 255;     // as a bit of Cold::thread_mask
        // Deaths:
        alignas(64) std::uint64_t frees = 0;
        std::uint64_t drains = 0;  // not scaled
        std::uint64_t temporary = 0;
        std::uint64_t same_frame = 0;
        std::uint64_t short_lived = 0;
        std::uint64_t lifetime_ns_total = 0;
        std::uint64_t lifetime_ns_max = 0;
        std::uint32_t scope = 0;
        std::uint16_t scope_depth = 0;
        std::uint8_t lifetime_bucket = 0;
        std::uint8_t lifetime_count = 0;  // whole blocks of that bucket that the histogram does not have yet
    };
    static_assert(sizeof(Hot) == 128);

    struct alignas(64) Cold {
        std::array<std::uint32_t, kSizeBuckets> sizes{};
        std::array<std::uint32_t, kLifetimeBuckets> lifetimes{};
        std::uint64_t min_size = ~std::uint64_t{0};
        std::uint64_t max_size = 0;
        std::uint64_t thread_mask = 0;
        std::uint64_t first_stamp = 0;
        std::uint64_t over_aligned = 0;
        std::uint64_t cross_thread_frees = 0;
        std::uint32_t stack = 0;
        std::uint64_t reallocs = 0;
        std::uint64_t realloc_copied_bytes = 0;
        std::uint64_t realloc_chain_max = 0;
        std::uint64_t realloc_chains = 0;
        std::uint64_t touched_blocks = 0;
        std::uint64_t touched_requested_bytes = 0;
        std::uint64_t touched_bytes = 0;
        std::array<std::uint64_t, trace::kCallCount> calls{};
    };

    std::uint32_t make_site_slow(std::uint32_t stack);
    void note_call_slow(const BlockRecord& block, std::uint64_t weight, std::uint64_t stamp);
    void change_size(std::uint32_t site, std::uint64_t size);
    void flush_lifetimes(std::uint32_t site);
    [[nodiscard]] Site join(std::uint32_t site);

    const StackTree& tree_;
    const Scale& scale_;
    PagesArray<std::uint32_t> by_stack_;  // site + 1; 0: not seen yet
    PagesList<Hot> hot_;
    PagesList<Cold> cold_;
};

inline void SiteTable::allocated(const BlockRecord& block, std::uint64_t usable, std::uint8_t alignment_log2, std::uint64_t stamp) {
    const std::uint64_t size = block.size;
    const std::uint64_t weight = scale_.weight(size);
    Hot& hot = hot_[block.site];
    hot.live_bytes += size * weight;
    hot.peak_bytes = std::max(hot.peak_bytes, hot.live_bytes);
    hot.last_stamp = stamp;
    hot.allocated_bytes += size * weight;
    hot.allocated_usable_bytes += usable * weight;
    ++hot.live_blocks;
    if (HEAPWRIGHT_LIKELY(block.call == hot.usual_call)) {
        hot.usual_calls += weight;
    } else {
        note_call_slow(block, weight, stamp);
    }
    if (size != hot.latest_size || hot.latest_size_count >= UINT32_MAX / 2) {
        change_size(block.site, size);
    }
    const std::uint32_t whole = scale_.whole_weight(size, stamp);
    if (HEAPWRIGHT_LIKELY(size < kLargeSize)) {
        hot.latest_size_count += std::min(whole, UINT32_MAX / 2);
    } else {
        count_in(cold_[block.site].sizes, log2_bucket(size, kSizeBuckets), whole);
    }
    const auto thread_bit = static_cast<std::uint8_t>((block.thread - 1U) % 64);
    if (HEAPWRIGHT_UNLIKELY(thread_bit != hot.latest_thread)) {
        hot.latest_thread = thread_bit;
        cold_[block.site].thread_mask |= std::uint64_t{1} << thread_bit;
    }
    if (HEAPWRIGHT_UNLIKELY(alignment_log2 > 4)) {
        cold_[block.site].over_aligned += weight;
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
    const auto bucket = static_cast<std::uint8_t>(log2_bucket(how.lifetime_ns, kLifetimeBuckets));
    if (bucket != hot.lifetime_bucket || hot.lifetime_count == UINT8_MAX) {
        flush_lifetimes(block.site);
        hot.lifetime_bucket = bucket;
    }
    if (HEAPWRIGHT_LIKELY(whole == 1)) {
        ++hot.lifetime_count;
    } else {
        count_in(cold_[block.site].lifetimes, bucket, whole);
    }
    if (HEAPWRIGHT_UNLIKELY(how.cross_thread)) {
        cold_[block.site].cross_thread_frees += weight;
    }
}

template <class NsOf>
std::vector<Site> SiteTable::finish(NsOf ns_of) {
    std::vector<Site> sites;
    sites.reserve(hot_.size());
    for (std::uint32_t index = 0; index < hot_.size(); ++index) {
        sites.push_back(join(index));
        sites.back().first_ns = ns_of(cold_[index].first_stamp);
        sites.back().last_ns = ns_of(hot_[index].last_stamp);
        cold_.forget_before(index);  // counters and findings of many sites never stand side by side
    }
    hot_.release();
    cold_.release();
    by_stack_.clear();
    return sites;
}

}  // namespace heapwright::study
