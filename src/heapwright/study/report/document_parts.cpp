// The pieces of the JSON document: which sites it holds, their numbers, the frames they use, the tree and the heap maps.
#include <heapwright/study/report/detail/document_parts.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include <heapwright/study/report/heap_cells.hpp>
#include <heapwright/study/report/weight.hpp>

namespace heapwright::study::detail {
namespace {

constexpr std::array<std::string_view, trace::kCallCount> kCallNames = {
    "malloc", "calloc", "realloc", "aligned", "new_object", "new_array", "free", "delete_object", "delete_array", "map", "unmap"};

// A histogram as bucket, count, bucket, count ...: most sites use two or three buckets of 48.
template <class Histogram>
void write_sparse(JsonWriter& json, std::string_view name, const Histogram& histogram) {
    json.key(name);
    json.begin_array();
    for (std::size_t bucket = 0; bucket < histogram.size(); ++bucket) {
        if (histogram[bucket] != 0) {
            json.value(bucket);
            json.value(histogram[bucket]);
        }
    }
    json.end_array();
}

void write_site_numbers(JsonWriter& json, const Site& site) {
    json.key("calls");
    json.begin_object();
    for (std::size_t call = 0; call < site.calls.size(); ++call) {
        if (site.calls[call] != 0) {
            json.member(kCallNames[call], site.calls[call]);
        }
    }
    json.end_object();
    json.member("allocations", site.allocations);
    json.member("allocated_bytes", site.allocated_bytes);
    json.member("allocated_usable_bytes", site.allocated_usable_bytes);
    json.key("live_at_peak");
    write_amount(json, site.live_at_peak);
    json.key("leaked");
    write_amount(json, site.leaked);
    json.member("peak_bytes", site.peak_bytes);
    json.member("temporary", site.temporary);
    json.member("short_lived", site.short_lived);
    json.member("same_frame", site.same_frame);
    json.member("drains", site.drains);
    json.member("cross_thread_frees", site.cross_thread_frees);
    json.member("reallocs", site.reallocs);
    json.member("realloc_copied_bytes", site.realloc_copied_bytes);
    json.member("realloc_chain_max", site.realloc_chain_max);
    json.member("realloc_chains", site.realloc_chains);
    json.member("over_aligned", site.over_aligned);
    json.member("min_size", std::min(site.min_size, site.max_size));  // ~0 before the first block
    json.member("max_size", site.max_size);
    json.member("lifetime_ns_total", site.lifetime_ns_total);
    json.member("lifetime_ns_max", site.lifetime_ns_max);
    json.member("first_ns", site.first_ns);
    json.member("last_ns", site.last_ns);
    json.member("threads", site.threads);
    json.member("pinned_bytes_at_peak", site.pinned_bytes_at_peak);
    json.member("pinned_bytes_at_end", site.pinned_bytes_at_end);
    json.member("pinned_free_bytes_at_peak", site.pinned_free_bytes_at_peak);
    json.member("pinned_free_bytes_at_end", site.pinned_free_bytes_at_end);
    write_sparse(json, "lifetimes", site.lifetimes);
    write_sparse(json, "sizes", site.sizes);
}

// In what a site may lead. More than the weights: a row's detail is looked up for other reasons as well.
std::vector<std::uint64_t> merits_of(const SiteRow& row) {
    const auto merits = [](const Site& site) {
        const Weights weights = weights_of(site);
        std::vector<std::uint64_t> values(weights.begin(), weights.end());
        values.insert(values.end(),
                      {site.peak_bytes, site.realloc_copied_bytes, site.cross_thread_frees, site.same_frame, site.short_lived,
                       site.over_aligned, site.realloc_chain_max, site.live_at_peak.usable_bytes - site.live_at_peak.requested_bytes});
        return values;
    };
    std::vector<std::uint64_t> values = merits(*row.numbers);
    if (row.before != nullptr) {  // in a comparison the changes lead
        const std::vector<std::uint64_t> others = merits(*row.before);
        for (std::size_t i = 0; i < others.size(); ++i) {
            const std::uint64_t change = values[i] > others[i] ? values[i] - others[i] : others[i] - values[i];
            values.push_back(change);
            values[i] = std::max(values[i], others[i]);
        }
    }
    return values;
}

}  // namespace

std::vector<std::size_t> chosen_rows(std::span<const SiteRow> rows, std::size_t limit, std::span<const SiteId> always) {
    std::vector<std::size_t> order(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        order[i] = i;
    }
    if (rows.size() <= limit) {
        return order;
    }
    std::vector<bool> taken(rows.size(), false);
    std::size_t count = 0;
    const auto take = [&](std::size_t row) {
        if (!taken[row] && count < limit) {
            taken[row] = true;
            ++count;
        }
    };
    for (const SiteId site : always) {
        if (static_cast<std::size_t>(site) < rows.size()) {
            take(static_cast<std::size_t>(site));
        }
    }
    std::vector<std::vector<std::uint64_t>> merits;
    merits.reserve(rows.size());
    for (const SiteRow& row : rows) {
        merits.push_back(merits_of(row));
    }
    const std::size_t kinds = merits.front().size();
    // The leaders of each kind in turn; whoever leads several makes room for more.
    std::vector<std::vector<std::size_t>> leaders;
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        std::vector<std::size_t> best = order;
        std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(limit), best.end(), [&](std::size_t a, std::size_t b) {
            return merits[a][kind] != merits[b][kind] ? merits[a][kind] > merits[b][kind] : a < b;
        });
        best.resize(limit);
        leaders.push_back(std::move(best));
    }
    for (std::size_t rank = 0; rank < limit && count < limit; ++rank) {
        for (std::size_t kind = 0; kind < kinds; ++kind) {
            if (merits[leaders[kind][rank]][kind] > 0) {
                take(leaders[kind][rank]);
            }
        }
    }
    std::erase_if(order, [&](std::size_t row) { return !taken[row]; });
    return order;
}

std::int32_t FrameNumbers::operator()(std::size_t frame) {
    if (numbers_[frame] < 0) {
        numbers_[frame] = static_cast<std::int32_t>(used_.size());
        used_.push_back(frame);
    }
    return numbers_[frame];
}

void FrameNumbers::write(JsonWriter& json) const {
    std::map<std::string_view, std::size_t> modules;
    std::vector<std::string_view> names;
    json.key("frames");
    json.begin_array();
    for (const std::size_t index : used_) {
        const Frame& frame = frames_[index];
        const auto [entry, fresh] = modules.try_emplace(frame.module, names.size());
        if (fresh) {
            names.push_back(frame.module);
        }
        json.begin_object();
        json.member("function", frame.function);
        if (!frame.file.empty()) {
            json.member("file", frame.file);
        }
        if (frame.line != 0) {
            json.member("line", frame.line);
        }
        if (frame.offset != 0) {
            json.member("offset", frame.offset);
        }
        json.member("module", entry->second);
        if (frame.inlined) {
            json.member("inlined", true);
        }
        if (frame.runtime) {
            json.member("runtime", true);
        }
        json.end_object();
    }
    json.end_array();
    json.member_values("modules", names);
}

void write_amount(JsonWriter& json, const Amount& amount) {
    json.begin_object();
    json.member("blocks", amount.blocks);
    json.member("requested_bytes", amount.requested_bytes);
    json.member("usable_bytes", amount.usable_bytes);
    json.end_object();
}

void write_site(JsonWriter& json, const SiteRow& row, FrameNumbers& numbers) {
    json.begin_object();
    json.member("id", row.id);
    json.key("frames");
    json.begin_array();
    for (const FrameId frame : *row.frames) {
        json.value(numbers(static_cast<std::size_t>(frame)));
    }
    json.end_array();
    write_site_numbers(json, *row.numbers);
    if (row.before != nullptr) {
        json.key("before");
        json.begin_object();
        write_site_numbers(json, *row.before);
        json.end_object();
    }
    json.end_object();
}

void write_tree(JsonWriter& json, const CallTree& tree, FrameNumbers& numbers) {
    json.begin_object();
    json.key("parent");
    json.begin_array();
    for (const CallTree::Node& node : tree.nodes()) {
        json.value(node.parent);
    }
    json.end_array();
    json.key("frame");
    json.begin_array();
    for (const CallTree::Node& node : tree.nodes()) {
        json.value(node.frame < 0 ? node.frame : numbers(static_cast<std::size_t>(node.frame)));
    }
    json.end_array();
    const auto columns = [&](std::string_view name, Weights CallTree::Node::* values) {
        json.key(name);
        json.begin_object();
        for (const Weight weight : kWeights) {
            json.key(name_of(weight));
            json.begin_array();
            for (const CallTree::Node& node : tree.nodes()) {
                json.value((node.*values)[static_cast<std::size_t>(weight)]);
            }
            json.end_array();
        }
        json.end_object();
    };
    columns("values", &CallTree::Node::values);
    if (tree.is_comparison()) {
        columns("values_before", &CallTree::Node::before);
    }
    json.member("nodes_omitted", tree.nodes_omitted());
    json.end_object();
}

void write_maps(JsonWriter& json, const std::vector<HeapMap>& maps, std::size_t cell_limit) {
    json.begin_array();
    for (const HeapMap& full : maps) {
        const HeapMap map = with_cells_at_most(full, cell_limit);
        json.begin_object();
        json.member("label", map.label);
        json.member("time_ns", map.time_ns);
        json.key("runs");
        json.begin_array();
        for (const HeapMap::Run& run : map.runs) {
            json.begin_object();
            json.member("begin", run.begin);
            json.member("cell_bytes", run.cell_bytes);
            json.member("cells", run.occupancy.size());
            json.key("occupancy");
            json.base64(run.occupancy);
            json.end_object();
        }
        json.end_array();
        json.end_object();
    }
    json.end_array();
}

}  // namespace heapwright::study::detail
