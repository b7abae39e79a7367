#include <heapwright/study/report/document.hpp>

#include <algorithm>

#include <heapwright/study/report/call_tree.hpp>
#include <heapwright/study/report/detail/document_parts.hpp>

namespace heapwright::study {
namespace {

constexpr int kSchema = 1;

// The members that describe one trace and stand in `before` too, in the schema's order.
void write_shared_head(JsonWriter& json, const Findings& findings) {
    json.key("provenance");
    detail::write_provenance(json, findings);
    json.key("health");
    detail::write_health(json, findings.health);
    json.key("totals");
    detail::write_totals(json, findings.totals);
}

void write_shared_tail(JsonWriter& json, const Findings& findings) {
    json.key("at_peak");
    detail::write_fragmentation(json, findings.at_peak);
    json.key("at_end");
    detail::write_fragmentation(json, findings.at_end);
    detail::write_lifetimes(json, findings);
}

void write_before(JsonWriter& json, const Findings& before) {
    json.key("before");
    json.begin_object();
    json.member("title", title_of(before));
    write_shared_head(json, before);
    json.key("timeline");
    detail::write_timeline(json, before.timeline);
    write_shared_tail(json, before);
    json.end_object();
}

void write_size(JsonWriter& json, const SizeRow& row, const SizeRow* before) {
    json.begin_object();
    json.member("size", row.size);
    json.member("usable", row.usable);
    const auto numbers = [&](const SizeRow& side) {
        json.member("allocations", side.allocations);
        json.key("live_at_peak");
        detail::write_amount(json, side.live_at_peak);
        json.key("leaked");
        detail::write_amount(json, side.leaked);
    };
    numbers(row);
    if (before != nullptr) {
        json.key("before");
        json.begin_object();
        numbers(*before);
        json.end_object();
    }
    json.end_object();
}

/// What the two kinds of document have in common; `before` is null for one trace.
struct Parts {
    const Findings& findings;
    const Findings* before;
    const std::vector<Frame>& frames;
    std::vector<detail::SiteRow> sites;
    std::vector<std::pair<const SizeRow*, const SizeRow*>> sizes;
    CallTree tree;
    std::vector<SiteId> always;
};

void write_parts(Parts parts, const DocumentExtras& extras, const std::string& title, const DocumentLimits& limits, const TextSink& sink) {
    JsonWriter json(sink, limits.line_depth);
    detail::FrameNumbers numbers(parts.frames);
    json.begin_object();
    json.member("schema", kSchema);
    json.member("kind", parts.before == nullptr ? "report" : "diff");
    json.member("title", extras.title.empty() ? title : extras.title);
    json.member("generator", extras.generator);
    write_shared_head(json, parts.findings);

    const std::vector<std::size_t> chosen = detail::chosen_rows(parts.sites, limits.sites, parts.always);
    json.key("sites");
    json.begin_array();
    for (const std::size_t i : chosen) {
        detail::write_site(json, parts.sites[i], numbers);
    }
    json.end_array();
    json.member("sites_omitted", parts.sites.size() - chosen.size());

    parts.tree.prune(limits.tree_nodes);
    json.key("tree");
    detail::write_tree(json, parts.tree, numbers);
    numbers.write(json);

    const std::size_t sizes = std::min(limits.sizes, parts.sizes.size());
    json.key("sizes");
    json.begin_array();
    for (std::size_t i = 0; i < sizes; ++i) {
        write_size(json, *parts.sizes[i].first, parts.sizes[i].second);
    }
    json.end_array();
    json.member("sizes_omitted", parts.sizes.size() - sizes);

    json.key("threads");
    detail::write_threads(json, parts.findings.threads);
    json.key("timeline");
    detail::write_timeline(json, parts.findings.timeline);
    json.key("maps");
    detail::write_maps(json, parts.findings.maps, limits.map_cells);
    write_shared_tail(json, parts.findings);
    json.key("lifetime_by_size");
    json.begin_array();
    for (const auto& row : parts.findings.lifetime_by_size) {
        json.values(row);
    }
    json.end_array();

    if (extras.suggestions != nullptr) {
        json.key("suggestions");
        detail::write_suggestions(json, *extras.suggestions);
    }
    if (extras.comparison != nullptr) {
        json.key("comparison");
        detail::write_comparison(json, *extras.comparison,
                                 [&](const std::string& label) { return detail::experiment_of(extras.suggestions, label); });
    }
    if (parts.before != nullptr) {
        write_before(json, *parts.before);
    }
    json.end_object();
    json.finish();
}

std::string base_name(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// As the user typed it. The executable's own path comes second: redis-server may be a link to redis-check-rdb.
std::string program_of(const Findings& findings) {
    const auto value = [&](const char* key) {
        const auto found = findings.provenance.find(key);
        return found == findings.provenance.end() ? std::string{} : found->second;
    };
    const std::string arguments = value("arguments");
    const std::string typed = base_name(arguments.substr(0, arguments.find(' ')));
    const bool is_name = !typed.empty() && typed[0] != '-' && typed.find_first_of("'\"\\:(") == std::string::npos;
    return is_name ? typed : base_name(value("program"));
}

}  // namespace

std::string title_of(const Findings& findings) {
    const std::string program = program_of(findings);
    return program.empty() ? "a recorded program" : program;
}

std::string title_of(const TraceDifference& difference) {
    const std::string before = title_of(difference.before);
    const std::string after = title_of(difference.after);
    return before == after ? after + ": before and after" : before + " against " + after;
}

void write_document(const Findings& findings, const DocumentExtras& extras, const DocumentLimits& limits, const TextSink& sink) {
    Parts parts{findings, nullptr, findings.frames, {}, {}, CallTree(findings), {}};
    for (std::size_t i = 0; i < findings.sites.size(); ++i) {
        const Site& site = findings.sites[i];
        parts.sites.push_back({static_cast<std::uint32_t>(i), &site.frames, &site, nullptr});
    }
    for (const SizeRow& row : findings.sizes) {
        parts.sizes.emplace_back(&row, nullptr);
    }
    parts.always = detail::sites_of(extras.suggestions);
    write_parts(std::move(parts), extras, title_of(findings), limits, sink);
}

void write_document(const TraceDifference& difference, const DocumentExtras& extras, const DocumentLimits& limits, const TextSink& sink) {
    Parts parts{difference.after, &difference.before, difference.frames, {}, {}, CallTree(difference.before, difference.after), {}};
    for (std::size_t i = 0; i < difference.sites.size(); ++i) {
        const SitePair& pair = difference.sites[i];
        parts.sites.push_back({static_cast<std::uint32_t>(i), &pair.frames, &pair.after, &pair.before});
    }
    for (const SizePair& pair : difference.sizes) {
        parts.sizes.emplace_back(&pair.after, &pair.before);
    }
    write_parts(std::move(parts), extras, title_of(difference), limits, sink);
}

}  // namespace heapwright::study
