// Blocks that last apart from those that do not, and brief ones in chunks that are used again: entries of a placement plan,
// which the heap behind malloc follows for the same binary.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

constexpr std::uint64_t kLargestPlanned = std::uint64_t{64} << 10;  // of any place
constexpr std::uint64_t kLargestBump = 16384 - 8;                   // a quarter of a chunk
constexpr std::size_t kFramesAtMost = kReturnsKept;                 // that tell contexts apart
constexpr std::uint64_t kPageBytes = 4096;

/// How long the blocks of some code live.
enum class Life : std::uint8_t { mixed, brief, lasting };

/// Freed blocks that lived at most `limit_ns`, by the histogram: a bucket counts when all of it does.
double freed_within(const Site& site, double limit_ns) {
    double blocks = 0;
    for (std::size_t bucket = 0; bucket < kLifetimeBuckets && number(std::uint64_t{2} << bucket) <= limit_ns; ++bucket) {
        blocks += number(site.lifetimes[bucket]);
    }
    return blocks;
}

Life life_of(const Case& program, const Site& site) {
    const double duration = number(program.findings.totals.duration_ns);
    const double blocks = number(std::max<std::uint64_t>(site.frees + site.leaked.blocks, 1));
    if (freed_within(site, duration * kBriefShare) >= kBriefNearlyAll * blocks) {
        return Life::brief;
    }
    const double ended = freed_within(site, duration * kLastsShare);
    return blocks - ended >= kMostly * blocks ? Life::lasting : Life::mixed;
}

/// Code that the plan can name: one return address, or several where the innermost one serves callers of different habits.
struct Code {
    std::vector<CodeAddress> returns;
    std::vector<SiteId> sites;
    Site sum;
    Life life = Life::mixed;
};

bool can_be_named(const Findings& findings, const std::vector<CodeAddress>& returns) {
    return std::all_of(returns.begin(), returns.end(), [&findings](const CodeAddress& one) {
        return one.module != kNoModule && !findings.modules[one.module].build_id.empty();
    });
}

/// Whether nearly all blocks come from sites of this life, so that one entry speaks for all.
bool is_of_one_mind(const Case& program, const Code& code) {
    std::uint64_t blocks = 0;
    for (const SiteId id : code.sites) {
        const Site& site = program.findings.sites[static_cast<std::size_t>(id)];
        blocks += life_of(program, site) == code.life ? site.allocations : 0;
    }
    return number(blocks) >= kNearlyAll * number(code.sum.allocations);
}

/// Sorts sites by their innermost `frames` return addresses; groups of mixed habits are sorted again by one more.
void collect(const Case& program, const std::vector<SiteId>& sites, std::size_t frames, std::vector<Code>& codes) {
    std::map<std::vector<CodeAddress>, std::vector<SiteId>> groups;
    for (const SiteId id : sites) {
        const std::vector<CodeAddress>& all = program.findings.sites[static_cast<std::size_t>(id)].returns;
        if (all.size() >= frames) {
            const std::vector<CodeAddress> some(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(frames));
            if (can_be_named(program.findings, some)) {
                groups[some].push_back(id);
            }
        }
    }
    for (auto& [returns, members] : groups) {
        Code code{.returns = returns, .sites = std::move(members), .sum = {}};
        code.sum = sum_of(program.findings, code.sites);
        code.life = life_of(program, code.sum);
        if (code.sites.size() == 1 || is_of_one_mind(program, code)) {
            codes.push_back(std::move(code));
        } else if (frames < kFramesAtMost) {
            collect(program, code.sites, frames + 1, codes);
        }
    }
}

std::vector<Code> codes_of(const Case& program) {
    std::vector<SiteId> all;
    all.reserve(program.findings.sites.size());
    for (std::size_t i = 0; i < program.findings.sites.size(); ++i) {
        all.push_back(static_cast<SiteId>(i));
    }
    std::vector<Code> codes;
    collect(program, all, 1, codes);
    return codes;
}

/// The code of this life whose blocks the place can hold, that with the most of them first.
std::vector<Code> chosen(const std::vector<Code>& codes, Life life, std::uint64_t largest, std::uint64_t Site::* weight) {
    std::vector<Code> some;
    std::copy_if(codes.begin(), codes.end(), std::back_inserter(some), [&](const Code& code) {
        const Site& sum = code.sum;
        const bool matters = sum.allocations >= kLeastPlannedBytes / kPageBytes;
        return matters && code.life == life && sum.min_size <= largest && sum.over_aligned == 0 && sum.reallocs * 10 <= sum.allocations;
    });
    std::stable_sort(some.begin(), some.end(), [weight](const Code& a, const Code& b) { return a.sum.*weight > b.sum.*weight; });
    std::map<CodeAddress, std::size_t> callers;
    std::erase_if(
        some, [&callers](const Code& code) { return code.returns.size() > 1 && ++callers[code.returns.front()] > kMostCallersOfOneCode; });
    some.resize(std::min(some.size(), kMostPlanEntries));
    return some;
}

BuildId build_of(const CodeModule& module) {
    BuildId build;
    build.size = static_cast<std::uint8_t>(std::min(module.build_id.size(), BuildId::kBytesMax));
    std::copy_n(module.build_id.begin(), build.size, build.bytes.begin());
    return build;
}

std::string file_of(const CodeModule& module) { return module.path.substr(module.path.rfind('/') + 1); }

PlannedSite entry_of(const Findings& findings, const Code& code, SitePlace place, std::uint64_t largest, std::string_view name) {
    PlannedSite entry;
    const std::uint32_t home = code.returns.front().module;
    entry.module = build_of(findings.modules[home]);
    static_cast<void>(entry.file.append(file_of(findings.modules[home])));
    for (const CodeAddress& one : code.returns) {
        if (one.module == home && entry.callers.count == 0) {
            entry.returns.values[entry.returns.count++] = one.offset;
            continue;
        }
        CallerCode& caller = entry.callers.values[entry.callers.count++];
        caller = {.module = build_of(findings.modules[one.module]), .file = {}, .offset = one.offset};
        static_cast<void>(caller.file.append(file_of(findings.modules[one.module])));
    }
    entry.max_bytes = largest;
    entry.place = place;
    static_cast<void>(entry.name.append(name));
    return entry;
}

Suggestion planned(const Case& program, const std::vector<Code>& codes, SitePlace place, std::uint64_t largest, Gain gain,
                   const char* name) {
    Suggestion suggestion = about_program("plan", Experiment::Kind::plan, "heapwright", gain);
    for (const Code& code : codes) {
        suggestion.experiment.entries.push_back(entry_of(program.findings, code, place, largest, name));
        for (const SiteId site : code.sites) {
            suggestion.experiment.sites.push_back(site);
            suggestion.experiment.stacks.push_back(program.findings.sites[static_cast<std::size_t>(site)].stack);
        }
    }
    suggestion.how =
        "heapwright advise TRACE --write memory.toml   # the same program, not compiled again:\n"
        "heapwright run --config memory.toml -- ./program";
    return suggestion;
}

/// What keeps pages for nothing when the work is done, or at the peak.
void keep_apart(const Case& program, const std::vector<Code>& codes, std::vector<Suggestion>& suggestions) {
    const std::vector<Code> lasting = chosen(codes, Life::lasting, kLargestPlanned, &Site::allocated_bytes);
    const double at_end = wasted_at(program.findings.at_end);
    const double at_peak = wasted_at(program.findings.at_peak);
    const double wasted = std::max(at_end, at_peak);
    std::uint64_t blocks = 0;
    for (const Code& code : lasting) {
        blocks += code.sum.allocations;
    }
    // Where everything lasts there is nobody to keep apart from.
    const bool all_last = number(blocks) > kNearlyAll * number(program.findings.totals.allocations);
    if (lasting.empty() || all_last || !program.worth_bytes(wasted)) {
        return;
    }
    Suggestion suggestion =
        planned(program, lasting, SitePlace::heap, kLargestPlanned, at_end > at_peak ? Gain::retained : Gain::peak, "lasting");
    suggestion.title = "Keep the blocks that last apart from the brief ones, by a placement plan";
    suggestion.evidence = {{"places in the code", number(lasting.size()), ""},
                           {"their blocks", number(blocks), "blocks"},
                           {"bytes that hold nothing at the end", at_end, "B"},
                           {"bytes that hold nothing at the peak", at_peak, "B"}};
    suggestion.what =
        "Half or more of the blocks of these places live for a quarter of the run or longer. Among brief ones each of "
        "them keeps a page that is otherwise empty. In a heap of their own they fill pages together, and the others' "
        "pages become empty as a whole.";
    suggestion.expected_bytes = wasted / 2;
    suggestion.arithmetic = "at best half of the bytes that hold nothing";
    suggestions.push_back(std::move(suggestion));
}

/// Chunks that stay in the cache, and no free list.
void bump_together(const Case& program, const std::vector<Code>& codes, std::vector<Suggestion>& suggestions) {
    const std::vector<Code> brief = chosen(codes, Life::brief, kLargestBump, &Site::allocations);
    std::uint64_t blocks = 0;
    for (const Code& code : brief) {
        blocks += code.sum.allocations;
    }
    const double seconds = number(blocks) * (kGoodPairNs - kBumpPairNs) / 1e9;
    if (blocks < kManyAllocations || !program.worth_seconds(seconds)) {
        return;
    }
    Suggestion suggestion = planned(program, brief, SitePlace::bump, kLargestBump, Gain::time, "brief");
    suggestion.title = "Make brief blocks one behind the other, by a placement plan";
    suggestion.evidence = {{"places in the code", number(brief.size()), ""},
                           {"their blocks", number(blocks), "blocks"},
                           {"of all allocations", 100 * share(blocks, program.findings.totals.allocations), "%"}};
    suggestion.what =
        "Nearly all blocks of these places are freed within a thousandth of the run. In chunks that are filled in order "
        "and used again when their last block died, those that are used together lie together.";
    suggestion.expected_seconds = seconds;
    suggestion.arithmetic = count_text(blocks) + " pairs x (8 - 5) ns";
    suggestions.push_back(std::move(suggestion));
}

}  // namespace

std::vector<Suggestion> suggest_plan(const Case& program) {
    std::vector<Suggestion> suggestions;
    if (program.findings.totals.duration_ns == 0 || program.findings.health.sample_interval_bytes != 0) {
        return suggestions;  // a sampled recording cannot be replayed, so nothing could be proved
    }
    const std::vector<Code> codes = codes_of(program);
    keep_apart(program, codes, suggestions);
    bump_together(program, codes, suggestions);
    return suggestions;
}

}  // namespace heapwright::study::advice
