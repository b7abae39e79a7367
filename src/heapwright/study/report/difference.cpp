#include <heapwright/study/report/difference.hpp>

#include <algorithm>
#include <map>
#include <unordered_map>

#include <heapwright/study/report/function_keys.hpp>

namespace heapwright::study {
namespace {

using Stack = std::vector<FunctionKeys::Key>;

struct StackHash {
    std::size_t operator()(const Stack& stack) const {
        std::uint64_t hash = stack.size();
        for (const FunctionKeys::Key key : stack) {
            hash = (hash ^ key) * 0x9e3779b97f4a7c15U;
            hash ^= hash >> 31U;
        }
        return hash;
    }
};

// The row of the same size in a trace that never asked for it.
SizeRow empty_row(const SizeRow& row) {
    SizeRow empty;
    empty.size = row.size;
    empty.usable = row.usable;
    return empty;
}

using PairsByStack = std::unordered_map<Stack, std::size_t, StackHash>;

void add(Amount& sum, const Amount& part) {
    sum.blocks += part.blocks;
    sum.requested_bytes += part.requested_bytes;
    sum.usable_bytes += part.usable_bytes;
}

template <class Array>
void add_all(Array& sum, const Array& part) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += part[i];
    }
}

void add_sites(TraceDifference& difference, PairsByStack& pairs, const Findings& findings, const std::vector<FunctionKeys::Key>& keys,
               std::size_t first_frame, bool is_after) {
    for (const Site& site : findings.sites) {
        Stack stack;
        stack.reserve(site.frames.size());
        for (const FrameId frame : site.frames) {
            stack.push_back(keys[static_cast<std::size_t>(frame)]);
        }
        const auto [entry, fresh] = pairs.try_emplace(std::move(stack), difference.sites.size());
        if (fresh) {
            SitePair& pair = difference.sites.emplace_back();
            for (const FrameId frame : site.frames) {
                pair.frames.push_back(static_cast<FrameId>(first_frame + static_cast<std::size_t>(frame)));
            }
        }
        SitePair& pair = difference.sites[entry->second];
        add_numbers(is_after ? pair.after : pair.before, site);
        (is_after ? pair.in_after : pair.in_before) = true;
    }
}

}  // namespace

void add_numbers(Site& sum, const Site& part) {
    const bool first = sum.allocations == 0;
    add_all(sum.calls, part.calls);
    add_all(sum.lifetimes, part.lifetimes);
    add_all(sum.sizes, part.sizes);
    add(sum.live_at_peak, part.live_at_peak);
    add(sum.leaked, part.leaked);
    sum.allocations += part.allocations;
    sum.allocated_bytes += part.allocated_bytes;
    sum.allocated_usable_bytes += part.allocated_usable_bytes;
    sum.peak_bytes += part.peak_bytes;  // an upper bound: the peaks of two sites need not be at one time
    sum.temporary += part.temporary;
    sum.short_lived += part.short_lived;
    sum.same_frame += part.same_frame;
    sum.drains += part.drains;
    sum.cross_thread_frees += part.cross_thread_frees;
    sum.reallocs += part.reallocs;
    sum.realloc_copied_bytes += part.realloc_copied_bytes;
    sum.realloc_chain_max = std::max(sum.realloc_chain_max, part.realloc_chain_max);
    sum.realloc_chains += part.realloc_chains;
    sum.over_aligned += part.over_aligned;
    sum.min_size = std::min(sum.min_size, part.min_size);
    sum.max_size = std::max(sum.max_size, part.max_size);
    sum.lifetime_ns_total += part.lifetime_ns_total;
    sum.lifetime_ns_max = std::max(sum.lifetime_ns_max, part.lifetime_ns_max);
    sum.first_ns = first ? part.first_ns : std::min(sum.first_ns, part.first_ns);
    sum.last_ns = std::max(sum.last_ns, part.last_ns);
    sum.threads = std::max(sum.threads, part.threads);
    sum.pinned_bytes_at_peak += part.pinned_bytes_at_peak;
    sum.pinned_bytes_at_end += part.pinned_bytes_at_end;
    sum.pinned_free_bytes_at_peak += part.pinned_free_bytes_at_peak;
    sum.pinned_free_bytes_at_end += part.pinned_free_bytes_at_end;
}

TraceDifference::TraceDifference(const Findings& before_findings, const Findings& after_findings)
    : before(before_findings), after(after_findings) {
    frames = after.frames;
    frames.insert(frames.end(), before.frames.begin(), before.frames.end());
    FunctionKeys keys;
    const auto after_keys = keys.keys_of(after);
    const auto before_keys = keys.keys_of(before);
    PairsByStack pairs;
    add_sites(*this, pairs, after, after_keys, 0, true);
    add_sites(*this, pairs, before, before_keys, after.frames.size(), false);

    std::map<std::uint64_t, std::size_t> rows;
    for (const SizeRow& row : after.sizes) {
        rows[row.size] = sizes.size();
        sizes.push_back({empty_row(row), row});
    }
    for (const SizeRow& row : before.sizes) {
        const auto [entry, fresh] = rows.try_emplace(row.size, sizes.size());
        if (fresh) {
            sizes.push_back({row, empty_row(row)});
        } else {
            sizes[entry->second].before = row;
        }
    }
}

}  // namespace heapwright::study
