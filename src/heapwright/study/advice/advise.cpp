#include <heapwright/study/advice/advise.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study {

namespace {

constexpr std::array<advice::Rule, 12> kRules = {
    advice::suggest_leak,           advice::suggest_arena,        advice::suggest_stack,     advice::suggest_pool,
    advice::suggest_reserve,        advice::suggest_sizes,        advice::suggest_give_back, advice::suggest_glibc_settings,
    advice::suggest_other_settings, advice::suggest_cross_thread, advice::suggest_allocator, advice::suggest_plan};

/// How much of the program's memory, or of its time, is promised: bytes and seconds in one unit.
double promise(const Findings& findings, const Suggestion& suggestion) {
    const double peak = std::max(
        1.0, static_cast<double>(findings.totals.peak_resident != 0 ? findings.totals.peak_resident : findings.totals.peak_usable));
    const double cpu =
        std::max(1.0, static_cast<double>(findings.totals.cpu_ns != 0 ? findings.totals.cpu_ns : findings.totals.duration_ns)) / 1e9;
    return suggestion.expected_bytes / peak + suggestion.expected_seconds / cpu;
}

bool places_blocks(const Suggestion& suggestion) {
    const Experiment::Kind kind = suggestion.experiment.kind;
    return kind == Experiment::Kind::arena_at_site || kind == Experiment::Kind::pool_at_site || kind == Experiment::Kind::stack_at_site ||
           kind == Experiment::Kind::reserve_at_site;
}

/// A block can be placed in one way only: whoever comes first keeps the site.
void drop_rivals(std::vector<Suggestion>& suggestions) {
    std::set<SiteId> taken;
    std::erase_if(suggestions, [&taken](const Suggestion& suggestion) {
        if (!places_blocks(suggestion)) {
            return false;
        }
        const bool rival = taken.contains(suggestion.experiment.sites.front());
        taken.insert(suggestion.experiment.sites.begin(), suggestion.experiment.sites.end());
        return rival;
    });
}

std::string id_of(std::size_t rank, const Suggestion& suggestion) {
    std::string id = "A" + std::to_string(rank + 1) + "-" + suggestion.rule;
    if (suggestion.site) {
        return id + "-site-" + std::to_string(static_cast<std::uint32_t>(*suggestion.site));
    }
    id += "-";
    for (const char letter : suggestion.experiment.target) {
        id += std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '-';
    }
    return id;
}

}  // namespace

std::vector<Suggestion> advise(const Findings& findings) {
    const advice::Case program(findings);
    std::vector<Suggestion> all;
    for (const advice::Rule rule : kRules) {
        for (Suggestion& suggestion : rule(program)) {
            all.push_back(std::move(suggestion));
        }
    }
    std::stable_sort(all.begin(), all.end(),
                     [&findings](const Suggestion& a, const Suggestion& b) { return promise(findings, a) > promise(findings, b); });
    drop_rivals(all);
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        all[rank].experiment.id = id_of(rank, all[rank]);
    }
    return all;
}

}  // namespace heapwright::study
