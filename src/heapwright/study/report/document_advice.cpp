// The document's `suggestions`: what the advice found, each with its evidence, its experiment and its verdict.
#include <string_view>

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/report/detail/document_parts.hpp>

namespace heapwright::study::detail {
namespace {

// Enumerators travel as their C++ names.
std::string_view word_of(Experiment::Kind kind) {
    switch (kind) {
        case Experiment::Kind::none: return "none";
        case Experiment::Kind::allocator: return "allocator";
        case Experiment::Kind::setting: return "setting";
        case Experiment::Kind::arena_at_site: return "arena_at_site";
        case Experiment::Kind::pool_at_site: return "pool_at_site";
        case Experiment::Kind::reserve_at_site: return "reserve_at_site";
        case Experiment::Kind::stack_at_site: return "stack_at_site";
        case Experiment::Kind::resize_at_site: return "resize_at_site";
        case Experiment::Kind::remove_at_site: return "remove_at_site";
        case Experiment::Kind::trim: return "trim";
        case Experiment::Kind::plan: return "plan";
    }
    return {};
}

std::string_view word_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::not_tried: return "not_tried";
        case Verdict::proved: return "proved";
        case Verdict::refuted: return "refuted";
    }
    return {};
}

void write_experiment(JsonWriter& json, const Experiment& experiment) {
    json.begin_object();
    json.member("id", experiment.id);
    json.member("kind", word_of(experiment.kind));
    json.member("target", experiment.target);
    json.key("sites");
    json.begin_array();
    for (const SiteId site : experiment.sites) {
        json.value(static_cast<std::uint32_t>(site));
    }
    json.end_array();
    json.end_object();
}

void write_suggestion(JsonWriter& json, const Suggestion& suggestion) {
    json.begin_object();
    json.member("rule", suggestion.rule);
    json.member("title", suggestion.title);
    if (suggestion.site) {
        json.member("site", static_cast<std::uint32_t>(*suggestion.site));
    }
    json.member("where", suggestion.where);
    json.key("evidence");
    json.begin_array();
    for (const Evidence& evidence : suggestion.evidence) {
        json.begin_object();
        json.member("name", evidence.name);
        json.member("value", evidence.value);
        json.member("unit", evidence.unit);
        json.end_object();
    }
    json.end_array();
    json.member("what", suggestion.what);
    json.member("how", suggestion.how);
    json.member("expected_bytes", suggestion.expected_bytes);
    json.member("expected_seconds", suggestion.expected_seconds);
    if (!suggestion.arithmetic.empty()) {
        json.member("arithmetic", suggestion.arithmetic);
    }
    if (suggestion.verdict != Verdict::not_tried) {
        json.member("measured_bytes", suggestion.measured_bytes);
        json.member("measured_seconds", suggestion.measured_seconds);
    }
    json.key("experiment");
    write_experiment(json, suggestion.experiment);
    json.member("verdict", word_of(suggestion.verdict));
    json.member("proof", suggestion.proof);
    json.end_object();
}

}  // namespace

std::vector<SiteId> sites_of(const std::vector<Suggestion>* suggestions) {
    std::vector<SiteId> sites;
    if (suggestions == nullptr) {
        return sites;
    }
    for (const Suggestion& suggestion : *suggestions) {
        if (suggestion.site) {
            sites.push_back(*suggestion.site);
        }
    }
    for (const Suggestion& suggestion : *suggestions) {
        sites.insert(sites.end(), suggestion.experiment.sites.begin(), suggestion.experiment.sites.end());
    }
    return sites;
}

std::string experiment_of(const std::vector<Suggestion>* suggestions, const std::string& label) {
    if (suggestions == nullptr) {
        return {};
    }
    for (const Suggestion& suggestion : *suggestions) {
        if (suggestion.experiment.id == label) {
            return label;
        }
    }
    for (const Suggestion& suggestion : *suggestions) {  // settings are tried under the name that the user would type
        const bool by_target =
            suggestion.experiment.kind == Experiment::Kind::allocator || suggestion.experiment.kind == Experiment::Kind::setting;
        if (by_target && suggestion.experiment.target == label) {
            return suggestion.experiment.id;
        }
    }
    return {};
}

void write_suggestions(JsonWriter& json, const std::vector<Suggestion>& suggestions) {
    json.begin_array();
    for (const Suggestion& suggestion : suggestions) {
        write_suggestion(json, suggestion);
    }
    json.end_array();
}

}  // namespace heapwright::study::detail
