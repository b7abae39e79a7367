#include <heapwright/study/report/summary.hpp>

#include <heapwright/study/report/units.hpp>

namespace heapwright::study {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr double kModerate = 0.15;
constexpr double kHigh = 0.35;
constexpr double kWorthASentence = 0.03;

std::string of_total(std::uint64_t bytes, std::uint64_t total) { return bytes_text(bytes) + " (" + share_text(bytes, total) + ")"; }

std::string gaps_sentence(const Findings& findings, std::uint64_t external, std::uint64_t total) {
    std::string text =
        "gaps: " + of_total(external, total) + " are free bytes on pages that also hold live blocks, so no trim can return them";
    const std::vector<SiteGroup> top = leading(group_by_user_frame(findings), pinned_free_at_peak, 1);
    if (!top.empty() && top[0].pinned_free_bytes_at_peak * 20 >= external) {
        text += "; " + top[0].function + (top[0].place.empty() ? "" : " (" + top[0].place + ")") + " alone keeps " +
                bytes_text(top[0].pinned_free_bytes_at_peak) + " of them";
    }
    return text;
}

// The first bucket of the histogram: pages that hold less than a tenth of their size.
std::string sparse_pages_sentence(const Fragmentation& moment) {
    const std::uint64_t sparse = moment.occupancy[0];
    if (moment.occupied_pages == 0 || sparse * 10 < moment.occupied_pages) {
        return {};
    }
    return "of the " + count_text(moment.occupied_pages) + " pages in use, " + count_text(sparse) + " (" +
           share_text(sparse, moment.occupied_pages) + ") are less than a tenth full";
}

std::string end_sentence(const Findings& findings) {
    const Fragmentation& end = findings.at_end;
    // By its parts: what else is resident may be of a later moment than the last map.
    const std::uint64_t parts = end.live_requested + end.internal_bytes + end.external_bytes + end.retained_bytes;
    const std::uint64_t heap = std::min(parts, end.resident_bytes - std::min(end.resident_bytes, end.non_heap_bytes));
    constexpr std::uint64_t kWorthSaying = std::uint64_t{1} << 20U;
    if (heap < kWorthSaying || heap < 2 * end.live_usable) {
        return {};
    }
    return "at the end " + bytes_text(end.live_requested) + " in " + counted(end.live_blocks, "live block") + " keep " + bytes_text(heap) +
           " of the heap resident";
}

// What the program maps for itself, a collected heap or a buffer pool, is no business of malloc: say so before it is looked for here.
std::string elsewhere_sentence(const Fragmentation& moment) {
    constexpr std::uint64_t kWorthSaying = std::uint64_t{32} << 20U;
    if (moment.non_heap_bytes < kWorthSaying || moment.non_heap_bytes * 2 < moment.resident_bytes) {
        return {};
    }
    return "elsewhere: " + of_total(moment.non_heap_bytes, moment.resident_bytes) +
           " of what is resident are not from malloc: files, stacks, and what the program maps itself, which record --mappings shows";
}

}  // namespace

double Composition::overhead_share() const {
    const std::uint64_t heap = overhead() + requested;
    return heap == 0 ? 0.0 : static_cast<double>(overhead()) / static_cast<double>(heap);
}

Composition composition_of(const Fragmentation& moment) {
    Composition parts;
    parts.requested = moment.live_requested;
    parts.internal = moment.internal_bytes;
    parts.external = moment.external_bytes;
    parts.retained = moment.retained_bytes;
    parts.other = moment.non_heap_bytes;
    parts.resident = moment.resident_bytes;
    const std::uint64_t sum = parts.requested + parts.internal + parts.external + parts.retained + parts.other;
    if (moment.resident_bytes == 0) {
        return parts;
    }
    if (sum > parts.resident) {
        parts.untouched = sum - parts.resident;
    } else {
        parts.other += parts.resident - sum;
    }
    return parts;
}

std::vector<Fact> facts_of(const Findings& findings) {
    const Totals& totals = findings.totals;
    std::vector<Fact> facts;
    facts.push_back({"peak requested", exact_bytes_text(totals.peak_requested) + " in " + counted(findings.at_peak.live_blocks, "block") +
                                           ", after " + duration_text(totals.peak_time_ns) + " of " + duration_text(totals.duration_ns)});
    facts.push_back({"usable then", exact_bytes_text(totals.peak_usable)});
    facts.push_back({"pages in use then", exact_bytes_text(findings.at_peak.occupied_pages * kPageBytes)});
    if (findings.at_peak.resident_bytes != 0) {
        facts.push_back({"resident then", exact_bytes_text(findings.at_peak.resident_bytes)});
    }
    if (totals.peak_resident != 0) {
        facts.push_back({"peak resident", exact_bytes_text(totals.peak_resident)});
    }
    facts.push_back({"never freed", exact_bytes_text(totals.leaked.requested_bytes) + " in " + counted(totals.leaked.blocks, "block")});
    facts.push_back({"allocations", count_text(totals.allocations) + " of " + exact_bytes_text(totals.allocated_bytes) + " together"});
    facts.push_back({"temporary", count_text(totals.temporary) + " (" + share_text(totals.temporary, totals.allocations) + ")"});
    facts.push_back({"duration", duration_text(totals.duration_ns) + (totals.cpu_ns == 0 ? "" : ", CPU " + duration_text(totals.cpu_ns))});
    return facts;
}

MemoryVerdict verdict_of(const Findings& findings) {
    MemoryVerdict verdict;
    const Composition parts = composition_of(findings.at_peak);
    const double share = parts.overhead_share();
    const std::uint64_t total = parts.overhead() + parts.requested;
    verdict.grade = share < kModerate ? Grade::low : share < kHigh ? Grade::moderate : Grade::high;
    if (total == 0) {
        verdict.headline = "the program held no memory that could be fragmented";
        return verdict;
    }
    const char* word = verdict.grade == Grade::low ? "low" : verdict.grade == Grade::moderate ? "moderate" : "high";
    verdict.headline = std::string("fragmentation is ") + word + ": " + bytes_text(parts.overhead()) + " of the " + bytes_text(total) +
                       " that the heap takes at the peak hold nothing (" + share_text(share) + ")";

    std::vector<std::pair<std::uint64_t, std::string>> causes;
    causes.emplace_back(parts.internal, "rounding: " + of_total(parts.internal, total) + ", because the allocator gives " +
                                            bytes_text(findings.at_peak.live_usable) + " for the " + bytes_text(parts.requested) +
                                            " requested");
    causes.emplace_back(parts.external, gaps_sentence(findings, parts.external, total));
    causes.emplace_back(parts.retained, "retention: " + of_total(parts.retained, total) +
                                            " are resident pages without any live block, which the allocator has not given back");
    std::stable_sort(causes.begin(), causes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (auto& [bytes, sentence] : causes) {
        if (static_cast<double>(bytes) >= kWorthASentence * static_cast<double>(total)) {
            verdict.sentences.push_back(std::move(sentence));
        }
    }
    for (std::string sentence : {sparse_pages_sentence(findings.at_peak), elsewhere_sentence(findings.at_peak), end_sentence(findings)}) {
        if (!sentence.empty()) {
            verdict.sentences.push_back(std::move(sentence));
        }
    }
    return verdict;
}

}  // namespace heapwright::study
