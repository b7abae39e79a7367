// Blocks that are made in batches and die together: an arena makes them by moving a cursor and frees them in one step.
#include <algorithm>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

struct Candidate {
    SiteId id;
    const Site* site;
};

/// Whether the site's blocks come in batches whose bytes all live at once: an arena would hold little that is dead.
bool comes_in_batches(const Site& site) {
    if (site.drains == 0 || site.frees < site.allocations * 9 / 10 || site.reallocs * 10 > site.allocations || site.over_aligned > 0 ||
        site.max_size > (64 << 10)) {
        return false;
    }
    const double batch_blocks = number(site.allocations) / number(site.drains);
    const double batch_bytes = number(site.allocated_bytes) / number(site.drains);
    return batch_blocks >= kBatchBlocks && batch_bytes <= kArenaGrowth * number(site.peak_bytes);
}

/// Whichever of its lines a call comes from, a function is the same scope.
bool same_function(const Frame& a, const Frame& b) { return a.function == b.function && a.module == b.module; }

/// The deepest function from which all of these sites are reached: blocks of several sites that die together were made in
/// one activation of it, and the arena belongs there, or above it where the function hands its blocks out.
const Frame* common_caller(const Findings& findings, const std::vector<Candidate>& group) {
    const auto frame_of = [&findings](FrameId id) -> const Frame& { return findings.frames[static_cast<std::size_t>(id)]; };
    for (const FrameId id : group.front().site->frames) {
        const Frame& wanted = frame_of(id);
        const bool in_all = !wanted.runtime && std::all_of(group.begin(), group.end(), [&](const Candidate& candidate) {
            const std::vector<FrameId>& frames = candidate.site->frames;
            return std::any_of(frames.begin(), frames.end(),
                               [&](FrameId other) { return other == id || same_function(frame_of(other), wanted); });
        });
        if (in_all) {
            return &wanted;
        }
    }
    return nullptr;
}

/// Sites of one call tree that begin and end together are one batch: they have nearly the same number of ends.
std::vector<std::vector<Candidate>> group_batches(const Case& program) {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < program.findings.sites.size(); ++i) {
        const Site& site = program.findings.sites[i];
        if (!site.frames.empty() && comes_in_batches(site)) {
            all.push_back({static_cast<SiteId>(i), &site});
        }
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Candidate& a, const Candidate& b) { return a.site->allocations > b.site->allocations; });
    std::vector<std::vector<Candidate>> groups;
    for (const Candidate& candidate : all) {
        const auto fits = [&](const std::vector<Candidate>& group) {
            const std::uint64_t drains = group.front().site->drains;
            return candidate.site->drains * 2 > drains && candidate.site->drains < drains * 2 &&
                   common_caller(program.findings, {group.front(), candidate}) != nullptr;
        };
        const auto found = std::find_if(groups.begin(), groups.end(), fits);
        if (found == groups.end()) {
            groups.push_back({candidate});
        } else {
            found->push_back(candidate);
        }
    }
    return groups;
}

std::string code(const std::string& scope) {
    return "#include <heapwright/arena.hpp>\n"
           "\n"
           "heapwright::Arena arena{heapwright::os::kPages};  // in " +
           scope +
           ", or in the caller that ends the batch\n"
           "auto* node = arena.try_create<Node>(...);         // instead of new; never deleted one by one\n"
           "arena.reset();                                    // where the batch ends\n"
           "// or with the standard library: std::pmr::monotonic_buffer_resource arena; std::pmr::vector<T> v{&arena};";
}

}  // namespace

std::vector<Suggestion> suggest_arena(const Case& program) {
    std::vector<Suggestion> suggestions;
    for (const std::vector<Candidate>& group : group_batches(program)) {
        std::uint64_t allocations = 0;
        std::uint64_t bytes_in_all = 0;
        double saved_bytes = 0;
        for (const Candidate& candidate : group) {
            const Site& site = *candidate.site;
            allocations += site.allocations;
            bytes_in_all += site.allocated_bytes;
            const std::uint64_t mean = site.allocated_bytes / site.allocations;
            saved_bytes += (number(program.taken_for(mean)) - number((mean + 15) / 16 * 16)) * number(site.live_at_peak.blocks);
        }
        const double seconds = number(allocations) * (kPairNs - kArenaBlockNs) / 1e9;
        const bool memory = program.worth_bytes(saved_bytes);
        if (allocations < kManyAllocations || (!memory && !program.worth_seconds(seconds))) {
            continue;
        }
        Place place;
        const Frame* const scope = common_caller(program.findings, group);
        const Site& first = *group.front().site;
        const Frame* const innermost = user_frame(program.findings, first);
        const Frame& named = scope != nullptr ? *scope : *innermost;
        place.where = where_of(named);
        place.function = called(named);
        for (const Candidate& candidate : group) {
            place.sites.push_back(candidate.id);
        }
        Suggestion suggestion = about(program, "arena", place, Experiment::Kind::arena_at_site, memory ? Gain::peak : Gain::time);
        suggestion.title = "Give " + place.function + " an arena: its blocks die together";
        suggestion.evidence = {{"allocations", number(allocations), ""},
                               {"call sites", number(group.size()), ""},
                               {"batches", number(first.drains), ""},
                               {"blocks in a batch of the largest site", number(first.allocations / first.drains), "blocks"},
                               {"bytes in such a batch", number(first.allocated_bytes) / number(first.drains), "B"},
                               {"most of it live at once", number(first.peak_bytes), "B"}};
        suggestion.what =
            count_text(allocations) + " blocks (" + bytes_text(number(bytes_in_all)) + " in all) are made in " + count_text(first.drains) +
            (first.drains == 1 ? " batch" : " batches") +
            ", and each batch is gone as a whole. An arena hands them out by moving a cursor and takes them back in one step.";
        suggestion.how = code(place.function);
        suggestion.expected_bytes = memory ? saved_bytes : 0;
        suggestion.expected_seconds = seconds;
        suggestion.arithmetic = count_text(allocations) + " blocks x (15 - 2) ns; headers and rounding of the blocks live at the peak";
        suggestions.push_back(std::move(suggestion));
    }
    keep_best(suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
